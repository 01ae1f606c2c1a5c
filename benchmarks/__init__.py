"""`make bench`: the generated service beside other ways to serve the same model file."""
