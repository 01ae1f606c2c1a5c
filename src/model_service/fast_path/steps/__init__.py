"""One module for each kind of fitted step that the fast path compiles."""
