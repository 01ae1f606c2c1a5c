"""A pickle interpreter that imports nothing and calls nothing that the file names."""
