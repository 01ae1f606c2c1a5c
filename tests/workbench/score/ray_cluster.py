"""Run by test_engines.py: a Ray that knows nothing of the project, and a server for clients.

The argument is the server's port. Prints a line when it is ready, and ends with its standard input.
"""

from __future__ import annotations

import sys

import ray
from ray.util.client.server import server

if __name__ == "__main__":
    # Without a limit, the store would want more shared memory than a container has.
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        logging_level="error",
        _node_ip_address="127.0.0.1",
        object_store_memory=80 << 20,
    )
    running = server.serve("127.0.0.1", int(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.read()
    running.stop(0)
    ray.shutdown()
