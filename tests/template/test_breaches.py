"""How generators and servers of models were breached: what the project's own tests do not show.

Its tests/test_breaches.py has what holds for the service around any model. Hostile files under
every extension are in inspect/, hostile answers in test_bake.py and test_refusals.py.
"""

from __future__ import annotations

import ast
import re
import socket
from pathlib import Path

import pytest
from conftest import ROOT, SRC, TEMPLATE
from running import gunicorn

PYTHON = [
    *TEMPLATE.rglob("*.py"),
    *SRC.rglob("*.py"),
    *(ROOT / "hooks").rglob("*.py"),
    *(ROOT / "tools").rglob("*.py"),
]
SHELLS = {"sh", "bash", "/bin/sh", "/bin/bash", "cmd", "powershell"}
GARBAGE = {
    "no http": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    "a version of tomorrow": b"GET / HTTP/9.9\r\n\r\n",
    "no name of a header": b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    "a length that is none": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1e9\r\n\r\n",
    "two ways to end": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
    "no chunk": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "a long line": b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_shell_is_started_and_no_archive_extracted(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword):
            assert node.arg != "shell", f"line {node.value.lineno}"
        if isinstance(node, ast.Constant):
            assert node.value not in SHELLS, f"line {node.lineno}"
        if isinstance(node, ast.Attribute):
            forbidden = (
                "os.system",
                "popen",
                "getoutput",
                "extract",
                "extractall",
                "unpack_archive",
            )
            assert not ast.unparse(node).endswith(forbidden), f"line {node.lineno}"


@pytest.mark.slow
def test_the_server_tells_no_version_whatever_it_is_sent(loan: Path) -> None:
    with gunicorn(loan / "model") as server:
        for name, sent in {**GARBAGE, "a good request": b"GET /health HTTP/1.0\r\n\r\n"}.items():
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
            status = answer.split(" ", 2)[1] if answer else "none"
            assert status == ("200" if name == "a good request" else status), answer
            assert not re.search(
                r"\nServer: (?!gunicorn\r\n)|\d\.\d+\.\d|Traceback|\.py", answer
            ), name
            assert not status.startswith("5"), answer
