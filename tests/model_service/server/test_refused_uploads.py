"""A body over the limit: 413 reaches every client, also those that send all before they read."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from running import Server, drained

pytestmark = pytest.mark.slow

MEGABYTE = 1 << 20
JSON, CSV = "application/json", "text/csv"
FETCH = """
const [url, type, file] = process.argv.slice(1);
const body = require('fs').readFileSync(file);
fetch(url, {method: 'POST', headers: {'content-type': type}, body})
    .then(async (response) => { await response.text(); console.log(response.status); });
"""


@pytest.fixture(scope="module")
def server(proven: Path) -> Iterator[Server]:
    with drained(proven / "model") as server:
        yield server


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Bodies by their number of megabytes."""
    folder = tmp_path_factory.mktemp("bodies")
    found = {}
    for megabytes in (2, 5, 50, 51):
        found[megabytes] = folder / str(megabytes)
        found[megabytes].write_bytes(b"a,b\n" * (megabytes * MEGABYTE // 4))
    return found


def by_urllib(url: str, kind: str, file: Path) -> int:
    request = urllib.request.Request(url, file.read_bytes(), {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def by_requests(url: str, kind: str, file: Path) -> int:
    headers = {"Content-Type": kind}
    return requests.post(url, file.read_bytes(), headers=headers, timeout=60).status_code


def by_curl(url: str, kind: str, file: Path, *options: str) -> int:
    show = ("-s", "-S", "-o", os.devnull, "-w", "%{http_code}")
    content = ("--data-binary", f"@{file}", "-H", f"Content-Type: {kind}")
    return output_of("curl", *show, *content, *options, url)


def by_curl_without_expect(url: str, kind: str, file: Path) -> int:
    return by_curl(url, kind, file, "-H", "Expect:")


def by_node(url: str, kind: str, file: Path) -> int:
    return output_of("node", "-e", FETCH, url, kind, str(file))


def output_of(program: str, *arguments: str) -> int:
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program}")
    environment = {**os.environ, "NO_PROXY": "*", "no_proxy": "*"}
    command = [program, *arguments]
    return int(subprocess.check_output(command, env=environment, text=True))


@pytest.mark.parametrize(("megabytes", "kind"), [(2, JSON), (5, JSON), (50, JSON), (51, CSV)])
@pytest.mark.parametrize("send", [by_urllib, by_requests, by_curl, by_curl_without_expect, by_node])
def test_413_reaches_the_client(
    server: Server,
    files: dict[int, Path],
    monkeypatch: pytest.MonkeyPatch,
    send: Callable[[str, str, Path], int],
    megabytes: int,
    kind: str,
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    url = f"http://127.0.0.1:{server.port}/predict"
    assert [send(url, kind, files[megabytes]) for _ in range(3)] == [413] * 3


def test_with_expect_413_comes_before_the_upload(server: Server) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        client.sendall(head + b"Expect: 100-continue\r\nContent-Length: 5000000\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 413"
