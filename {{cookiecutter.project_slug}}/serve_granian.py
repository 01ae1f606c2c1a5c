"""How granian serves, where it is taken instead of gunicorn: README.md, "Another WSGI server".

granian's own command loads the model in each worker, and has no hooks for what is done here.
"""

import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
from typing import Any

# Set before NumPy is imported, as in gunicorn.conf.py.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from flask import Flask
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from model_service.web.app import create_app

# As gunicorn.conf.py has it: be done before the platform kills, 30 s after SIGTERM.
STOP_SECONDS = 20
# A worker whose model is stuck answers 503 at once, and needs no more to end what it has.
STUCK_SECONDS = 5


def main() -> None:
    """Load the model once, and serve it with forked workers, which share its memory."""
    # A wrong model ends the process here, before it binds; so does SIGTERM, which granian's own
    # workers lose while they load an application.
    gc.disable()  # as in gunicorn.conf.py
    app = create_app()
    if "--check-config" in sys.argv:  # as the doctor asks gunicorn
        return
    gc.freeze()
    gc.enable()
    # Python 3.14 would start each worker anew, and granian would load the model in it.
    multiprocessing.set_start_method("fork")
    Granian(
        "service:create_app",
        address="::" if socket.has_dualstack_ipv6() else "0.0.0.0",
        port=int(os.environ.get("PORT") or 8000),
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=int(os.environ.get("WEB_CONCURRENCY") or 1),
        blocking_threads=64,
        # Longer than Heroku's router keeps an idle connection.
        http1_settings=HTTP1Settings(header_read_timeout=95_000),
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
    ).serve(target_loader=lambda: begun(app), wrap_loader=False)


def begun(app: Flask) -> Any:
    """Do in a worker what gunicorn.conf.py does in its hooks, and return the application."""
    # Until granian has its own: the parent's handler, which is inherited, would only set a flag.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    app.extensions["predictor"].when_stuck = leave
    app.extensions["readiness"].begin()
    return app


def leave() -> None:
    """End this worker, with or without its stuck thread; granian starts another one."""
    timer = threading.Timer(STUCK_SECONDS, os._exit, (1,))
    timer.daemon = True
    timer.start()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
