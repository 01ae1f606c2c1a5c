"""Run the service around an adopted model, as the dyno does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from browser.models import Adopted
from conftest import SRC, TEMPLATE, environment

BOOT_SECONDS = 60


@dataclass(frozen=True)
class Served:
    """A running service and its model."""

    url: str
    model: Adopted
    process: subprocess.Popen[bytes]
    log: Path


def start(model: Adopted, **variables: str) -> Served:
    """Run gunicorn in the template folder, with the model of a project; return when it is ready."""
    port = free_port()
    log = model.project / f"gunicorn-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py"],
            cwd=TEMPLATE,
            env=environment(
                PYTHONPATH=str(SRC),
                MODEL_DIR=str(model.project / "model"),
                PORT=str(port),
                **variables,
            ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    served = Served(f"http://127.0.0.1:{port}", model, process, log)
    try:
        wait_until_ready(served)
    except AssertionError:
        stop(served)
        raise
    return served


def stop(served: Served) -> None:
    """Kill a service: SIGTERM, which test_verify.py tests, would take a second."""
    os.killpg(served.process.pid, signal.SIGKILL)
    served.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(served: Served) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline and served.process.poll() is None:
        try:
            urllib.request.urlopen(f"{served.url}/ready", timeout=5).close()
            return
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(error.read().decode()) from None
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise AssertionError(f"{served.model.name} is not served:\n{served.log.read_text()}")
