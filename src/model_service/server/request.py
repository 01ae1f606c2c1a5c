"""Split the bytes of a connection into HTTP/1.1 requests, with llhttp. Does no network I/O."""

from __future__ import annotations

import errno
import io
import os
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import IO, Any
from urllib.parse import unquote_to_bytes

import httptools

from model_service.csv.spool import SpooledFile

# A longer body waits in a temporary file: a thousand slow clients must not fill the memory.
MAX_BYTES_IN_MEMORY = 1 << 16

# So much is parsed before looking whether a request is complete. llhttp cannot pause, and a client
# can send many short requests at once: those after the first are kept as the bytes that they are.
MAX_PARSED_BYTES = 1 << 10

Environ = dict[str, Any]  # of WSGI


@dataclass(frozen=True)
class Limits:
    """The limits of a request head, with gunicorn's default values."""

    max_line_bytes: int = 4094
    max_header_count: int = 100
    max_header_bytes: int = 8190
    max_head_bytes: int = 1 << 15


class BadRequest(Exception):
    """A request that is answered with an error, after which the connection is closed."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class _Complete(Exception):
    """Ends parsing: the rest of the connection's input is discarded."""


@dataclass(eq=False)
class Request:
    """A request as a WSGI environ; `wsgi.input` is the body."""

    environ: Environ
    body: IO[bytes] = field(default_factory=io.BytesIO)
    byte_count: int = 0  # of the body, as far as it has been received
    length: int = 0  # of the body; 0: not known
    max_bytes: int | None = None  # of the body; None: it fits
    keep_alive: bool = True
    expects_continue: bool = False
    is_cut: bool = False  # the body is too long, or there was no room for it

    @property
    def missing_bytes(self) -> int:
        """How long the rest of the body is; 0 or less if that is not known."""
        return self.length - self.byte_count


