"""Serve a rendered project with granian instead of gunicorn; run it in the project's folder.

granian's own command loads the model once in each worker, and has no hooks to call what a server
must call (ModelService.before_fork and start_worker).
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

# As in the project's gunicorn.conf.py.
THREADS = 64
STOP_SECONDS = 20
KEEPALIVE_SECONDS = 95
# A worker with a stuck model answers 503 immediately, so its other requests end within this time.
STUCK_SECONDS = 5


def main() -> None:
    """Load the application once, then serve it with forked workers that share its memory."""
    # A wrong model ends the process here, before it binds the port. So does SIGTERM, which has no
    # effect on granian's own workers while they load an application.
    app = load_app()
    # granian loads the application again in workers that are not forked (the default of 3.14).
    multiprocessing.set_start_method("fork")
    Granian(
        "app:app",
        address="::" if socket.has_dualstack_ipv6() else "0.0.0.0",
        port=int(os.environ.get("PORT") or 8000),
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=int(os.environ.get("WEB_CONCURRENCY") or 1),
        blocking_threads=THREADS,
        http1_settings=HTTP1Settings(header_read_timeout=1000 * KEEPALIVE_SECONDS),
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
    ).serve(target_loader=lambda: start_worker(app), wrap_loader=False)


def load_app() -> Any:
    """Return the project's application, prepared for the fork as by gunicorn's hooks."""
    sys.path[0] = str(Path.cwd())  # the project, instead of this folder
    gc.disable()
    app = import_module("app").app
    app.before_fork()
    gc.freeze()
    gc.enable()
    return app


def start_worker(app: Any) -> Any:
    """Start the service in a worker process; return the application."""
    # granian's master process has a handler that only sets a flag, and workers inherit it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    app.start_worker(end_this_worker)
    return app


def end_this_worker() -> None:
    """End this process even if a thread of it is stuck; granian starts another one."""
    timer = threading.Timer(STUCK_SECONDS, os._exit, (1,))
    timer.daemon = True
    timer.start()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
