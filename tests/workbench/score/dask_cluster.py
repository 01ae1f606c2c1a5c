"""Run by test_engines.py: a cluster of Dask that knows nothing of the project.

Prints its address, and ends with its standard input.
"""

from __future__ import annotations

import sys

from dask.distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address.removeprefix("tcp://"), flush=True)
        sys.stdin.read()
