"""Large CSV files through gunicorn as the project runs it: memory, limits, broken connections."""

from __future__ import annotations

import json
import re
import time
from http.client import HTTPResponse, IncompleteRead
from pathlib import Path

import joblib
import pytest
from conftest import EXAMPLE, adopted
from running import gunicorn
from sklearn.linear_model import LinearRegression

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux about the worker"),
]

MEGABYTE = 1 << 20
HEADER, *ROWS = (EXAMPLE / "sample.csv").read_bytes().splitlines(keepends=True)
# It fails on one value that its contract takes, as no test of a few rows would find out.
PREPARE = """
def prepare(frame):
    if (frame["x"] == 13).any():
        raise ZeroDivisionError("thirteen")
    return frame
"""


@pytest.fixture
def fussy(tmp_path: Path) -> Path:
    joblib.dump(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), tmp_path / "model.joblib")
    (tmp_path / "app.py").write_text(PREPARE)
    answers = {"features": "x", "model_code": "app.py"}
    return adopted(tmp_path, tmp_path / "model.joblib", **answers) / "model"


def lines_of(response: HTTPResponse) -> int:
    assert response.status == 200, response.read()
    return sum(1 for _ in response)


def test_memory_does_not_grow_with_the_rows(loan: Path) -> None:
    with gunicorn(loan / "model") as server:
        peaks = []
        for times in (20, 200):
            with server.answer(HEADER + b"".join(ROWS) * times) as response:
                assert lines_of(response) == len(ROWS) * times + 1
            peaks.append(server.peak())
    assert len(ROWS) * 200 == 100_000
    assert peaks[1] - peaks[0] < 24 * MEGABYTE, peaks


def test_a_body_over_the_limit_is_refused_in_chunks_too(fussy: Path) -> None:
    body = b"x\n" + b"1\n" * 50_000
    with gunicorn(fussy, MAX_CSV_BYTES="100000") as server:
        for given in (body, [body[:50_000], body[50_000:]]):
            with server.answer(given) as response:
                assert response.status == 413
                assert json.load(response)["detail"] == "At most 100000 bytes."
        for given in (body[:100_000], [body[:50_000], body[50_000:100_000]]):
            with server.answer(given) as response:
                assert lines_of(response) == 50_000


def test_a_response_that_breaks_off_is_logged_with_its_reason(fussy: Path) -> None:
    # More than is kept until all rows are checked: the answer has begun when the last row fails.
    rows = [b"%d,%s\n" % (number, b"y" * 100_000) for number in range(20, 399)]
    with gunicorn(fussy) as server:
        with server.answer([b"x,y\n", *rows]) as response:
            assert lines_of(response) == len(rows) + 1
        with server.answer([b"x,y\n", *rows, b"13,y\n"]) as response:
            assert response.status == 200
            with pytest.raises(IncompleteRead):
                response.read()
        server.process.terminate()
        assert server.process.stdout is not None
        log = server.process.stdout.read()
    assert "a CSV answer breaks off: The request does not fit the model" in log
    assert "'row': 380, 'line': 381" in log
    (error_id,) = re.findall(r"level=error .*request_id=(\w+)", log)
    (whole, _), (broken, id_) = re.findall(r"status=200 .*rows=(\d+) request_id=(\w+)", log)
    assert int(whole) == len(rows) > int(broken)
    assert id_ == error_id


def test_files_of_a_disconnected_client_are_removed(fussy: Path) -> None:
    rows = [b"%d,%s\n" % (number, b"y" * 100_000) for number in range(20, 399)]
    with gunicorn(fussy) as server:
        before = server.temporary_files()  # gunicorn has one of its own
        with server.answer([b"x,y\n", *rows]) as response:
            assert response.read(10)
            assert len(server.temporary_files()) == len(before) + 2
        deadline = time.monotonic() + 60
        while server.temporary_files() != before and time.monotonic() < deadline:
            with server.answer(b"x\n1\n") as response:  # others are answered meanwhile
                assert lines_of(response) == 2
        assert server.temporary_files() == before
