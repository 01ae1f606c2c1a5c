"""What is sent for what an application answers."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from model_service.server.request import Request
from model_service.server.response import FILE_BLOCK_BYTES, Answer, FileWrapper

LENGTH_2, LENGTH_9 = ("Content-Length", "2"), ("Content-Length", "9")
TEXT = ("Content-Type", "text/plain")


def request(method: str = "GET", protocol: str = "HTTP/1.1") -> Request:
    environ = {"REQUEST_METHOD": method, "SERVER_PROTOCOL": protocol, "RAW_URI": "/"}
    return Request(environ)


def application(status: str, headers: list[tuple[str, str]], body: Any) -> Callable[..., Any]:
    def app(_environ: Any, start_response: Callable[..., Any]) -> Any:
        start_response(status, headers)
        return body

    return app


class Sent:
    """What an answer sends."""

    def __init__(self, app: Any, asked: Request, keep_alive: bool = True) -> None:
        self.parts: list[bytes] = []
        self.errors: list[Request] = []
        self.answer = Answer(app, asked, keep_alive, self.errors.append)
        assert self.answer.run(self.send)
        self.head, _, self.body = b"".join(self.parts).partition(b"\r\n\r\n")
        self.lines = self.head.decode("latin-1").split("\r\n")

    def send(self, part: bytes) -> bool:
        self.parts.append(part)
        return True


@pytest.mark.parametrize(
    ("asked", "status", "headers", "body", "sent", "keep_alive"),
    [
        (request(), "200 OK", [LENGTH_2], [b"o", b"k"], b"ok", True),
        (request(), "200 OK", [LENGTH_2], [b"okay"], b"ok", True),
        (request(), "200 OK", [LENGTH_9], [b"ok"], b"ok", False),  # the client would wait
        (request(), "200 OK", [], [b"o", b"", b"k"], b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n", True),
        (request(), "200 OK", [], [], b"0\r\n\r\n", True),
        (request("HEAD"), "200 OK", [LENGTH_2], [b"ok"], b"", True),
        (request("HEAD"), "200 OK", [], [b"ok"], b"", True),
        (request(), "204 No Content", [LENGTH_2], [b"ok"], b"", True),
        (request(), "304 Not Modified", [LENGTH_2], [], b"", True),
        (request(protocol="HTTP/1.0"), "200 OK", [LENGTH_2], [b"ok"], b"ok", True),
        (request(protocol="HTTP/1.0"), "200 OK", [], [b"ok"], b"ok", False),
    ],
)
def test_the_body_is_framed(
    asked: Request,
    status: str,
    headers: list[tuple[str, str]],
    body: list[bytes],
    sent: bytes,
    keep_alive: bool,
) -> None:
    found = Sent(application(status, headers, body), asked)
    assert (found.body, found.answer.keep_alive, found.errors) == (sent, keep_alive, [])
    assert found.lines[0] == f"{asked.environ['SERVER_PROTOCOL']} {status}"
    assert ("Transfer-Encoding: chunked" in found.lines) is sent.endswith(b"0\r\n\r\n")


def test_the_server_decides_about_the_connection() -> None:
    theirs = [TEXT, LENGTH_2, ("Connection", "close"), ("Transfer-Encoding", "gzip"), ("Date", "x")]
    found = Sent(application("200 OK", theirs, [b"ok"]), request())
    names = [line.partition(":")[0] for line in found.lines[1:]]
    assert names == ["Server", "Date", "Connection", "Content-Type", "Content-Length"]
    assert "Connection: keep-alive" in found.lines
    assert "Connection: close" in Sent(application("200 OK", [], []), request(), False).lines


@pytest.mark.parametrize(
    ("status", "header"),
    [
        ("200 OK", ("X", "a\r\nSet-Cookie: b")),
        ("200 OK", ("X", "a\nb")),
        ("200 OK", ("X", "a\0b")),
        ("200 OK", ("X", "€")),
        ("200 OK", ("X y", "a")),
        ("200 OK", ("X\r\nY", "a")),
        ("200 OK\r\nX: y", TEXT),
        ("OK", TEXT),
        ("", TEXT),
    ],
)
def test_a_head_that_is_no_http_is_an_error(status: str, header: tuple[str, str]) -> None:
    found = Sent(application(status, [TEXT, header], [b"ok"]), request())
    assert found.lines[0] == "HTTP/1.1 500 Internal Server Error"
    assert len(found.errors) == 1
    assert not found.answer.keep_alive


def test_an_error_before_the_head_is_500() -> None:
    def app(_environ: Any, _start_response: Any) -> list[bytes]:
        raise SystemExit("as a model can")

    found = Sent(app, request())
    assert found.lines[0] == "HTTP/1.1 500 Internal Server Error"
    assert len(found.errors) == 1


def test_an_error_in_the_body_breaks_it_off() -> None:
    def body() -> Iterator[bytes]:
        yield b"ok"
        raise ValueError("as asked")

    found = Sent(application("200 OK", [], body()), request())
    assert found.body == b"2\r\nok\r\n"  # without the last chunk
    assert not found.answer.keep_alive
    assert len(found.errors) == 1


def test_a_second_start_replaces_the_first_before_the_head_is_sent() -> None:
    def app(_environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [TEXT])
        try:
            raise ValueError
        except ValueError as error:
            start_response("503 Busy", [], (type(error), error, error.__traceback__))
        return [b"wait"]

    found = Sent(app, request())
    assert found.lines[0] == "HTTP/1.1 503 Busy"
    assert "Content-Type: text/plain" not in found.lines


def test_write_of_pep_3333() -> None:
    def app(_environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [LENGTH_2])(b"o")
        return [b"k"]

    assert Sent(app, request()).body == b"ok"


def test_an_answer_pauses_and_goes_on_in_another_thread() -> None:
    """A generator of Flask's keeps its context in contextvars."""
    closed = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            from flask import Flask  # noqa: PLC0415

            with Flask(__name__).test_request_context():
                yield b"1"
                yield b"2"

        def close(self) -> None:
            closed.append(True)

    sent: list[bytes] = []

    def send(part: bytes) -> bool:
        sent.append(part)
        return False

    errors: list[Request] = []
    answer = Answer(application("200 OK", [], Body()), request(), True, errors.append)
    results = [answer.run(send)]
    for _ in range(2):
        thread = threading.Thread(target=lambda: results.append(answer.run(send)))
        thread.start()
        thread.join()
    assert results == [False, False, True]
    assert b"".join(sent).endswith(b"1\r\n1\r\n1\r\n2\r\n0\r\n\r\n")
    assert (closed, errors) == ([True], [])


def test_a_file_is_sent_in_large_blocks() -> None:
    file = io.BytesIO(bytes(2 * FILE_BLOCK_BYTES + 1))
    wrapper = FileWrapper(file, 8192)
    assert [len(block) for block in wrapper] == [FILE_BLOCK_BYTES, FILE_BLOCK_BYTES, 1]
    wrapper.close()
    assert file.closed
