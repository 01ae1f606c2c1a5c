"""`make bench`: the generated service compared with other ways to serve the same model file."""
