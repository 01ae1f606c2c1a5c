"""gunicorn's worker: one thread serves all connections, a thread pool runs the application.

Requests are read completely and responses are written in the event thread, whose sockets do not
block, so that a slow client never holds a thread of the pool. Requests that the application calls
short are answered in the event thread, too: that is the fast lane. With 32 connections it takes
longer to hand a request to another thread and back than to predict a row.
"""

from __future__ import annotations

import errno
import os
import resource
import select
import selectors
import signal
import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any

from gunicorn.http.wsgi import base_environ
from gunicorn.workers.base import Worker as BaseWorker

from model_service.server.connection import Connection, State, Timeouts
from model_service.server.request import Environ, Limits, Request, RequestParser
from model_service.server.response import Answer, FileWrapper

# A longer request does not take the fast lane: enough for a row of more than a hundred features.
MAX_FAST_BYTES = 8192
# How much is read from a connection before others have their turn.
READ_BYTES = 1 << 14
READ_BODY_BYTES = 1 << 17
# The application pauses while more of its response than this waits for the client.
MAX_UNSENT_BYTES = 1 << 16
# So many connections are accepted before those that have sent something are served.
MAX_ACCEPTED = 16
# The fast lane goes on with the next requests after looking for events and new connections.
MAX_TURN_SECONDS = 0.02
# So many requests that arrived together are shown to the application before it answers them.
MAX_PREPARED = 16
# Of the file descriptors, what connections can have: the body of each can need a file.
CONNECTION_SHARE = 0.5
# An error of accept() that goes away when files are closed, or memory is free.
OUT_OF_FILES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
# How often deadlines are checked and gunicorn's master sees that the worker lives, in seconds.
SWEEP_SECONDS = 1.0
# The same while the worker stops, and how long it keeps idle connections then: a client can be
# about to send a request, and is told to close with the response.
STOPPING_SWEEP_SECONDS = 0.2
STOPPING_IDLE_SECONDS = 2.0
# Without the application's word for it: bodies that are received before it is called.
MAX_BODY_BYTES = 64 << 20


@dataclass(eq=False)
class Client:
    """A connected socket."""

    socket: socket.socket
    connection: Connection
    events: int = 0  # those that the selector watches
    answer: Answer | None = None  # in the thread pool
    is_paused: bool = False  # the answer goes on when the client has received more
    is_shut: bool = False  # nothing more is sent
    passed_count: int = 0  # bytes that the pool has passed on for sending
    sent_count: int = 0


@dataclass(frozen=True)
class Taken:
    """A request that is answered next."""

    request: Request
    is_fast: bool  # in the event thread


# What the pool says of an answer: its client, a part of it, and None if it goes on, False if it
# pauses, True if it is complete.
Message = tuple[Client, bytes, bool | None]


