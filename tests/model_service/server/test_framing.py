"""Odd and hostile requests to a served model: what is answered, and whether the connection is kept.

A request that only this server takes for one request, or for two, could carry another past a proxy.
Behind each case comes a last request, whose answer shows that the server is at the right byte.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import LOAN_ROW
from running import Server, drained

pytestmark = pytest.mark.slow

ROW = json.dumps(LOAN_ROW).encode()
HEADERS = b"Host: x\r\nContent-Type: application/json\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"DELETE /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
LAST_STATUS = 405


def _get(path: bytes, headers: bytes = b"") -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n"


def _post(headers: bytes, body: bytes, line: bytes = b"POST /predict HTTP/1.1") -> bytes:
    return line + b"\r\n" + HEADERS + headers + b"\r\n" + body


def _chunked(body: bytes) -> bytes:
    return b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"


CHUNKED_ROW = _chunked(ROW)


@dataclass(frozen=True)
class Case:
    """A request, the status of its answers, and whether another request can follow."""

    data: bytes
    status: int
    count: int = 1
    is_kept: bool = False


CASES = {
    "ok": Case(_post(b"Content-Length: %d\r\n" % len(ROW), ROW), 200, is_kept=True),
    "ok chunked": Case(_post(b"Transfer-Encoding: chunked\r\n", CHUNKED_ROW), 200, is_kept=True),
    "Content-Length and Transfer-Encoding": Case(
        _post(
            b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(ROW),
            CHUNKED_ROW + SMUGGLED,
        ),
        400,
    ),
    "Transfer-Encoding and Content-Length": Case(
        _post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", CHUNKED_ROW + SMUGGLED), 400
    ),
    "Content-Length dup same": Case(
        _post(
            b"Content-Length: %d\r\nContent-Length: %d\r\n" % (len(ROW), len(ROW)), ROW + SMUGGLED
        ),
        400,
    ),
    "Content-Length dup diff": Case(
        _post(
            b"Content-Length: %d\r\nContent-Length: %d\r\n" % (len(ROW), len(ROW) + len(SMUGGLED)),
            ROW + SMUGGLED,
        ),
        400,
    ),
    "Content-Length list": Case(
        _post(b"Content-Length: %d, %d\r\n" % (len(ROW), len(ROW)), ROW + SMUGGLED), 400
    ),
    "Content-Length plus": Case(_post(b"Content-Length: +%d\r\n" % len(ROW), ROW + SMUGGLED), 400),
    "Content-Length neg": Case(_post(b"Content-Length: -1\r\n", ROW + SMUGGLED), 400),
    "Content-Length hex": Case(_post(b"Content-Length: 0x%x\r\n" % len(ROW), ROW + SMUGGLED), 400),
    "Content-Length underscore": Case(_post(b"Content-Length: 1_0\r\n", ROW + SMUGGLED), 400),
    "Content-Length empty": Case(_post(b"Content-Length: \r\n", ROW + SMUGGLED), 400),
    "Content-Length space inside": Case(_post(b"Content-Length: 2 13\r\n", ROW + SMUGGLED), 400),
    "Content-Length leading zeros": Case(
        _post(b"Content-Length: 0000%d\r\n" % len(ROW), ROW), 200, is_kept=True
    ),
    "Content-Length tab": Case(
        _post(b"Content-Length:\t%d\r\n" % len(ROW), ROW), 200, is_kept=True
    ),
    "Content-Length vt": Case(_post(b"Content-Length: \x0b%d\r\n" % len(ROW), ROW + SMUGGLED), 400),
    "Content-Length unicode digit": Case(
        _post("Content-Length: ٢١\r\n".encode(), ROW + SMUGGLED), 400
    ),
    "Content-Length space colon": Case(
        _post(b"Content-Length : %d\r\n" % len(ROW), ROW + SMUGGLED), 400
    ),
    "Content-Length underscore name": Case(
        _post(b"Content_Length: 0\r\nContent-Length: %d\r\n" % len(ROW), ROW), 200, is_kept=True
    ),
    "Content-Length huge": Case(_post(b"Content-Length: 99999999999999999999999\r\n", ROW), 400),
    "Content-Length 5000 digits": Case(
        _post(b"Content-Length: " + b"9" * 5000 + b"\r\n", ROW), 400
    ),
    "Transfer-Encoding xchunked": Case(
        _post(b"Transfer-Encoding: xchunked\r\n", CHUNKED_ROW + SMUGGLED), 501
    ),
    "Transfer-Encoding chunked,identity": Case(
        _post(b"Transfer-Encoding: chunked, identity\r\n", CHUNKED_ROW + SMUGGLED), 400
    ),
    "Transfer-Encoding identity": Case(
        _post(b"Transfer-Encoding: identity\r\nContent-Length: %d\r\n" % len(ROW), ROW + SMUGGLED),
        400,
    ),
    "Transfer-Encoding gzip,chunked": Case(
        _post(b"Transfer-Encoding: gzip, chunked\r\n", CHUNKED_ROW + SMUGGLED), 501
    ),
    "Transfer-Encoding chunked chunked": Case(
        _post(
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", CHUNKED_ROW + SMUGGLED
        ),
        400,
    ),
    "Transfer-Encoding Chunked case": Case(
        _post(b"Transfer-Encoding: CHUNKED\r\n", CHUNKED_ROW), 200, is_kept=True
    ),
    "Transfer-Encoding space colon": Case(
        _post(b"Transfer-Encoding : chunked\r\n", CHUNKED_ROW + SMUGGLED), 400
    ),
    "Transfer-Encoding vt": Case(
        _post(b"Transfer-Encoding: \x0bchunked\r\n", CHUNKED_ROW + SMUGGLED), 400
    ),
    "Transfer-Encoding, obsolete folding": Case(
        _post(b"Transfer-Encoding:\r\n chunked\r\n", CHUNKED_ROW + SMUGGLED), 400
    ),
    "obsolete folding of a header": Case(
        _post(b"X: a\r\n b\r\nContent-Length: %d\r\n" % len(ROW), ROW), 400
    ),
    "obsolete folding and Content-Length": Case(
        _post(b"X: a\r\n Content-Length: 5\r\nContent-Length: %d\r\n" % len(ROW), ROW), 400
    ),
    "Transfer-Encoding underscore": Case(
        _post(b"Transfer_Encoding: chunked\r\nContent-Length: %d\r\n" % len(ROW), ROW),
        200,
        is_kept=True,
    ),
    "Transfer-Encoding in 1.0": Case(
        _post(b"Transfer-Encoding: chunked\r\n", CHUNKED_ROW + SMUGGLED, b"POST /predict HTTP/1.0"),
        400,
    ),
    "bare LF lines": Case(
        b"POST /predict HTTP/1.1\nHost: x\nContent-Type: application/json\nContent-Length: %d\n\n"
        % len(ROW)
        + ROW,
        400,
    ),
    "bare LF in a header": Case(
        _post(
            b"X: y\nTransfer-Encoding: chunked\r\nContent-Length: %d\r\n" % len(ROW), ROW + SMUGGLED
        ),
        400,
    ),
    "bare CR in a header": Case(
        _post(
            b"X: y\rTransfer-Encoding: chunked\r\nContent-Length: %d\r\n" % len(ROW), ROW + SMUGGLED
        ),
        400,
    ),
    "NUL in a header": Case(_post(b"X: y\x00z\r\nContent-Length: %d\r\n" % len(ROW), ROW), 400),
    "NUL name": Case(_post(b"X\x00: y\r\nContent-Length: %d\r\n" % len(ROW), ROW), 400),
    "chunk ext": Case(
        _post(b"Transfer-Encoding: chunked\r\n", b"%x;a=b\r\n" % len(ROW) + ROW + b"\r\n0\r\n\r\n"),
        200,
        is_kept=True,
    ),
    "chunk ext LF": Case(
        _post(
            b"Transfer-Encoding: chunked\r\n",
            b"%x;a\nb\r\n" % len(ROW) + ROW + b"\r\n0\r\n\r\n" + SMUGGLED,
        ),
        400,
    ),
    "chunk ext 100k": Case(
        _post(
            b"Transfer-Encoding: chunked\r\n",
            b"%x;" % len(ROW) + b"a" * 100000 + b"\r\n" + ROW + b"\r\n0\r\n\r\n",
        ),
        431,
    ),
    "chunk size LF": Case(
        _post(
            b"Transfer-Encoding: chunked\r\n",
            b"%x\n" % len(ROW) + ROW + b"\r\n0\r\n\r\n" + SMUGGLED,
        ),
        400,
    ),
    "chunk no CRLF after": Case(
        _post(
            b"Transfer-Encoding: chunked\r\n",
            b"%x\r\n" % len(ROW) + ROW + b"XX0\r\n\r\n" + SMUGGLED,
        ),
        400,
    ),
    "chunk size 0x": Case(
        _post(
            b"Transfer-Encoding: chunked\r\n",
            b"0x%x\r\n" % len(ROW) + ROW + b"\r\n0\r\n\r\n" + SMUGGLED,
        ),
        400,
    ),
    "chunk size neg": Case(
        _post(b"Transfer-Encoding: chunked\r\n", b"-1\r\n" + ROW + b"\r\n0\r\n\r\n" + SMUGGLED), 400
    ),
    "chunk size ws": Case(
        _post(
            b"Transfer-Encoding: chunked\r\n",
            b" %x \r\n" % len(ROW) + ROW + b"\r\n0\r\n\r\n" + SMUGGLED,
        ),
        400,
    ),
    "chunk size underscore": Case(
        _post(b"Transfer-Encoding: chunked\r\n", b"1_0\r\n" + ROW + b"\r\n0\r\n\r\n" + SMUGGLED),
        400,
    ),
    "chunk size huge": Case(
        _post(b"Transfer-Encoding: chunked\r\n", b"f" * 40 + b"\r\n" + ROW), 400
    ),
    "chunk trailers": Case(
        _post(
            b"Transfer-Encoding: chunked\r\n", b"%x\r\n" % len(ROW) + ROW + b"\r\n0\r\nX: y\r\n\r\n"
        ),
        200,
        is_kept=True,
    ),
    "chunk trailers CL": Case(
        _post(
            b"Transfer-Encoding: chunked\r\n",
            b"%x\r\n" % len(ROW) + ROW + b"\r\n0\r\nContent-Length: 5\r\nSCRIPT_NAME: /x\r\n\r\n",
        ),
        400,
    ),
    "chunk trailers 1MB": Case(
        _post(
            b"Transfer-Encoding: chunked\r\n",
            b"%x\r\n" % len(ROW) + ROW + b"\r\n0\r\n" + b"X: " + b"y" * 1000000 + b"\r\n\r\n",
        ),
        431,
    ),
    "GET body CL": Case(
        _get(b"/health", b"Content-Length: %d\r\n") % len(SMUGGLED) + SMUGGLED,
        200,
        is_kept=True,
    ),
    "GET body chunked": Case(
        _get(b"/health", b"Transfer-Encoding: chunked\r\n") + _chunked(SMUGGLED),
        200,
        is_kept=True,
    ),
    "pipeline 2": Case(
        _post(b"Content-Length: %d\r\n" % len(ROW), ROW) + _get(b"/health"),
        200,
        count=2,
        is_kept=True,
    ),
    "pipeline 50": Case(_get(b"/health") * 50, 200, count=50, is_kept=True),
    "pipeline 500": Case(_get(b"/health") * 500, 200, count=500, is_kept=True),
    "pipeline mixed": Case(
        (_get(b"/health") + _post(b"Content-Length: %d\r\n" % len(ROW), ROW) + _get(b"/features"))
        * 20,
        200,
        count=60,
        is_kept=True,
    ),
    "absolute-form": Case(
        b"GET http://evil.example/health HTTP/1.1\r\nHost: x\r\n\r\n", 200, is_kept=True
    ),
    "absolute docs": Case(
        b"GET http://evil.example/docs HTTP/1.1\r\nHost: x\r\n\r\n", 200, is_kept=True
    ),
    "OPTIONS *": Case(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404, is_kept=True),
    "CONNECT": Case(b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "TRACE": Case(
        b"TRACE /predict HTTP/1.1\r\nHost: x\r\nX-Secret: s3cr\r\n\r\n", 405, is_kept=True
    ),
    "PRI h2": Case(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", 400),
    "HTTP/0.9": Case(b"GET /health\r\n\r\n", 505),
    "HTTP/1.2": Case(b"GET /health HTTP/1.2\r\nHost: x\r\n\r\n", 400),
    "HTTP/3.0": Case(b"GET /health HTTP/3.0\r\nHost: x\r\n\r\n", 400),
    "http lower": Case(b"GET /health http/1.1\r\nHost: x\r\n\r\n", 400),
    "method lower": Case(b"get /health HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "method weird": Case(b"G@T /health HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "method 10k": Case(b"A" * 10000 + b" /health HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "two spaces": Case(b"GET  /health HTTP/1.1\r\nHost: x\r\n\r\n", 200, is_kept=True),
    "tab sep": Case(b"GET\t/health\tHTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "leading CRLF": Case(b"\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n", 200, is_kept=True),
    "no Host": Case(b"GET /health HTTP/1.1\r\n\r\n", 400),
    "two Hosts": Case(b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "Host junk": Case(
        b'GET /docs HTTP/1.1\r\nHost: "><script>alert(1)</script>\r\n\r\n', 200, is_kept=True
    ),
    "Host space": Case(b"GET /docs HTTP/1.1\r\nHost: a b\r\n\r\n", 200, is_kept=True),
    "Host @": Case(b"GET /docs HTTP/1.1\r\nHost: a@evil\r\n\r\n", 200, is_kept=True),
    "Host quote": Case(b"GET /docs HTTP/1.1\r\nHost: a';id;'\r\n\r\n", 200, is_kept=True),
    "Host 8bit": Case(b"GET /docs HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n", 200, is_kept=True),
    "Host port junk": Case(b"GET /docs HTTP/1.1\r\nHost: a:99999999\r\n\r\n", 200, is_kept=True),
    "Upgrade h2c": Case(
        _get(
            b"/health",
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n",
        ),
        200,
        is_kept=True,
    ),
    "Upgrade ws": Case(
        _get(
            b"/",
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n",
        ),
        405,
        is_kept=True,
    ),
    "Expect 100": Case(
        _post(b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(ROW), ROW), 200, is_kept=True
    ),
    "Expect other": Case(_post(b"Expect: 200-ok\r\nContent-Length: %d\r\n" % len(ROW), ROW), 417),
    "Expect 100 too large": Case(
        _post(b"Expect: 100-continue\r\nContent-Length: 5000000\r\n", b""), 413
    ),
    "header 9k": Case(b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
    "header 1M": Case(
        b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1000000 + b"\r\n\r\n", 431
    ),
    "header 101": Case(b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 101 + b"\r\n", 431),
    "header 100k": Case(
        b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 100000 + b"\r\n", 431
    ),
    "path 5k": Case(b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "path 4k qs": Case(
        b"GET /health?" + b"a=1&" * 1000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 200, is_kept=True
    ),
    "path fragment": Case(_get(b"/health#x"), 200, is_kept=True),
    "path NUL": Case(_get(b"/health%00"), 404, is_kept=True),
    "path bad %": Case(_get(b"/%zz%ff"), 404, is_kept=True),
    "path ..": Case(_get(b"/static/../../etc/passwd"), 404, is_kept=True),
    "path ..%2f": Case(_get(b"/static/..%2f..%2fmodel%2fmodel.pkl"), 404, is_kept=True),
    "path ..%5c": Case(_get(b"/static/..%5c..%5cmodel"), 404, is_kept=True),
    "path //": Case(_get(b"//evil.example/.."), 404, is_kept=True),
    "path docs ..": Case(_get(b"/docs/..%2findex.html"), 404, is_kept=True),
    "path raw 8bit": Case(_get(b"/\xff\xfe"), 400),
    "static abs": Case(_get(b"/static//etc/passwd"), 308, is_kept=True),
    "redirect slash": Case(b"GET /docs/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 404, is_kept=True),
    "SCRIPT_NAME self": Case(_get(b"/health", b"SCRIPT_NAME: /health\r\n"), 200, is_kept=True),
    "SCRIPT_NAME prefix": Case(
        _get(b"//evil.example/features", b"SCRIPT_NAME: //evil.example\r\n"),
        404,
        is_kept=True,
    ),
    "SCRIPT_NAME bad": Case(_get(b"/health", b"SCRIPT_NAME: /zz\r\n"), 200, is_kept=True),
    "X-Forwarded-Proto js": Case(
        _get(b"/docs", b"X-Forwarded-Proto: javascript\r\n"), 200, is_kept=True
    ),
    "X-Forwarded-Proto conflict": Case(
        _get(b"/health", b"X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\n"),
        200,
        is_kept=True,
    ),
    "X-Forwarded-Proto list": Case(
        _get(b"/health", b"X-Forwarded-Proto: https,http\r\n"),
        200,
        is_kept=True,
    ),
    "proxy protocol": Case(
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n", 400
    ),
    "garbage": Case(bytes(range(256)) * 20, 400),
    "TLS hello": Case(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200, 400),
    "only POST": Case(b"POST /predict HTTP/1.1\r\n", 400),
}


@pytest.fixture(scope="module")
def server(proven: Path) -> Iterator[Server]:
    with drained(proven / "model") as server:
        yield server


def answers_to(port: int, data: bytes) -> bytes:
    """Return all that is answered to what is sent before the client's end is closed."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        while piece := client.recv(1 << 16):
            received += piece
    return received


@pytest.mark.parametrize("name", CASES)
def test_what_is_answered(server: Server, name: str) -> None:
    case = CASES[name]
    received = answers_to(server.port, case.data + LAST)
    statuses = [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", received)]
    assert statuses == [case.status] * case.count + [LAST_STATUS] * case.is_kept
    for leak in (b"evil", b"Traceback", b'File "', b"s3cr"):
        assert leak not in received
