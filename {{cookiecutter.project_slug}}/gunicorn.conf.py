"""How gunicorn serves: the same on the dyno, in a container and under `make run`.

Settings: https://gunicorn.org/reference/settings/
"""

import gc
import os
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from typing import Any

from gunicorn.glogging import Logger

# Set before NumPy is imported: one request needs one core, and several workers share two.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

wsgi_app = "service:create_app()"
# Until all is loaded, for that stays: to look for garbage in it took a twentieth of the start.
gc.disable()

# IPv6 and IPv4 where the system has both; Heroku's newer routers use either.
_port = os.environ.get("PORT", "8000")
bind = f"[::]:{_port}" if socket.has_dualstack_ipv6() else f"0.0.0.0:{_port}"

# Threads, not sync workers: XGBoost and LightGBM hang for ever in a sync worker when the model
# was loaded before the fork, and two half-open connections are enough to stop two sync workers.
# This is gunicorn's "gthread", which would do in its place, with short requests answered at once.
worker_class = "model_service.server.worker.Worker"
# A request that waits for the model keeps a thread, and what waits is predicted together: with 64
# threads a random forest without a plan answered 32 connections six times as fast as with 4, for
# 2 MB more. Those that MAX_IN_FLIGHT leaves stand 40 clients that send long bodies slowly.
threads = 64

# Heroku sets WEB_CONCURRENCY from the dyno's memory; elsewhere one worker is the safe start.
workers = int(os.environ.get("WEB_CONCURRENCY") or 1)

# The model is loaded once and its memory shared by the workers; a wrong model file or a wrong
# library version ends the process here, before it binds.
preload_app = True


def _heartbeat_folder() -> str | None:
    """Return where empty files can be made: gunicorn sees by their times that a worker lives.

    By itself it asks Python for a folder, which takes none where the disk is full or read-only.
    """
    for folder in ("/dev/shm", os.environ.get("TMPDIR") or "/tmp", "/tmp"):
        with suppress(OSError), tempfile.TemporaryFile(dir=folder):
            return folder
    return None


worker_tmp_dir = _heartbeat_folder()

# The router gives up after 30 s and the platform kills 30 s after SIGTERM: be done before both.
timeout = 25
graceful_timeout = 20

# Heroku's router keeps idle connections for 90 s; whoever closes first must be the router.
keepalive = 95

# Only the router can reach the dyno, and ProxyFix trusts one hop of it.
forwarded_allow_ips = "*"


class Log(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's log of itself, without requests: the service writes a line of each.

    Heroku asks for another by GUNICORN_CMD_ARGS="--access-logfile -", which outranks this file.
    """

    def access(self, *_: Any) -> None:
        """Write nothing."""

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Say of a request that is no HTTP only why: the rest is the caller's address and text."""
        if msg.startswith("Invalid request from"):
            msg = f"Invalid request: {getattr(sys.exc_info()[0], '__name__', 'unknown')}"
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Leave the query out of an address."""
        super().exception(msg, *(str(arg).partition("?")[0] for arg in args), **kwargs)


logger_class = Log

# gunicorn 25.1 and later open a control socket in the home directory otherwise.
control_socket_disable = True


def when_ready(_: Any) -> None:
    """Keep what is loaded shared: a collection in a worker would copy the pages that it looks at.

    Two workers of the example hold 190 MB instead of 252 after a hundred predictions.
    https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.freeze()
    gc.enable()


on_reload = when_ready  # SIGHUP reads this file again


def post_worker_init(worker: Any) -> None:
    """Check the goldens after the fork."""
    extensions = worker.wsgi.extensions
    # `timeout` is for the thread that waits for requests: a worker whose model is stuck in another
    # must leave by itself, as if it were told to. It takes no more connections then, and another
    # is forked.
    extensions["predictor"].when_stuck = lambda: os.kill(os.getpid(), signal.SIGTERM)
    extensions["readiness"].begin()


def worker_exit(_: Any, worker: Any) -> None:
    """Leave a stuck thread behind: Python would wait for it, and its libraries may."""
    if worker.booted and worker.wsgi.extensions["predictor"].stuck:
        os._exit(1)
