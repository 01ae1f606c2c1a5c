"""make score: files of any size, in parts that a pool of processes, Dask or Ray schedules."""