class Worker(BaseWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves HTTP/1.1 with an event thread and a thread pool.

    Methods of the application are used if it has them: `answers_inline(environ, body)` says whether
    a request takes the fast lane, `prepare_inline(environs)` is told which ones are answered next,
    and `max_body_bytes(environ)` says how long a body can be.
    """

    # Signals since the fork, which the master's handlers queue until there are those of the worker.
    early_signals: SimpleQueue[int] = SimpleQueue()

    @classmethod
    def check_config(cls, cfg: Any, _log: Any) -> None:
        """Refuse what this worker does not speak. Raises SystemExit."""
        if cfg.is_ssl or cfg.proxy_protocol != "off":
            raise SystemExit(
                "The worker of model_service speaks neither TLS nor the PROXY protocol. Leave out "
                'certfile, keyfile and proxy_protocol, or set worker_class = "gthread" at the end '
                "of gunicorn.conf.py."
            )

    def init_process(self) -> None:
        """Prepare what the threads share, load the application and run."""
        self._pool = ThreadPoolExecutor(self.cfg.threads)
        self._selector = selectors.DefaultSelector()
        self._clients: dict[Client, None] = {}  # the oldest first
        self._ready: OrderedDict[Client, None] = OrderedDict()  # those with a complete request
        self._messages: deque[Message] = deque()
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_reader, False)
        os.set_blocking(self._wake_writer, False)
        self._is_woken = False
        self._is_accepting = False
        self._next_sweep = 0.0
        super().init_process()

    def init_signals(self) -> None:
        """Set the handlers, and end if the worker was told to before it had some.

        gunicorn loses such a signal: its master would wait for this worker for `graceful_timeout`.
        """
        super().init_signals()
        while not self.early_signals.empty():
            if self.early_signals.get() in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
                self.alive = False

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to stop: SIGTERM."""
        self.alive = False
        self._wake()

    def run(self) -> None:
        """Serve in a thread of its own, until the worker ends."""
        # XGBoost, LightGBM and scikit-learn's gradient boosting hang in the thread that forked,
        # if the model was loaded before the fork.
        errors: list[BaseException] = []
        ended, end = os.pipe()

        def serve() -> None:
            try:
                self._serve()
            except BaseException as error:  # raised again below, for gunicorn
                errors.append(error)
            finally:
                os.close(end)

        threading.Thread(target=serve, name="requests", daemon=True).start()
        # Signals are handled in this thread. They interrupt select(), and would not join(). One
        # that arrives just before it waits for a second.
        while not select.select([ended], [], [], 1.0)[0]:
            pass
        os.close(ended)
        if errors:
            raise errors[0]

    def _serve(self) -> None:
        cfg, wsgi = self.cfg, self.wsgi
        self._keeps_alive = cfg.keepalive > 0
        self._timeouts = Timeouts(idle=cfg.keepalive or Timeouts.idle)
        self._limits = Limits(
            max_line_bytes=cfg.limit_request_line or Limits.max_head_bytes,
            max_header_count=cfg.limit_request_fields,
            max_header_bytes=cfg.limit_request_field_size or Limits.max_head_bytes,
        )
        self._answers_inline: Callable[[Environ, bytes], bool] = getattr(
            wsgi, "answers_inline", lambda _environ, _body: False
        )
        self._prepare_inline: Callable[[Sequence[Environ]], None] = getattr(
            wsgi, "prepare_inline", lambda _environs: None
        )
        self._max_body_bytes: Callable[[Environ], int] = getattr(
            wsgi, "max_body_bytes", lambda _environ: MAX_BODY_BYTES
        )
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._max_clients = cfg.worker_connections
        if files != resource.RLIM_INFINITY:
            self._max_clients = min(self._max_clients, int(files * CONNECTION_SHARE))
        self._environ = {
            **base_environ(cfg),
            "wsgi.multithread": True,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.url_scheme": "http",  # the application reads X-Forwarded-Proto
            "SCRIPT_NAME": os.environ.get("SCRIPT_NAME", ""),
        }
        self._selector.register(self._wake_reader, selectors.EVENT_READ, self._take_messages)
        self._accept_connections(True)
        while self.alive:
            self._turn(SWEEP_SECONDS)
        self._accept_connections(False)
        stop_at = time.monotonic() + cfg.graceful_timeout
        idle_until = time.monotonic() + STOPPING_IDLE_SECONDS
        while self._clients and time.monotonic() < stop_at:
            for client in self._clients:
                client.connection.limit_idle(idle_until)
            self._turn(STOPPING_SWEEP_SECONDS)
        for client in list(self._clients):
            self._close(client)
        self._pool.shutdown(wait=False)
        self._selector.close()
        for listener in self.sockets:
            listener.close()

    def _turn(self, timeout: float) -> None:
        """Wait for events, and serve each connection that has one."""
        for key, events in self._selector.select(0 if self._ready else timeout):
            if isinstance(key.data, Client):
                self._attend(key.data, events)
            else:
                key.data()
        now = time.monotonic()
        stop_at, left = now + MAX_TURN_SECONDS, len(self._ready)
        while left > 0 and now <= stop_at:
            self._answer_some(min(left, MAX_PREPARED))
            left -= MAX_PREPARED
            now = time.monotonic()
        if now >= self._next_sweep:
            self._next_sweep = now + timeout
            self._sweep(now)

    def _sweep(self, now: float) -> None:
        self.notify()
        if self.ppid != os.getppid():
            self.log.info("Parent changed, shutting down: %s", self)
            self.alive = False
        for client in list(self._clients):
            if client.connection.deadline <= now:
                client.connection.expire(now)
                self._attend(client, 0)
        self._accept_connections(self.alive)

    def _accept_connections(self, accept: bool) -> None:
        if accept == self._is_accepting:
            return
        for listener in self.sockets:
            if accept:
                listener.setblocking(False)
                self._selector.register(
                    listener, selectors.EVENT_READ, partial(self._accept, listener)
                )
            else:
                self._selector.unregister(listener)
        self._is_accepting = accept

    def _accept(self, listener: Any) -> None:
        """Accept some of the waiting connections."""
        for _ in range(MAX_ACCEPTED):
            # Without a place or a file, the sweep tries again.
            if len(self._clients) >= self._max_clients and not self._close_oldest():
                self._accept_connections(False)
                return
            try:
                accepted, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self.log.warning("A connection cannot be accepted: %s", error.strerror)
                if error.errno not in OUT_OF_FILES or not self._close_oldest():
                    self._accept_connections(False)
                return
            try:
                self._add(accepted, address, listener.getsockname())
            except OSError:
                accepted.close()

    def _add(self, accepted: socket.socket, address: Any, server: Any) -> None:
        accepted.setblocking(False)
        environ = {**self._environ}
        if isinstance(server, tuple):
            environ["SERVER_NAME"], environ["SERVER_PORT"] = server[0], str(server[1])
            environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = address[0], str(address[1])
            with suppress(OSError):
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:  # a Unix socket
            environ.update(SERVER_NAME="localhost", SERVER_PORT="", REMOTE_ADDR="")
        parser = RequestParser(environ, self._max_body_bytes, self._limits)
        client = Client(accepted, Connection(parser, self._timeouts, time.monotonic()))
        self._watch(client, selectors.EVENT_READ)
        self._clients[client] = None

    def _close_oldest(self) -> bool:
        """Close the connection that has waited longest for its client; return whether one did."""
        waiting = [client for client in self._clients if client.connection.waits_for_client]
        if not waiting:
            return False
        self._close(min(waiting, key=_dispensability))
        return True

    def _answer_some(self, count: int) -> None:
        """Take requests of the first connections that have one, and answer or pass them on."""
        clients = [self._ready.popitem(last=False)[0] for _ in range(count)]
        taken = [(client, self._take(client)) for client in clients]
        environs = [t.request.environ for _, t in taken if t is not None and t.is_fast]
        try:
            self._prepare_inline(environs)
        except Exception:
            self.log.exception("Error before requests of the fast lane")
        for client, request in taken:
            self._attend(client, 0, request)

    def _take(self, client: Client) -> Taken | None:
        """Take the next request of a connection; None if it has none. Never raises."""
        try:
            request = client.connection.take(time.monotonic())
            return None if request is None else Taken(request, self._is_fast(request))
        except Exception:
            self.log.exception("Error on a connection")
            client.connection.close()
            return None

    def _attend(self, client: Client, events: int, taken: Taken | None = None) -> None:
        """Do for a connection what can be done without waiting. Never raises."""
        connection = client.connection
        try:
            now = time.monotonic()
            if events & selectors.EVENT_READ:
                if connection.waits_for_input:
                    max_bytes = READ_BODY_BYTES if connection.state is State.BODY else READ_BYTES
                    connection.receive(client.socket.recv(max_bytes), now)
                elif client.events & selectors.EVENT_READ:  # not until the response is sent
                    self._watch(client, client.events & ~selectors.EVENT_READ)
            if taken is not None:
                self._answer(client, taken, now)
            if connection.output:
                self._send(client, now)
        except BlockingIOError:
            pass
        except OSError:
            connection.close()
        except Exception:
            self.log.exception("Error on a connection")
            connection.close()
        self._follow_up(client)

    def _send(self, client: Client, now: float) -> None:
        """Send what the client receives now. Raises OSError."""
        byte_count = client.socket.send(client.connection.output)
        client.sent_count += byte_count
        client.connection.sent(byte_count, now)

    def _follow_up(self, client: Client) -> None:
        """Watch for the events that the state of a connection asks for."""
        connection = client.connection
        state = connection.state
        if state is State.CLOSED:
            self._close(client)
            return
        if state is State.LINGERING and not client.is_shut:
            client.is_shut = True
            if connection.refusal is not None:
                self.log.warning("Invalid request: %s", connection.refusal)
            with suppress(OSError):
                client.socket.shutdown(socket.SHUT_WR)
        elif state is State.READY:
            self._ready[client] = None
        if client.is_paused and len(connection.output) < MAX_UNSENT_BYTES // 4:
            client.is_paused = False
            self._pool.submit(self._run_answer, client)
        # A request that arrives before the response has been sent is rare: until it does, the
        # selector keeps watching for it.
        events = client.events & selectors.EVENT_READ
        if connection.waits_for_input:
            events = selectors.EVENT_READ
        if connection.output:
            events |= selectors.EVENT_WRITE
        if events != client.events:
            self._watch(client, events)

    def _watch(self, client: Client, events: int) -> None:
        if not client.events:
            self._selector.register(client.socket, events, client)
        elif events:
            self._selector.modify(client.socket, events, client)
        else:
            self._selector.unregister(client.socket)
        client.events = events

    def _close(self, client: Client) -> None:
        if client not in self._clients:
            return
        del self._clients[client]
        self._ready.pop(client, None)
        client.connection.close()
        if client.events:
            self._watch(client, 0)
        client.socket.close()
        if client.is_paused and client.answer is not None:
            client.is_paused = False
            self._pool.submit(client.answer.close)

    def _answer(self, client: Client, taken: Taken, now: float) -> None:
        """Answer a request in the fast lane, or hand it to the thread pool."""
        request = taken.request
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
        keep_alive = request.keep_alive and self.alive and self._keeps_alive
        answer = Answer(self.wsgi, request, keep_alive, self._log_error)
        if not taken.is_fast:
            client.answer = answer
            client.passed_count = client.sent_count = 0
            self._pool.submit(self._run_answer, client)
            return
        if now >= self._next_sweep:
            self.notify()
        parts: list[bytes] = []

        def collect(part: bytes) -> bool:
            parts.append(part)
            return True

        answer.run(collect)
        client.connection.send(b"".join(parts), now)
        client.connection.finish(answer.keep_alive, now)

    def _is_fast(self, request: Request) -> bool:
        if request.byte_count > MAX_FAST_BYTES or request.is_cut:
            return False
        body = request.body.read()
        request.body.seek(0)
        return self._answers_inline(request.environ, body)

    def _run_answer(self, client: Client) -> None:
        """Run the application for a request, or let it go on. Runs in the thread pool."""
        answer = client.answer
        assert answer is not None

        def pass_on(part: bytes) -> bool:
            client.passed_count += len(part)
            self._tell(client, part, None)
            unsent = client.passed_count - client.sent_count
            return unsent < MAX_UNSENT_BYTES and client in self._clients

        self._tell(client, b"", answer.run(pass_on))

    def _tell(self, client: Client, part: bytes, is_complete: bool | None) -> None:
        self._messages.append((client, part, is_complete))
        self._wake()

    def _wake(self) -> None:
        if not self._is_woken:
            self._is_woken = True
            with suppress(OSError):
                os.write(self._wake_writer, b"\0")

    def _take_messages(self) -> None:
        """Take from the thread pool what it has for the clients."""
        with suppress(OSError):
            os.read(self._wake_reader, 1024)
        self._is_woken = False  # before the messages: one that comes now wakes again
        now = time.monotonic()
        for _ in range(len(self._messages)):
            client, part, is_complete = self._messages.popleft()
            connection, answer = client.connection, client.answer
            assert answer is not None
            if client not in self._clients:  # it is gone
                if is_complete is False:
                    self._pool.submit(answer.close)
                continue
            if part:
                connection.send(part, now)
            if is_complete:
                connection.finish(answer.keep_alive, now)
            client.is_paused |= is_complete is False
            self._attend(client, 0)

    def _log_error(self, request: Request) -> None:
        """Log what the application raised."""
        environ = request.environ
        self.log.exception(
            "Error handling request %s %s", environ["REQUEST_METHOD"], environ["RAW_URI"]
        )


def _dispensability(client: Client) -> tuple[int, float]:
    return client.connection.state.value, client.connection.since
