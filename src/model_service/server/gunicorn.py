"""Settings and hooks of gunicorn, apart from the numbers that the owner decides.

The project's gunicorn.conf.py ends in `from model_service.server.gunicorn import *`. What each
setting means: https://gunicorn.org/reference/settings/
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import tempfile
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from gunicorn.glogging import Logger

from model_service.errors import StartError

__all__ = [
    "control_socket_disable",
    "forwarded_allow_ips",
    "forwarder_headers",
    "logger_class",
    "on_reload",
    "post_fork",
    "post_worker_init",
    "preload_app",
    "when_ready",
    "worker_class",
    "worker_exit",
    "worker_tmp_dir",
    "wsgi_app",
]

# As gunicorn itself ends when a worker cannot boot.
START_ERROR_STATUS = 3
# One request needs one core, and several workers share two.
THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# Open files of a process: each connection is one. Systems often begin with a limit of 1024.
MAX_FILES = 65_536

wsgi_app = "model_service.server.gunicorn:load_app()"

# Threads, and a fast lane for short requests. A sync worker would not do: XGBoost and LightGBM hang
# in it if the model was loaded before the fork, and two half-open connections are enough to stop
# two sync workers. Without a wheel of httptools, gunicorn's own threaded worker serves.
worker_class = "model_service.server.worker.Worker" if find_spec("httptools") else "gthread"

# The model is loaded once, and the workers share its memory. A wrong model file or library version
# ends the process before it binds the port.
preload_app = True

# gunicorn believes no header about the address and the scheme of a caller: that is left to the
# application, which knows how many proxies there are (TRUSTED_PROXIES). Nor may a header set
# SCRIPT_NAME or PATH_INFO, as gunicorn's default allows: a proxy would log another path.
forwarded_allow_ips = ""
forwarder_headers = ""

# gunicorn 25.1 and later open a control socket in the home directory otherwise.
control_socket_disable = True


def _heartbeat_folder() -> str | None:
    """Return a folder for the files whose times show gunicorn that its workers live.

    gunicorn's own default fails if the disk is full or read-only, because it asks `tempfile`.
    """
    for folder in ("/dev/shm", os.environ.get("TMPDIR") or "/tmp", "/tmp"):
        with suppress(OSError), tempfile.TemporaryFile(dir=folder):
            return folder
    return None


worker_tmp_dir = _heartbeat_folder()


class Log(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's log without its access log: the application writes one line for each request.

    Heroku sets GUNICORN_CMD_ARGS="--access-logfile -", which outranks gunicorn.conf.py.
    """

    def access(self, *_: Any) -> None:
        """Write nothing."""

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log only why a request is invalid, without the caller's address and text."""
        if msg.startswith("Invalid request from"):
            msg = f"Invalid request: {getattr(sys.exc_info()[0], '__name__', 'unknown')}"
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log an exception without the query of the request's address."""
        super().exception(msg, *(str(arg).partition("?")[0] for arg in args), **kwargs)


logger_class = Log


def load_app() -> Any:
    """Return `app` of the project's app.py; print a StartError in one line and exit with status 3.

    Garbage collection is off until `when_ready`: what is loaded stays, and to look for garbage in
    it takes a twentieth of the start.
    """
    for name in THREAD_COUNTS:  # before NumPy is imported
        os.environ.setdefault(name, "1")
    gc.disable()
    try:
        return import_module("app").app
    except StartError as error:
        print(error, file=sys.stderr)
        raise SystemExit(START_ERROR_STATUS) from None


def when_ready(server: Any) -> None:
    """Prepare the master process for the fork.

    What is loaded stays shared memory: a garbage collection in a worker would write to the pages
    that it visits. Two workers of the loan example hold 190 MB instead of 252 after a hundred
    predictions. https://docs.python.org/3/library/gc.html#gc.freeze
    """
    _raise_file_limit()
    if server.cfg.preload_app:
        server.app.wsgi().before_fork()
    gc.freeze()
    gc.enable()


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < limit:
        with suppress(OSError, ValueError):  # macOS has a lower limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


on_reload = when_ready  # SIGHUP forks new workers


def post_fork(server: Any, worker: Any) -> None:
    """Hand a worker the signals that come before it has handlers of its own."""
    worker.early_signals = server.SIG_QUEUE


def post_worker_init(worker: Any) -> None:
    """Start the service in a worker: check the golden predictions, watch for a stuck model."""
    gc.enable()  # without preload_app the worker has loaded the application itself

    # `timeout` watches the thread that accepts connections. A worker whose model is stuck in
    # another thread has to end itself, as if it were told to; gunicorn then forks another.
    def end_this_worker() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    worker.wsgi.start_worker(end_this_worker)


def worker_exit(server: Any, worker: Any) -> None:
    """End a worker whose model is stuck, without waiting for its threads as Python would."""
    if worker.booted and worker.wsgi.service.predictor.queue.is_stuck:
        os._exit(1)
