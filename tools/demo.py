"""The demo: render the loan example, verify it, serve it and send it one request.

The service keeps running in the background, so that you can paste the printed curl command;
`python tools/demo.py FOLDER --stop` stops it.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOOT_SECONDS, STOP_SECONDS = 60, 25


def main(folder: Path) -> None:
    project = folder / "loan-approval"
    stop(folder)
    if (project / "model" / "golden.json").exists():
        print(f"{project} exists and is verified; make clean removes it.")
    else:
        render(folder)
        if not (project / "model" / "golden.json").exists():
            sys.exit("The example is not verified; the reason is above.")
    port = free_port()
    server = serve(folder, project, port)
    address = f"http://localhost:{port}"
    wait_until_ready(server, address, folder)
    send_request(project, port, address)
    print(f"The service keeps running in {project} (log: {folder / 'log'}). Stop it: make stop")


def stop(folder: Path) -> None:
    """Stop the service of an earlier demo, if it still runs, and wait until it has ended."""
    pid_file = folder / "pid"
    if not pid_file.exists():
        return
    pid = pid_file.read_text()
    deadline = time.monotonic() + STOP_SECONDS
    while is_service(pid) and time.monotonic() < deadline:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGTERM)
        time.sleep(0.2)
    pid_file.unlink()


def is_service(pid: str) -> bool:
    """Return whether the process is the service, as its id can be used again by now."""
    command = ["ps", "-p", pid, "-o", "args="]
    return "gunicorn" in subprocess.run(command, capture_output=True, text=True, check=False).stdout


def render(folder: Path) -> None:
    """Render the project as a user does."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    command = [sys.executable, "-m", "cookiecutter", str(ROOT), "--no-input"]
    if subprocess.run(command, cwd=folder, check=False).returncode:
        sys.exit(1)


def free_port() -> int:
    """Return PORT if it is set, else 8000, or any free port if 8000 is taken."""
    wanted = os.environ.get("PORT")
    for port in [int(wanted)] if wanted else [8000, 0]:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("0.0.0.0", port))
            return int(probe.getsockname()[1])
    sys.exit(f"PORT={wanted} is in use; choose another one.")


def serve(folder: Path, project: Path, port: int) -> subprocess.Popen[bytes]:
    """Start the service as `make run` does, in a session of its own."""
    command = [".venv/bin/python", "-m", "gunicorn", "--config", "gunicorn.conf.py"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command,
            cwd=project,
            env={**os.environ, "PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (folder / "pid").write_text(str(server.pid))
    return server


def wait_until_ready(server: subprocess.Popen[bytes], address: str, folder: Path) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/ready", timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    stop(folder)
    sys.exit(f"The service is not ready. Its log:\n{(folder / 'log').read_text()}")


def send_request(project: Path, port: int, address: str) -> None:
    """Print a curl command and its answer, which is requested here: curl may not be installed."""
    command = [sys.executable, "manage.py", "curl", f"PORT={port}"]
    line = subprocess.check_output(command, cwd=project, text=True).strip()
    body = shlex.split(line)[-1]
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/predict", body.encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        answer = response.read().decode()
    print(f"\nOpen {address} in a browser, or send a request:\n\n{line}\n{answer}", flush=True)


if __name__ == "__main__":
    if sys.argv[2:] == ["--stop"]:
        stop(Path(sys.argv[1]).resolve())
    else:
        main(Path(sys.argv[1]).resolve())
