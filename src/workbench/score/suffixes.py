"""Which files are Parquet and which are CSV, by the ends of their names."""

PARQUET_SUFFIXES = (".parquet", ".pq")
CSV_SUFFIXES = (".csv", ".tsv", ".txt")
