"""gunicorn's threaded worker with a fast lane for short requests.

gunicorn's "gthread" accepts connections in one thread and hands each request to a thread pool and
back. With 32 connections this takes longer than to predict a row, because the threads compete for
the interpreter. In the fast lane a short request that has arrived completely is answered in the
accepting thread. That thread never waits for a client: its sockets do not block, and what a client
does not receive immediately is sent by the thread pool.
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

# Head and body of a request in the fast lane: enough for a row of more than a hundred features.
MAX_FAST_BYTES = 8192
# A signal that arrives just before select() waits so long at most.
SIGNAL_WAIT_SECONDS = 1.0
# So many connections are accepted before those that have sent something are served.
MAX_ACCEPTED = 4
# The requests of the fast lane: the health check, and one row as JSON.
_HEALTH, _PREDICT = b"GET /health HTTP/1.1\r\n", b"POST /predict HTTP/1.1\r\n"
_JSON = re.compile(rb"\r\ncontent-type: *application/json", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,4})(?=\r\n|$)", re.IGNORECASE)
# Headers that say how the body is sent.
_BODY_HEADERS = re.compile(rb"\r\n(?:content-length|transfer-encoding|expect)", re.IGNORECASE)

Lane = Literal["fast", "incomplete", "pool"]


def lane_of(received: bytes, predicts_inline: bool) -> Lane:
    """Return the lane of a request by what has been received of it.

    "fast" is a complete request for the fast lane, "incomplete" the beginning of one, and "pool"
    any other request.
    """
    head, head_end, body = received.partition(b"\r\n\r\n")
    start = _PREDICT if predicts_inline and received.startswith(_PREDICT[:1]) else _HEALTH
    if not received.startswith(start):
        return "incomplete" if start.startswith(received) else "pool"
    if not head_end:
        return "incomplete" if len(received) < MAX_FAST_BYTES else "pool"
    body_header_count = len(_BODY_HEADERS.findall(head))
    if start is _HEALTH:
        return "fast" if body_header_count == 0 and not body else "pool"
    length = _LENGTH.search(head)
    if length is None or body_header_count != 1 or _JSON.search(head) is None:
        return "pool"
    if b"[" in body:  # several rows can take long
        return "pool"
    missing = int(length[1]) - len(body)
    if missing > 0 and len(received) + missing <= MAX_FAST_BYTES:
        return "incomplete"
    return "fast" if missing == 0 else "pool"


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's threaded worker with a fast lane.

    `predicts_inline` of the application says whether rows are predicted in the fast lane.
    """

    def run(self) -> None:
        """Accept requests in a thread of its own, until the worker ends."""
        # XGBoost, LightGBM and scikit-learn's gradient boosting hang in the thread that forked,
        # if the model was loaded before the fork.
        errors: list[BaseException] = []
        ended, end = os.pipe()

        def accept_requests() -> None:
            try:
                super(Worker, self).run()
            except BaseException as error:  # raised again below, for gunicorn
                errors.append(error)
            finally:
                os.close(end)

        threading.Thread(target=accept_requests, name="requests", daemon=True).start()
        # Signals are handled in this thread. They interrupt select(), and would not join().
        while not select.select([ended], [], [], SIGNAL_WAIT_SECONDS)[0]:
            pass
        os.close(ended)
        if errors:
            raise errors[0]

    def accept(self, listener: Any) -> None:
        """Accept some of the waiting connections."""
        for _ in range(MAX_ACCEPTED):
            before = self.nr_conns
            super().accept(listener)
            if self.nr_conns == before:
                break

    def enqueue_req(self, conn: TConn) -> None:
        """Serve fast-lane requests inline; hand everything else to the thread pool."""
        pipelined = conn.initialized and conn.parser.unreader.buf.getvalue()
        if pipelined or self.cfg.is_ssl or not self.cfg.keepalive:
            super().enqueue_req(conn)
            return
        try:
            if not conn.initialized:
                conn.init()
                conn.sock.setblocking(False)  # gunicorn does the same with a kept connection
                conn.received = b""
            received = conn.sock.recv(MAX_FAST_BYTES)
        except BlockingIOError:
            self.finish_request(conn, _DONE[True])  # wait as on a kept connection
            return
        except OSError:
            self.finish_request(conn, _DONE[False])
            return
        conn.received += received
        predicts_inline = getattr(self.wsgi, "predicts_inline", False)
        lane = lane_of(conn.received, predicts_inline) if received else "pool"
        if lane == "incomplete" and self.alive:
            self.finish_request(conn, _DONE[True])
            return
        conn.parser.unreader.unread(conn.received)
        conn.received = b""
        if lane == "fast":
            self._serve_inline(conn)
        else:
            super().enqueue_req(conn)

    def handle(self, conn: TConn) -> Any:
        """Answer a request in the thread pool, and close there: closing waits for the client."""
        keep = super().handle(conn)
        if not keep:
            with suppress(OSError):
                conn.close(graceful=True)
        return keep

    def finish_request(self, conn: TConn, done: Future[bool]) -> None:
        """Keep or close a connection without waiting."""
        if done.cancelled() or done.exception() is not None or done.result():
            super().finish_request(conn, done)
            return
        self.nr_conns -= 1
        conn.close()  # nothing of a short request is left unread, which would reset it

    def _serve_inline(self, conn: TConn) -> None:
        self.notify()  # gunicorn does so only before a group of requests
        buffered = conn.sock = _BufferedSocket(conn.sock)
        try:
            keep = super().handle(conn)
        finally:
            conn.sock = buffered.socket
        try:
            unsent = buffered.send()
        except OSError:
            keep, unsent = False, b""
        if not unsent:
            self.finish_request(conn, _DONE[keep])
            return
        sending = self.tpool.submit(_send, conn, unsent, keep)
        sending.add_done_callback(
            lambda done: self.method_queue.defer(self.finish_request, conn, done)
        )


class _BufferedSocket:
    """A non-blocking socket that buffers what is sent."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self._buffer: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.socket, name)

    def setblocking(self, _: bool) -> None:
        """Do nothing: the socket stays non-blocking."""

    def shutdown(self, _: int) -> None:
        """Raise OSError: after a failure gunicorn would then wait for the client."""
        raise OSError("nothing was sent")

    def sendall(self, data: bytes) -> None:
        """Buffer the data, so that the response is sent as one packet."""
        self._buffer.append(data)

    def send(self) -> bytes:
        """Send the buffer; return what the client does not receive now. Raises OSError."""
        data = b"".join(self._buffer)
        try:
            return data[self.socket.send(data) :]
        except BlockingIOError:
            return data


def _send(conn: TConn, data: bytes, keep: bool) -> bool:
    conn.sock.setblocking(True)
    conn.sock.sendall(data)
    return keep


def _done(keep: bool) -> Future[bool]:
    done: Future[bool] = Future()
    done.set_result(keep)
    return done


# gunicorn's result of a request: whether the connection is kept.
_DONE = {keep: _done(keep) for keep in (True, False)}
