"""The gunicorn worker: an answer at once to what is short, and threads for the rest.

gunicorn's threaded worker waits for requests in one thread and hands each to another and back. With
32 connections that takes more time than to predict: the threads take turns at the interpreter. So a
short request that came whole is answered in the thread that waits. It never waits for a caller: its
sockets do not block, and what a caller does not take at once is left to the threads.
"""

from __future__ import annotations

import os
import re
import select
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Literal

from gunicorn.workers.gthread import TConn, ThreadWorker

# Of a request, head and body: a row of a hundred features and more.
LONGEST = 8192
# How long a signal may wait that comes just before select.
WAIT_SECONDS = 1.0
# How many connections are taken before those that have sent something have their turn.
ACCEPTED = 4
# What is answered at once: this, and a row as JSON.
_HEALTH, _PREDICT = b"GET /health HTTP/1.1\r\n", b"POST /predict HTTP/1.1\r\n"
_JSON = re.compile(rb"\r\ncontent-type: *application/json", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,4})(?=\r\n|$)", re.IGNORECASE)
# What says how a body comes.
_FRAMES = re.compile(rb"\r\n(?:content-length|transfer-encoding|expect)", re.IGNORECASE)

Arrival = Literal["whole", "begun", "other"]


def arrival(received: bytes, predicts: bool) -> Arrival:
    """Tell how much came of a request that is answered at once, or that it is another."""
    head, ended, body = received.partition(b"\r\n\r\n")
    start = _PREDICT if predicts and received.startswith(_PREDICT[:1]) else _HEALTH
    if not received.startswith(start):
        return "begun" if start.startswith(received) else "other"
    if not ended:
        return "begun" if len(received) < LONGEST else "other"
    frames = len(_FRAMES.findall(head))
    if start is _HEALTH:
        return "whole" if frames == 0 and not body else "other"
    length = _LENGTH.search(head)
    if length is None or frames != 1 or _JSON.search(head) is None:
        return "other"
    if b"[" in body:  # several rows, which may take long
        return "other"
    missing = int(length[1]) - len(body)
    if missing > 0 and len(received) + missing <= LONGEST:
        return "begun"
    return "whole" if missing == 0 else "other"


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's threaded worker, with an answer at once to what is short."""

    def run(self) -> None:
        """Wait for requests in a thread of its own, until the worker ends."""
        # In the thread that forked, XGBoost, LightGBM and scikit-learn's gradient boosting hang
        # where the model was loaded before.
        raised: list[BaseException] = []
        ended, end = os.pipe()

        def wait() -> None:
            try:
                super(Worker, self).run()
            except BaseException as error:  # raised again below, for gunicorn
                raised.append(error)
            finally:
                os.close(end)

        threading.Thread(target=wait, name="requests", daemon=True).start()
        # Signals are handled in this thread. They wake it from select; join() would go on waiting.
        while not select.select([ended], [], [], WAIT_SECONDS)[0]:
            pass
        os.close(ended)
        if raised:
            raise raised[0]

    def accept(self, listener: Any) -> None:
        """Take some of the connections that wait."""
        for _ in range(ACCEPTED):
            before = self.nr_conns
            super().accept(listener)
            if self.nr_conns == before:
                break

    def enqueue_req(self, conn: TConn) -> None:
        """Answer what is short, wait for what is to come of it, leave the rest to the threads."""
        ahead = conn.initialized and conn.parser.unreader.buf.getvalue()
        if ahead or self.cfg.is_ssl or not self.cfg.keepalive:
            super().enqueue_req(conn)
            return
        try:
            if not conn.initialized:
                conn.init()
                conn.sock.setblocking(False)  # as it is again whenever gunicorn has kept it
                conn.begun = b""
            received = conn.sock.recv(LONGEST)
        except BlockingIOError:
            self.finish_request(conn, _ANSWERED[True])  # it waits as if it had been kept
            return
        except OSError:
            self.finish_request(conn, _ANSWERED[False])
            return
        conn.begun += received
        predicts = getattr(self.wsgi, "predicts_at_once", False)
        found = arrival(conn.begun, predicts) if received else "other"
        if found == "begun" and self.alive:
            self.finish_request(conn, _ANSWERED[True])
            return
        conn.parser.unreader.unread(conn.begun)
        conn.begun = b""
        if found == "whole":
            self._answer(conn)
        else:
            super().enqueue_req(conn)

    def handle(self, conn: TConn) -> Any:
        """Answer a request in a thread, and close there: that waits until the caller closes."""
        keep = super().handle(conn)
        if not keep:
            with suppress(OSError):
                conn.close(graceful=True)
        return keep

    def finish_request(self, conn: TConn, done: Future[bool]) -> None:
        """Keep a connection or close it, without waiting."""
        if done.cancelled() or done.exception() is not None or done.result():
            super().finish_request(conn, done)
            return
        self.nr_conns -= 1
        conn.close()  # of a short request nothing is left unread that would reset it

    def _answer(self, conn: TConn) -> None:
        self.notify()  # gunicorn does it before those that have come together
        held = conn.sock = _Held(conn.sock)
        try:
            keep = super().handle(conn)
        finally:
            conn.sock = held.socket
        try:
            left = held.send()
        except OSError:
            keep, left = False, b""
        if not left:
            self.finish_request(conn, _ANSWERED[keep])
            return
        rest = self.tpool.submit(_send, conn, left, keep)
        rest.add_done_callback(
            lambda done: self.method_queue.defer(self.finish_request, conn, done)
        )


class _Held:
    """A socket that keeps what is sent, and is left as it is: it does not block."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self._kept: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.socket, name)

    def setblocking(self, _: bool) -> None:
        """Leave it as it is."""

    def shutdown(self, _: int) -> None:
        """Refuse: after a failure gunicorn would wait for the caller then. Raises OSError."""
        raise OSError("nothing was sent")

    def sendall(self, data: bytes) -> None:
        """Keep it until all is there: one packet, and one turn of who reads it."""
        self._kept.append(data)

    def send(self) -> bytes:
        """Send what was kept; return what the other side does not take now. Raises OSError."""
        data = b"".join(self._kept)
        try:
            return data[self.socket.send(data) :]
        except BlockingIOError:
            return data


def _send(conn: TConn, data: bytes, keep: bool) -> bool:
    conn.sock.setblocking(True)
    conn.sock.sendall(data)
    return keep


def _answered(keep: bool) -> Future[bool]:
    done: Future[bool] = Future()
    done.set_result(keep)
    return done


# What gunicorn wants to know of a request that was answered: whether the connection is kept.
_ANSWERED = {keep: _answered(keep) for keep in (True, False)}
