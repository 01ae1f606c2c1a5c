"""The CSV as people have it: its table, its columns, and what is kept of its rows."""
