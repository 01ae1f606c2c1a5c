"""The parser: which bytes are which requests, and which are refused."""

from __future__ import annotations

import errno
import io
from typing import Any

import pytest

from model_service.server.request import MAX_PARSED_BYTES, Limits, Request, RequestParser

HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\n"
ROW = HEAD + b'Content-Length: 7\r\n\r\n{"x":1}'
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;a=b\r\nde\r\n0\r\nX: y\r\n\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
# As Java's HttpClient does: it asks for HTTP/2, and sends the body along.
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
MAX_BODY_BYTES = 100_000


def parser() -> RequestParser:
    base = {"SCRIPT_NAME": "", "REMOTE_ADDR": "192.0.2.1"}
    return RequestParser(base, lambda _environ: MAX_BODY_BYTES, Limits())


def requests_of(data: bytes, piece_bytes: int = 1 << 16) -> tuple[list[Request], int | None]:
    """Return the requests in what was received in pieces, and the status of the error after."""
    parsing, found = parser(), []
    for start in range(0, len(data), piece_bytes):
        parsing.feed(data[start : start + piece_bytes])
        while parsing.complete:
            found.append(parsing.complete.popleft())
            parsing.parse()
    return found, parsing.error.status if parsing.error else None


def text_of(request: Request) -> tuple[str, str, bytes]:
    environ = request.environ
    with request.body as body:
        return environ["REQUEST_METHOD"], environ["PATH_INFO"], body.read()


GET_HEALTH, POST_ROW = ("GET", "/health", b""), ("POST", "/predict", b'{"x":1}')


@pytest.mark.parametrize("piece_bytes", [1, 2, 7, 1 << 16])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (HEALTH, [GET_HEALTH]),
        (ROW, [POST_ROW]),
        (ROW + HEALTH + ROW, [POST_ROW, GET_HEALTH, POST_ROW]),
        (CHUNKED + HEALTH, [("POST", "/predict", b"abcde"), GET_HEALTH]),
        (HEALTH * 100, [GET_HEALTH] * 100),
        (ROW.replace(b"Host", UPGRADE + b"Host") + HEALTH, [POST_ROW, GET_HEALTH]),
        (CHUNKED.replace(b"Host", UPGRADE + b"Host"), [("POST", "/predict", b"abcde")]),
        (HEALTH.replace(b"Host", UPGRADE + b"Host") + ROW, [GET_HEALTH, POST_ROW]),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n" + HEALTH, [("CONNECT", "x:1", b"")]),
        (ROW.replace(b"Host", b"Connection: close\r\nHost") + HEALTH, [POST_ROW]),
        (ROW.replace(b"1.1", b"1.0") + HEALTH, [POST_ROW]),
        (ROW[:-1], []),
    ],
)
def test_bytes_are_split_into_requests(
    data: bytes, expected: list[tuple[str, str, bytes]], piece_bytes: int
) -> None:
    found, _ = requests_of(data, piece_bytes)
    assert [text_of(request) for request in found] == expected


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/predict?on_error=keep&x=?", "/predict", "on_error=keep&x=?"),
        (b"/a%20b%c3%a9%00", "/a b\xc3\xa9\0", ""),
        (b"/health#x", "/health", ""),
        (b"//evil.example/..", "//evil.example/..", ""),
        (b"http://evil.example/health?a=1", "/health", "a=1"),
        (b"http://evil.example", "/", ""),
    ],
)
def test_the_target_of_a_request(target: bytes, path: str, query: str) -> None:
    ((request,), _) = requests_of(HEALTH.replace(b"/health", target))
    assert (request.environ["PATH_INFO"], request.environ["QUERY_STRING"]) == (path, query)


def test_headers_are_those_of_wsgi() -> None:
    headers = b"X-A: 1\r\nx-a:  2 \r\nX_A: 3\r\nSCRIPT_NAME: /a\r\nContent-Type: text/csv\r\n"
    ((request,), _) = requests_of(ROW.replace(b"Host", headers + b"Host"))
    assert request.environ == {
        "SCRIPT_NAME": "",
        "REMOTE_ADDR": "192.0.2.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_METHOD": "POST",
        "RAW_URI": "/predict",
        "PATH_INFO": "/predict",
        "QUERY_STRING": "",
        "HTTP_HOST": "x",
        "HTTP_X_A": "1,2",
        "CONTENT_TYPE": "text/csv",
        "CONTENT_LENGTH": "7",
        "wsgi.input": request.body,
    }


