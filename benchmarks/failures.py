"""What clients observe when a server gets SIGTERM, loses a worker or has slow clients."""

from __future__ import annotations

import http.client
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.servers import Running

# Heroku sends SIGKILL 30 s after SIGTERM.
EXIT_SECONDS = 30
# The clients while a server ends, and their timeout.
CLIENTS, ANSWER_SECONDS = 16, 10
PAUSE = 0.005
HALF_OPEN = 40
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

# How a request ended. LOST: sent before the signal, without an answer. LATE: sent after it, without
# an answer, on a connection that the kernel accepted or kept open and the server never read.
ANSWERED, LOST, LATE, REFUSED, UNSENT = "answered", "lost", "late", "refused", "unsent"


@dataclass
class Clients:
    """Threads that send one request after the other, on one kept connection each or on new ones."""

    port: int
    body: bytes
    keep_alive: bool
    outcomes: Counter[str] = field(default_factory=Counter)
    stopped: threading.Event = field(default_factory=threading.Event)
    signal_time: float = float("inf")  # on the monotonic clock

    def run(self) -> None:
        """Send requests until `stopped` is set."""
        connection: http.client.HTTPConnection | None = None
        while not self.stopped.is_set():
            if connection is None or self._is_closed(connection):
                connection = http.client.HTTPConnection(
                    "127.0.0.1", self.port, timeout=ANSWER_SECONDS
                )
                try:
                    connection.connect()
                except OSError:
                    self.outcomes[REFUSED] += 1
                    connection = None
                    time.sleep(PAUSE)
                    continue
            outcome, is_open = self._send(connection)
            self.outcomes[outcome] += 1
            if not (is_open and self.keep_alive):
                connection.close()
                connection = None

    def _send(self, connection: http.client.HTTPConnection) -> tuple[str, bool]:
        """Send a request; return how it ended and whether the connection can be used again."""
        try:
            connection.request("POST", "/predict", self.body, {"Content-Type": "application/json"})
        except OSError:
            return UNSENT, False
        sent_time = time.monotonic()
        try:
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            return (LOST if sent_time < self.signal_time else LATE), False
        return (ANSWERED if response.status == http.HTTPStatus.OK else str(response.status)), (
            not response.will_close
        )

    def _is_closed(self, connection: http.client.HTTPConnection) -> bool:
        """Return whether the server closed a kept connection: HTTP clients check this first."""
        if connection.sock is None:
            return True
        readable, _, _ = select.select([connection.sock], [], [], 0)
        return bool(readable)


@contextmanager
def clients_running(server: Running, body: bytes, *, keep_alive: bool) -> Iterator[Clients]:
    """Run clients until the block ends."""
    clients = Clients(server.port, body, keep_alive)
    threads = [threading.Thread(target=clients.run, daemon=True) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield clients
    finally:
        clients.stopped.set()
        for thread in threads:
            thread.join()


def seconds_to_exit(server: Running, clients: Clients | None = None) -> float | None:
    """Send SIGTERM to all processes, as Heroku does; return the seconds until all have ended.

    Return None if one of them does not end within EXIT_SECONDS.
    """
    start = time.monotonic()
    if clients:
        clients.signal_time = start
    os.killpg(server.process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        server.process.wait(EXIT_SECONDS)
    while is_alive(server.process.pid):  # a worker can end after the master process
        if time.monotonic() - start > EXIT_SECONDS:
            return None
        time.sleep(PAUSE)
    return time.monotonic() - start


def is_alive(group: int) -> bool:
    """Return whether a process group has a process that has not ended."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def workers(server: Running) -> list[int]:
    """Return the ids of the server's running child processes."""
    pid = server.process.pid
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for task in listed for child in task.read_text("ascii").split()]
    return sorted(child for child in children if not _is_zombie(child))


def _is_zombie(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii")
    except OSError:
        return True
    return text.rpartition(")")[2].split()[0] == "Z"


def seconds_without_service(server: Running, timeout: float) -> float | None:
    """Kill the only worker; return the seconds until /health answers, or None on a timeout."""
    (worker,) = workers(server)
    start = time.monotonic()
    os.kill(worker, signal.SIGKILL)
    while (elapsed := time.monotonic() - start) < timeout:
        if health_seconds(server.port, timeout - elapsed) is not None:
            return time.monotonic() - start
        time.sleep(PAUSE)
    return None


def health_seconds(port: int, timeout: float) -> float | None:
    """Return the seconds that /health takes, or None on a timeout."""
    start = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", "/health")
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return time.monotonic() - start if response.status == http.HTTPStatus.OK else None


@contextmanager
def half_open_connections(port: int) -> Iterator[None]:
    """Keep HALF_OPEN connections open that send nothing or a part of a request."""
    connections = []
    try:
        for data in (b"", b"POST /pre", HEAD, HEAD + b"Content-Length: 9\r\n\r\n{") * (
            HALF_OPEN // 4
        ):
            connection = socket.create_connection(("127.0.0.1", port))
            connections.append(connection)
            connection.sendall(data)
        time.sleep(0.2)  # until the server has accepted them all
        yield
    finally:
        for connection in connections:
            connection.close()
