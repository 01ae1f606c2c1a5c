"""What callers see of a server that is told to end, or one of whose workers is killed."""

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

# Heroku kills what is there 30 s after SIGTERM.
EXIT_SECONDS = 30
# Callers under which a server ends; what they wait for an answer.
CALLERS, ANSWER_SECONDS = 16, 10
PAUSE = 0.005
HALF_OPEN = 40
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

# What became of a request: LOST had been sent before the signal. LATE was sent after it, over a
# connection that the system took, or kept, for a server that never read it.
WHOLE, LOST, LATE, REFUSED, UNSENT = "whole", "lost", "late", "refused", "unsent"


@dataclass
class Callers:
    """Threads that ask one request after the other, each on a kept connection or on new ones."""

    port: int
    body: bytes
    kept: bool
    seen: Counter[str] = field(default_factory=Counter)
    enough: threading.Event = field(default_factory=threading.Event)
    signalled: float = float("inf")  # when, on the monotonic clock

    def ask(self) -> None:
        """Ask until it is enough, or until nothing listens."""
        connection: http.client.HTTPConnection | None = None
        while not self.enough.is_set():
            if connection is None or self._dropped(connection):
                connection = http.client.HTTPConnection(
                    "127.0.0.1", self.port, timeout=ANSWER_SECONDS
                )
                try:
                    connection.connect()
                except OSError:
                    self.seen[REFUSED] += 1
                    connection = None
                    time.sleep(PAUSE)
                    continue
            outcome, open_ = self._asked(connection)
            self.seen[outcome] += 1
            if not (open_ and self.kept):
                connection.close()
                connection = None

    def _asked(self, connection: http.client.HTTPConnection) -> tuple[str, bool]:
        """Send a request; return what became of it, and whether the connection is still good."""
        try:
            connection.request("POST", "/predict", self.body, {"Content-Type": "application/json"})
        except OSError:
            return UNSENT, False
        sent = time.monotonic()
        try:
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            return (LOST if sent < self.signalled else LATE), False
        return (WHOLE if response.status == http.HTTPStatus.OK else str(response.status)), (
            not response.will_close
        )

    def _dropped(self, connection: http.client.HTTPConnection) -> bool:
        """Tell whether the server closed a kept connection, as clients look before they ask."""
        if connection.sock is None:
            return True
        readable, _, _ = select.select([connection.sock], [], [], 0)
        return bool(readable)


@contextmanager
def calling(server: Running, body: bytes, *, kept: bool) -> Iterator[Callers]:
    """Let callers ask, until the block has ended."""
    callers = Callers(server.port, body, kept)
    threads = [threading.Thread(target=callers.ask, daemon=True) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield callers
    finally:
        callers.enough.set()
        for thread in threads:
            thread.join()


def seconds_to_exit(server: Running, callers: Callers | None = None) -> float | None:
    """Send SIGTERM to all processes, as Heroku does; return the seconds, None if one stays."""
    began = time.monotonic()
    if callers:
        callers.signalled = began
    os.killpg(server.process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        server.process.wait(EXIT_SECONDS)
    while alive(server.process.pid):  # a worker may end after the one that forked it
        if time.monotonic() - began > EXIT_SECONDS:
            return None
        time.sleep(PAUSE)
    return time.monotonic() - began


def alive(group: int) -> bool:
    """Tell whether a process of a group has not ended."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def workers(server: Running) -> list[int]:
    """Return the processes that the server forked and that have not ended."""
    pid = server.process.pid
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for task in listed for child in task.read_text("ascii").split()]
    return sorted(child for child in children if not _zombie(child))


def _zombie(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii")
    except OSError:
        return True
    return text.rpartition(")")[2].split()[0] == "Z"


def seconds_without_service(server: Running, most: float) -> float | None:
    """Kill the only worker; return the seconds until /health answers, None if it does not."""
    (only,) = workers(server)
    began = time.monotonic()
    os.kill(only, signal.SIGKILL)
    while (spent := time.monotonic() - began) < most:
        if health(server.port, most - spent) is not None:
            return time.monotonic() - began
        time.sleep(PAUSE)
    return None


def health(port: int, most: float) -> float | None:
    """Return the seconds that /health takes, None where it does not answer in time."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=most)
    try:
        connection.request("GET", "/health")
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return time.monotonic() - began if response.status == http.HTTPStatus.OK else None


@contextmanager
def half_open(port: int) -> Iterator[None]:
    """Hold connections on which nothing comes, or half a request."""
    opened = []
    try:
        for sent in (b"", b"POST /pre", HEAD, HEAD + b"Content-Length: 9\r\n\r\n{") * (
            HALF_OPEN // 4
        ):
            connection = socket.create_connection(("127.0.0.1", port))
            opened.append(connection)
            connection.sendall(sent)
        time.sleep(0.2)  # until the server has them all
        yield
    finally:
        for connection in opened:
            connection.close()