class CutBody(io.RawIOBase):
    """A body whose end was not received. Reading the end raises an OSError."""

    def __init__(self, received: IO[bytes], error: OSError) -> None:
        super().__init__()
        self._received, self._error = received, error

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has been received. Raises OSError at its end."""
        data = self._received.read(len(buffer))
        if not data and len(buffer):
            raise self._error
        buffer[: len(data)] = data
        return len(data)


class RequestParser:
    """The requests on one connection.

    `base` is what the environs of all its requests have in common. `max_body_bytes` gets an environ
    and returns how long the body can be; of a longer one the application only gets the beginning.
    """

    def __init__(
        self, base: Mapping[str, Any], max_body_bytes: Callable[[Environ], int], limits: Limits
    ) -> None:
        self.complete: deque[Request] = deque()
        self.current: Request | None = None  # its head is complete, its body is not
        self.error: BadRequest | None = None  # comes after the complete requests
        self.is_ended = False  # nothing more is parsed
        self.has_begun = False  # a part of the next request has been received
        self._base, self._max_body_bytes, self._limits = base, max_body_bytes, limits
        self._parser = httptools.HttpRequestParser(self)
        self._environ: Environ = {}
        self._target = b""
        self._header_count = 0
        self._unparsed = memoryview(b"")
        self._overhead = 0  # bytes since the last byte of a body, or the end of a request
        self._has_progressed = False
        self._is_reframing = False

    def feed(self, data: bytes) -> None:
        """Take what has been received, and parse until a request is complete."""
        if not self.is_ended:
            self._unparsed = memoryview(bytes(self._unparsed) + data if self._unparsed else data)
            self.parse()

    def parse(self) -> None:
        """Parse until a request is complete; find it in `complete`, or an error in `error`."""
        while self._unparsed and not self.complete and not self.is_ended:
            byte_count = MAX_PARSED_BYTES
            if self.current is not None:
                byte_count = max(byte_count, self.current.missing_bytes)
            part, self._unparsed = self._unparsed[:byte_count], self._unparsed[byte_count:]
            self._parse(part)
        if self.is_ended:
            self._unparsed = memoryview(b"")

    def _parse(self, part: memoryview) -> None:
        self._has_progressed = False
        try:
            self._feed(part)
        except httptools.HttpParserError as error:
            self.is_ended = True
            cause = error.__context__
            if isinstance(cause, BadRequest):
                self.error = cause
            elif isinstance(error, httptools.HttpParserCallbackError):
                if not isinstance(cause, _Complete):
                    raise
            else:
                self.error = BadRequest(400, str(error))
        self._overhead = 0 if self._has_progressed else self._overhead + len(part)
        if self._overhead > self._limits.max_head_bytes and not self.is_ended:
            self.is_ended, self.error = True, BadRequest(431, "the head is too long")
        if self.error is not None and self.current is not None:
            self.current.body.close()
            self.current = None

    def close(self) -> None:
        """Close the files of requests that are not answered."""
        self.is_ended = True
        for request in (self.current, *self.complete):
            if request is not None:
                request.body.close()
        del self._parser  # it refers to this object

    def _feed(self, data: memoryview) -> None:
        while data and not self.is_ended:
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:  # we speak HTTP/1.1 only: go on
                data = data[upgrade.args[0] :]
            if self.current is not None:
                self._reframe(self.current)

    def _reframe(self, request: Request) -> None:
        """Prepare for the body of a request with `Upgrade`, which httptools does not read.

        Java's HttpClient asks for HTTP/2 in this way and sends a body with it.
        """
        length = request.environ.get("CONTENT_LENGTH")
        framing = f"Content-Length: {length}" if length else "Transfer-Encoding: chunked"
        self._parser = httptools.HttpRequestParser(self)
        self._is_reframing = True
        self._parser.feed_data(f"POST / HTTP/1.1\r\n{framing}\r\n\r\n".encode("ascii"))
        self._is_reframing = False

    # httptools calls these.

    def on_message_begin(self) -> None:
        """Begin a request."""
        if self.is_ended:
            raise _Complete
        if not self._is_reframing:
            self.has_begun = True
            self._environ, self._target, self._header_count = dict(self._base), b"", 0

    def on_url(self, piece: bytes) -> None:
        """Add to the request target."""
        self._target += piece
        if len(self._target) > self._limits.max_line_bytes and not self._is_reframing:
            raise BadRequest(414, "the address is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header, or drop a trailer."""
        if self._is_reframing:
            return
        self._header_count += 1
        limits, environ = self._limits, self._environ
        if self._header_count > limits.max_header_count:
            raise BadRequest(431, "there are too many headers")
        if len(name) + len(value) > limits.max_header_bytes:
            raise BadRequest(431, "a header is too long")
        if self.current is not None:
            return
        key = environ_key(name)
        if key is None:
            return
        text = value.decode("latin-1").strip(" \t")
        if key not in environ:
            environ[key] = text
        elif key in SINGLE_HEADERS:
            raise BadRequest(400, "a header appears twice")
        else:
            environ[key] += "," + text

    def on_headers_complete(self) -> None:
        """Check the head and prepare for the body."""
        if self._is_reframing:
            return
        parser, environ = self._parser, self._environ
        version = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise BadRequest(505, "HTTP/1.1 or HTTP/1.0 is expected")
        environ["SERVER_PROTOCOL"] = f"HTTP/{version}"
        environ["REQUEST_METHOD"] = method = parser.get_method().decode("ascii")
        set_target(environ, self._target)
        request = Request(environ, keep_alive=parser.should_keep_alive() and method != "CONNECT")
        if version == "1.1":
            if "HTTP_HOST" not in environ:
                raise BadRequest(400, "there is no Host header")
            if (expectation := environ.get("HTTP_EXPECT")) is not None:
                if expectation.lower() != "100-continue":
                    raise BadRequest(417, "only 100-continue can be expected")
                request.expects_continue = True
        coding, length = environ.get("HTTP_TRANSFER_ENCODING"), environ.get("CONTENT_LENGTH")
        if coding is not None:
            if version == "1.0":
                raise BadRequest(400, "HTTP/1.0 has no Transfer-Encoding")
            if coding.lower() != "chunked":
                raise BadRequest(501, "the only Transfer-Encoding is chunked")
        self._header_count = 0  # of the trailers
        self.current = request
        request.length = int(length) if length else 0
        if coding is not None or request.length > MAX_BYTES_IN_MEMORY:
            request.max_bytes = self._max_body_bytes(environ)
            if request.length > request.max_bytes:
                self._cut(request, _too_long())
            request.body = SpooledFile(MAX_BYTES_IN_MEMORY)
        request.expects_continue &= coding is not None or request.length > 0

    def on_body(self, piece: bytes) -> None:
        """Add to the body."""
        self._has_progressed = True
        request = self.current
        assert request is not None
        request.byte_count += len(piece)
        try:
            request.body.write(piece)
        except OSError as error:  # the disk is full: the application answers
            with suppress(OSError):  # it tries to write once more
                request.body.close()
            request.body = io.BytesIO()
            self._cut(request, error)
        if request.max_bytes is not None and request.byte_count > request.max_bytes:
            self._cut(request, _too_long())

    def on_message_complete(self) -> None:
        """End a request, unless httptools has skipped its body."""
        self._has_progressed = True
        request = self.current
        assert request is not None
        environ = request.environ
        skipped = self._parser.should_upgrade() and (
            environ.get("CONTENT_LENGTH", "0").strip("0") or "HTTP_TRANSFER_ENCODING" in environ
        )
        if skipped:
            return
        try:
            request.body.seek(0)
        except OSError as error:  # it writes what it has kept until now
            with suppress(OSError):
                request.body.close()
            request.body = io.BytesIO()
            self._cut(request, error)
        environ["wsgi.input"] = request.body
        self._end(request)

    def _cut(self, request: Request, error: OSError) -> None:
        request.body.seek(0)
        request.environ["wsgi.input"] = io.BufferedReader(CutBody(request.body, error))
        request.is_cut, request.keep_alive, request.expects_continue = True, False, False
        self._end(request)
        raise _Complete

    def _end(self, request: Request) -> None:
        self.complete.append(request)
        self.current, self.has_begun = None, False
        if not request.keep_alive:
            self.is_ended = True


def _too_long() -> OSError:
    return OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))


SINGLE_HEADERS = {"HTTP_HOST", "CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"}


@lru_cache(maxsize=1024)
def environ_key(name: bytes) -> str | None:
    """Return the key of a header in the environ; None if the header is dropped.

    A name with an underscore could be mistaken for one with a hyphen.
    """
    text = name.decode("latin-1").upper()
    if "_" in text:
        return None
    key = text.replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def set_target(environ: Environ, target: bytes) -> None:
    """Set path and query of a request. Raises BadRequest."""
    text = target.decode("latin-1")
    if not text.isascii():
        raise BadRequest(400, "the address is not ASCII")
    environ["RAW_URI"] = text
    path, _, query = text.partition("#")[0].partition("?")
    if not path.startswith("/") and "://" in path:  # absolute-form
        path = "/" + path.partition("://")[2].partition("/")[2]
    if "%" in path:
        path = unquote_to_bytes(path).decode("latin-1")
    prefix = environ["SCRIPT_NAME"].rstrip("/")
    if prefix and path.startswith(prefix):
        rest = path[len(prefix) :]
        if not rest or rest.startswith("/"):  # /application is not below /app
            path = rest
    environ["PATH_INFO"], environ["QUERY_STRING"] = path, query
