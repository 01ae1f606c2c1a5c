"""Call a WSGI application and frame its response for HTTP/1.1. Does no network I/O."""

from __future__ import annotations

import contextvars
import re
import time
from collections.abc import Callable, Iterable, Iterator
from email.utils import formatdate
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any

from model_service.server.connection import error_response
from model_service.server.request import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_STATUS = re.compile(r"[1-5][0-9]{2}(?: [ \t\x21-\x7e\x80-\xff]*)?")
_CONTROLS = bytes({*range(32), 127} - {9, 10, 13})
# The server decides about these. https://peps.python.org/pep-3333/#other-http-features
_SERVER_HEADERS = {
    *("connection", "date", "keep-alive", "proxy-authenticate", "proxy-authorization", "server"),
    *("te", "trailers", "transfer-encoding", "upgrade"),
}


# What is read from a file before it is sent.
FILE_BLOCK_BYTES = 1 << 16


class FileWrapper:
    """`wsgi.file_wrapper` of PEP 3333: the blocks of a file, in as few turns as is reasonable."""

    def __init__(self, file: IO[bytes], block_bytes: int = FILE_BLOCK_BYTES) -> None:
        self._file, self._block_bytes = file, max(block_bytes, FILE_BLOCK_BYTES)

    def __iter__(self) -> Iterator[bytes]:
        while block := self._file.read(self._block_bytes):
            yield block

    def close(self) -> None:
        """Close the file."""
        if hasattr(self._file, "close"):
            self._file.close()


class Response:
    """The head and the framing of one response, from what the application says of it."""

    def __init__(self, method: str, protocol: str, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.is_begun = False  # the head has been sent
        self._is_head_request, self._protocol = method == "HEAD", protocol
        self._status = ""
        self._headers: list[tuple[str, str]] = []
        self._remaining: int | None = None  # bytes that Content-Length leaves
        self._is_chunked = self._has_no_body = False

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        """Take status and headers, as `start_response` of PEP 3333. Raises ValueError."""
        if exc_info is not None and self.is_begun:
            raise exc_info[1].with_traceback(exc_info[2])
        if exc_info is None and self._status:
            raise AssertionError("start_response was called twice")
        if not _STATUS.fullmatch(status):
            raise ValueError(f"the status is {status!r}")
        self._status, self._headers, self._remaining = status, [], None
        code = int(status[:3])
        without_length = code < 200 or code == 204
        for name, value in headers:
            kind = header_kind(name)
            if kind == "length":
                if without_length:
                    continue
                self._remaining = int(value)
            if kind != "server":
                self._headers.append((name, value))
        self._has_no_body = self._is_head_request or without_length or code == 304
        self._is_chunked = (
            self._remaining is None and not self._has_no_body and self._protocol == "HTTP/1.1"
        )
        if self._remaining is None and not self._has_no_body and not self._is_chunked:
            self.keep_alive = False  # the end of the connection is the end of the body

    def frame(self, piece: bytes) -> bytes:
        """Return what is sent for a piece of the body."""
        if not isinstance(piece, bytes):
            raise TypeError(f"the body has {type(piece).__name__}, not bytes")
        if not piece:
            return b""
        if self._has_no_body:
            return self._head()
        if self._remaining is not None:
            piece = piece[: self._remaining]
            self._remaining -= len(piece)
        elif self._is_chunked:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        return self._head() + piece if not self.is_begun else piece

    def end(self) -> bytes:
        """Return what is sent after the body."""
        if self._remaining and not self._has_no_body:
            self.keep_alive = False  # the body is shorter than its Content-Length
        return self._head() + b"0\r\n\r\n" * self._is_chunked

    def _head(self) -> bytes:
        if self.is_begun:
            return b""
        if not self._status:
            raise AssertionError("start_response was not called")
        lines = [
            f"{self._protocol} {self._status}",
            "Server: gunicorn",
            f"Date: {_date(int(time.time()))}",
            "Connection: keep-alive" if self.keep_alive else "Connection: close",
        ]
        if self._is_chunked:
            lines.append("Transfer-Encoding: chunked")
        lines += [f"{name}: {value}" for name, value in self._headers]
        head = "\r\n".join(lines).encode("latin-1")
        ends = len(lines) - 1
        if head.count(b"\r") != ends or head.count(b"\n") != ends:
            raise ValueError("a header has a line break")
        if len(head.translate(None, _CONTROLS)) != len(head):
            raise ValueError("a header has a control character")
        self.is_begun = True
        return head + b"\r\n\r\n"


@lru_cache(maxsize=256)
def header_kind(name: str) -> str:
    """Return "length", "server" for what the server decides about, or "other".

    Raises ValueError if it is no name of a header.
    """
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"the name of a header is {name!r}")
    lower = name.lower()
    if lower == "content-length":
        return "length"
    return "server" if lower in _SERVER_HEADERS else "other"


@lru_cache(maxsize=2)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


class Answer:
    """One call of the application. It can pause between two pieces of the response.

    The parts can run in different threads, all in the same contextvars context.
    """

    def __init__(
        self,
        application: WSGIApplication,
        request: Request,
        keep_alive: bool,
        on_error: Callable[[Request], None],
    ) -> None:
        environ = request.environ
        self.request = request
        self.response = Response(environ["REQUEST_METHOD"], environ["SERVER_PROTOCOL"], keep_alive)
        self._application, self._on_error = application, on_error
        self._context = contextvars.copy_context()
        self._body: Iterable[bytes] = ()
        self._pieces: Iterator[bytes] | None = None

    @property
    def keep_alive(self) -> bool:
        """Whether the client can send another request."""
        return self.response.keep_alive

    def run(self, send: Callable[[bytes], bool]) -> bool:
        """Send the response, or its next part; return whether it is complete.

        `send` returns whether more can be sent now. `on_error` of this answer is called in the
        handler of what the application raised.
        """
        return self._context.run(self._run, send)

    def close(self) -> None:
        """End a response that has paused."""
        self._context.run(self._close)

    def _run(self, send: Callable[[bytes], bool]) -> bool:
        response = self.response
        try:
            if self._pieces is None:
                start = self._start_response(send)
                self._body = self._application(self.request.environ, start)
                self._pieces = iter(self._body)
            for piece in self._pieces:
                if (data := response.frame(piece)) and not send(data):
                    return False
            send(response.end())
        except BaseException:  # a model can raise anything
            self._on_error(self.request)
            if not response.is_begun:
                response.is_begun = True
                send(error_response(500, "The log has the reason."))
            response.keep_alive = False
        self._close()
        return True

    def _close(self) -> None:
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        except BaseException:
            self._on_error(self.request)
        self.request.body.close()

    def _start_response(self, send: Callable[[bytes], bool]) -> Any:
        response = self.response

        def write(piece: bytes) -> None:
            send(response.frame(piece))

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], None]:
            response.start(status, headers, exc_info)
            return write

        return start_response
