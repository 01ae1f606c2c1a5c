"""An open-loop client that spreads requests at random over the workers of a service.

Latency is counted from the planned moment. Each worker has equally many connections, and each
request goes to a worker at random, as routers do it with instances.
"""

from __future__ import annotations

import os
import random
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from workbench.plan.load import Response, response_status

# A worker refuses more than MAX_IN_FLIGHT (48) requests, so it has to be sent more.
CONNECTIONS_PER_WORKER = 56
CONNECT_SECONDS = 10
CHUNK = 1 << 16
END_SECONDS = 30
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass
class _Worker:
    idle: list[socket.socket] = field(default_factory=list)
    late: deque[tuple[float, bytes]] = field(default_factory=deque)


class Paced:
    """Connections to the workers of a service on this machine, kept open."""

    def __init__(self, port: int, pids: Sequence[int]) -> None:
        self._workers = {pid: _Worker() for pid in pids}
        # The timers of select() have a resolution of microseconds, those of epoll milliseconds.
        self._selector = selectors.SelectSelector()
        self._received: dict[socket.socket, bytes] = {}
        self._busy: dict[socket.socket, tuple[int, float]] = {}
        self._open(port)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._received:
            connection.close()
        self._selector.close()

    def run(
        self, requests: Sequence[bytes], planned: Sequence[float], rng: random.Random
    ) -> list[Response]:
        """Send a request at each planned moment (in seconds from now); return all responses."""
        source, ahead, pids = cycle(requests), deque(planned), list(self._workers)
        responses: list[Response] = []
        start = time.perf_counter()
        end = planned[-1] + END_SECONDS
        while (now := time.perf_counter() - start) < end and (ahead or self._busy):
            while ahead and ahead[0] <= now:
                self._send(rng.choice(pids), ahead.popleft(), next(source), rng)
            pause = ahead[0] - now if ahead else 1.0
            for moment, status in self._receive(max(pause, 0)):
                responses.append(Response(time.perf_counter() - start - moment, status))
        return responses

    def _open(self, port: int) -> None:
        """Connect to one worker after the other, while the others are stopped."""
        for pid, worker in self._workers.items():
            with _stopped(self._workers.keys() - {pid}):
                worker.idle = [self._connect(port, pid) for _ in range(CONNECTIONS_PER_WORKER)]

    def _connect(self, port: int, pid: int) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", port), CONNECT_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(HEALTH)  # the worker has accepted it when it answers
        connection.recv(CHUNK)
        self._received[connection] = b""
        self._selector.register(connection, selectors.EVENT_READ, pid)
        return connection

    def _send(self, pid: int, moment: float, request: bytes, rng: random.Random) -> None:
        worker = self._workers[pid]
        if not worker.idle:
            worker.late.append((moment, request))
            return
        connection = worker.idle.pop(rng.randrange(len(worker.idle)))
        self._busy[connection] = pid, moment
        connection.sendall(request)

    def _receive(self, timeout: float) -> Iterator[tuple[float, int]]:
        for key, _ in self._selector.select(timeout):
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            if not (data := connection.recv(CHUNK)):
                raise RuntimeError("the service closed a connection")
            self._received[connection] += data
            if (status := response_status(self._received[connection])) is None:
                continue
            self._received[connection] = b""
            pid, moment = self._busy.pop(connection)
            worker = self._workers[pid]
            worker.idle.append(connection)
            yield moment, status
            if worker.late:
                late, request = worker.late.popleft()
                worker.idle.remove(connection)
                self._busy[connection] = pid, late
                connection.sendall(request)


def paced(port: int, pids: Sequence[int]) -> closing[Paced]:
    """Return the client as a context manager."""
    return closing(Paced(port, pids))


@contextmanager
def _stopped(pids: Iterable[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
        while not all(state == "T" for state in _thread_states(pid)):
            time.sleep(0.001)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _thread_states(pid: int) -> Iterator[str]:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        yield (thread / "stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
