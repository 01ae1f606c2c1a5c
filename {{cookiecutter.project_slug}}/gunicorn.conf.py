"""How gunicorn serves: the same on the dyno, in a container and under `make run`.

Settings: https://gunicorn.org/reference/settings/
"""

import os
import socket

# IPv6 and IPv4 where the system has both; Heroku's newer routers use either.
port = os.environ.get("PORT", "8000")
bind = f"[::]:{port}" if socket.has_dualstack_ipv6() else f"0.0.0.0:{port}"

# Heroku sets WEB_CONCURRENCY from the dyno's memory; elsewhere one worker is the safe start.
workers = int(os.environ.get("WEB_CONCURRENCY") or 1)

# A request that waits for the model keeps a thread, and waiting requests are predicted together:
# with 64 threads a random forest answered 32 connections six times as fast as with 4, for 2 MB.
threads = 64

# Heroku's router gives up after 30 s and kills 30 s after SIGTERM: be done before both.
timeout = 25
graceful_timeout = 20

# Heroku's router keeps idle connections for 90 s; the router must be the one who closes first.
keepalive = 95

# The worker, the log and the start check: see `make docs TOPIC=gunicorn`.
from model_service.server.gunicorn import *