@pytest.mark.parametrize("prefix", ["/model", "/model/"])
@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("/model/health", "/health"),
        ("/model", ""),
        ("/model/", "/"),
        ("/modeled/health", "/modeled/health"),
        ("/health", "/health"),
    ],
)
def test_a_prefix_of_the_environment_is_the_script_name(prefix: str, path: str, rest: str) -> None:
    parsing = RequestParser({"SCRIPT_NAME": prefix}, lambda _environ: 0, Limits())
    parsing.feed(HEALTH.replace(b"/health", path.encode()))
    assert parsing.complete[0].environ["PATH_INFO"] == rest


@pytest.mark.parametrize(
    ("replaced", "by", "status"),
    [
        (b"Host", b"A: b\r\n" * 101 + b"Host", 431),
        (b"Host", b"A: " + b"b" * 8200 + b"\r\nHost", 431),
        (b"Host", b"A: " + b"b" * 1_000_000, 431),
        (b"/predict", b"/" + b"a" * 4094, 414),
        (b"Host: x", b"Host: x\r\nHost: x", 400),
        (b"Host: x", b"X: x", 400),
        (b"HTTP/1.1", b"HTTP/2.0", 505),
        (b"POST /predict HTTP/1.1", b"GET /predict", 505),
        (b"Host", b"Expect: 200-ok\r\nHost", 417),
        (b"Content-Length: 7", b"Transfer-Encoding: gzip, chunked", 501),
        (b"Content-Length: 7", b"Content-Length: 7\r\nTransfer-Encoding: chunked", 400),
        (b"Content-Length: 7", b"Content-Length: 7\r\nContent-Length: 7", 400),
        (b"POST", b"post", 400),
    ],
)
def test_what_is_refused(replaced: bytes, by: bytes, status: int) -> None:
    found, error = requests_of(HEALTH + ROW.replace(replaced, by) + ROW)
    assert ([text_of(request) for request in found], error) == ([GET_HEALTH], status)


@pytest.mark.parametrize(
    "data",
    [
        CHUNKED.replace(b"2;a=b", b"2;a=" + b"b" * 40_000),
        CHUNKED.replace(b"X: y", b"X: " + b"y" * 40_000),
        CHUNKED.replace(b"X: y\r\n", b"X: y\r\n" * 40_000),
    ],
)
def test_what_is_no_part_of_a_body_is_bounded(data: bytes) -> None:
    assert requests_of(data) == ([], 431)


def test_requests_behind_the_first_are_not_parsed_yet() -> None:
    parsing = parser()
    parsing.feed(HEALTH * 10_000)
    assert len(parsing.complete) <= MAX_PARSED_BYTES // len(HEALTH) + 1


def test_a_long_body_waits_in_a_file() -> None:
    body = b"x" * MAX_BODY_BYTES
    ((request,), _) = requests_of(HEAD + b"Content-Length: 100000\r\n\r\n" + body)
    assert request.body._rolled  # type: ignore[attr-defined]
    assert request.body.read() == body
    request.body.close()


def cut(data: bytes, received_bytes: int) -> int | None:
    """Return the number of the error that the application gets after so many bytes of a body."""
    ((request,), error) = requests_of(data)
    assert (request.is_cut, request.keep_alive, error) == (True, False, None)
    stream: Any = request.environ["wsgi.input"]
    assert len(stream.read(received_bytes)) == received_bytes
    with pytest.raises(OSError) as raised:  # noqa: PT011  # the number is compared
        stream.read()
    request.body.close()
    return raised.value.errno


def test_a_body_that_is_too_long_is_not_received() -> None:
    head = HEAD + b"Expect: 100-continue\r\nContent-Length: 100001\r\n\r\n"
    assert cut(head, 0) == errno.EMSGSIZE


def test_a_chunked_body_that_is_too_long_is_cut_off() -> None:
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    data = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 9
    assert cut(data, MAX_BODY_BYTES + 1) == errno.EMSGSIZE


def test_on_a_full_disk_the_application_gets_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class FullDisk(io.BytesIO):
        def write(self, _: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("model_service.server.request.SpooledFile", lambda _: FullDisk())
    data = HEAD + b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000
    assert cut(data, 0) == errno.ENOSPC
