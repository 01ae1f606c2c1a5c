"""Jobs: CSV files that take longer than a request, scored by a worker process of their own.

PostgreSQL holds the queue, the files and the results: web and worker dynos share nothing else.
`job` and `scoring` import no driver; the service imports the others only where JOBS is on.
"""
