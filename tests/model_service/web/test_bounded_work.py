"""No request under 1 MiB costs more than a second of the processor or 64 MB, whatever the model."""

from __future__ import annotations

import ctypes
import gc
import json
import random
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import adopted
from flask.testing import FlaskClient
from processor import slowness
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from model_service.model.loading import load_model
from model_service.web.app import create_app
from workbench.verify.prove import prove

MAX_BYTES = 1 << 20
MAX_CPU_SECONDS, MAX_MEMORY_BYTES = 1.0, 64 << 20
PROCESS = Path("/proc/self")

FEATURE_COUNT, CATEGORY_COUNT, ROW_COUNT, MAX_CSV_ROWS = 1000, 5000, 1000, 200_000
JSON, CSV, FORM = "application/json", "text/csv", "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Served:
    """A model behind a client, and a row that it takes."""

    client: FlaskClient
    row: Mapping[str, Any]

    @property
    def names(self) -> list[str]:
        return list(self.row)


def shuffled(word: str, seed: int) -> str:
    letters = list(word)
    random.Random(seed).shuffle(letters)
    return "".join(letters)


def words(count: int, seed: int, length: int = 12) -> list[str]:
    letters = random.Random(seed)
    return ["".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=length)) for _ in range(count)]


def wide(folder: Path) -> dict[str, str]:
    """1,000 numbers, with names that differ in their last letters only."""
    names = [f"sensor_channel_temperature_mean_{number:04d}" for number in range(FEATURE_COUNT)]
    values = np.random.default_rng(0).normal(size=(40, FEATURE_COUNT))
    frame = pd.DataFrame(values, columns=names)
    model = LogisticRegression(max_iter=20).fit(frame, frame[names[0]] > 0)
    joblib.dump(model, folder / "model.joblib")
    frame.head(20).to_csv(folder / "sample.csv", index=False)
    return {"sample_data": str(folder / "sample.csv")}


def neighbours(folder: Path) -> dict[str, str]:
    """30 numbers, and a model that is explained by asking it."""
    values = np.random.default_rng(0).normal(size=(60, 30))
    frame = pd.DataFrame(values, columns=[f"f{number}" for number in range(30)])
    joblib.dump(KNeighborsClassifier().fit(frame, frame["f0"] > 0), folder / "model.joblib")
    frame.to_csv(folder / "sample.csv", index=False)
    return {"sample_data": str(folder / "sample.csv")}


def category(listed: list[Any], *, one_hot: bool = False) -> Callable[[Path], dict[str, str]]:
    """A category of 5,000 values and a number."""

    def make(folder: Path) -> dict[str, str]:
        codes = {str(value): number for number, value in enumerate(listed)}
        columns = [f"city_{key}" for key in codes] if one_hot else ["city"]
        encoding = {"one_hot": dict(zip(codes, columns, strict=True))} if one_hot else None
        city = {"name": "city", "categories": listed, **(encoding or {"encode": codes})}
        frame = pd.DataFrame(np.eye(2, len(columns) + 1), columns=[*columns, "age"])
        joblib.dump(DecisionTreeClassifier().fit(frame, [0, 1]), folder / "model.joblib")
        (folder / "features.json").write_text(json.dumps([city, {"name": "age"}]))
        return {"features": str(folder / "features.json")}

    return make


MODELS = {
    "wide": wide,
    "texts": category(words(CATEGORY_COUNT, 0)),
    "numbers": category(list(range(CATEGORY_COUNT))),
    "one-hot": category(words(FEATURE_COUNT, 0), one_hot=True),
    "neighbours": neighbours,
}


@pytest.fixture(scope="module", params=MODELS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp(request.param)
    answers = MODELS[request.param](folder)
    project = adopted(folder, folder / "model.joblib", **answers)
    if "sample_data" in answers:
        prove(project)  # so that it explains
    model = load_model(project / "model")
    client = create_app(model).test_client()
    row = model.manifest.example()
    assert client.post("/predict", json=row).status_code == 200
    gc.collect()
    gc.freeze()  # as the server does: else each search for garbage visits all libraries
    return Served(client, row)


@dataclass(frozen=True)
class Sent:
    """A request."""

    path: str
    kind: str = ""
    body: str = ""
    method: str = "POST"


# By the names of the features, and a row that the model takes.
Requests = Callable[[list[str], dict[str, Any]], Iterator[tuple[str, Sent]]]


def csv(header: list[str], line: str, count: int = MAX_CSV_ROWS) -> str:
    """Return a header and as many lines as are wanted and fit."""
    start = ",".join(header) + "\n"
    room = (MAX_BYTES - 1 - len(start)) // (len(line) + 1)
    return start + f"{line}\n" * min(room, count)


def distinct(header: list[str], line: Callable[[int], str]) -> str:
    """Return a header and as many different lines as fit."""
    lines = [",".join(header)]
    size = len(lines[0]) + 1
    while size < MAX_BYTES:
        lines.append(line(len(lines)))
        size += len(lines[-1].encode()) + 1
    return "\n".join(lines[:-1])


def rows(one: str) -> str:
    """Return a batch of one row, as often as it may be there."""
    return batch([one] * ROW_COUNT)


def batch(texts: Iterable[str]) -> str:
    """Return a batch of as many of the rows as fit."""
    fitting = list(texts)
    fitting = fitting[: (MAX_BYTES - 20) // (max(map(len, fitting)) + 1)]
    return '{"rows":[' + ",".join(fitting) + "]}"


def members(member: str, size: int = MAX_BYTES - 20, separator: str = ",") -> str:
    """Return as many members as fit, with names of few letters."""
    parts: list[str] = []
    while size > 0:
        parts.append(member.format(f"{len(parts):x}"))
        size -= len(parts[-1]) + len(separator)
    return separator.join(parts[:-1])


def json_requests(names: list[str], row: dict[str, Any]) -> Iterator[tuple[str, Sent]]:
    first = names[0]
    bodies = {
        "empty rows": rows("{}"),
        "rows of lists": rows(json.dumps({name: [] for name in names}, separators=(",", ":"))),
        "rows of letters": rows(json.dumps(dict.fromkeys(names, "x"), separators=(",", ":"))),
        "numbers of 400 digits": rows(json.dumps(row | {first: 10**400})),
        "good rows": rows(json.dumps(row)),
        "shuffled names": json.dumps({shuffled(first, seed): 1 for seed in range(20)}),
        "long names": json.dumps({shuffled("ab" * 100, seed): 1 for seed in range(1000)}),
        "unknown names": "{" + members('"{}":1') + "}",
        "unknown names in many rows": rows("{" + members('"{}":1', 900) + "}"),
        "unknown values": batch(json.dumps(row | {first: word}) for word in words(ROW_COUNT, 1)),
        "empty lists": "[" + "[]," * 349_000 + "[]]",
    }
    for name, body in bodies.items():
        yield name, Sent("/predict", JSON, body)


def csv_requests(names: list[str], row: dict[str, Any]) -> Iterator[tuple[str, Sent]]:
    good = {name: str(value) for name, value in row.items()}
    many_columns = [*names, *(f"{number:x}_" for number in range(60_000))]

    def letters(seed: int) -> str:
        codes = np.random.default_rng(seed).integers(48, 123, 2 * len(names)).tolist()
        text = "".join(map(chr, codes))
        return ",".join(text[place : place + 2] for place in range(0, len(text), 2))

    def unknown_value(number: int) -> str:
        return ",".join({**good, names[0]: f"k{number}"}.values())

    bodies = {
        "empty cells": csv(names, "," * (len(names) - 1)),
        "letters": csv(names, ",".join("x" * len(names))),
        "short rows": csv(names, "x"),
        "60,000 columns and short rows": csv(many_columns, "x"),
        "60,000 columns and a few short rows": csv(many_columns, "x", 160),
        "60,000 columns before the features": csv(many_columns[::-1], "x", 9),
        "60,000 columns of letters": csv(many_columns, ",".join("x" * len(many_columns))),
        "unlike letters": distinct(names, letters),
        "unknown values": distinct(names, unknown_value),
        "good rows": csv(names, ",".join(good.values()), ROW_COUNT),
        "shuffled columns": csv(["#", *(shuffled(names[0], seed) for seed in range(1000))], "1", 1),
        "blank lines": "\r" * (MAX_BYTES - 1),
        "a row and blank lines": csv(names, ",".join(good.values()), 1) + "\r" * 900_000,
        "repeated columns": ",".join(f"{number % 90_000:x}" for number in range(180_000)),
    }
    for name, body in bodies.items():
        yield f"CSV of {name}", Sent("/predict", CSV, body)
        yield f"CSV of {name}, kept", Sent("/predict?on_error=keep", CSV, body)
    part = '--x\r\ncontent-disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    table = csv(names, "x" + "," * (len(names) - 1))[: MAX_BYTES - 1000].rpartition("\n")[0]
    upload = f"{part}{table}\r\n--x--\r\n"
    yield "an uploaded file", Sent("/file", "multipart/form-data; boundary=x", upload)


def form_requests(names: list[str], row: dict[str, Any]) -> Iterator[tuple[str, Sent]]:
    for path in ("/", "/?part=answer", "/row"):
        yield f"unknown fields to {path}", Sent(path, FORM, members("{}", 499_000, "&"))
        yield f"an empty form to {path}", Sent(path, FORM, "")
        fields = urlencode(dict.fromkeys(names, "x"))
        yield f"a form of letters to {path}", Sent(path, FORM, fields)
        yield f"a good form to {path}", Sent(path, FORM, urlencode(row))
    pasted = {
        "unknown names": "{" + members('"{}":1', 499_000) + "}",
        "a good row": json.dumps(row),
        "columns": csv([*names, *(f"{number:x}_" for number in range(60_000))], "x", 1),
    }
    for name, text in pasted.items():
        yield f"pasted: {name}", Sent("/row", FORM, f"row={text}")


def explain_requests(names: list[str], row: dict[str, Any]) -> Iterator[tuple[str, Sent]]:
    refused = {name: -abs(v) if isinstance(v, float) else v for name, v in row.items()}
    others = [{**refused, names[0]: number} for number in range(-32, 0)]
    bodies = {
        "a row": json.dumps(refused),
        "32 rows": batch([json.dumps(refused)] * 32),
        "32 unlike rows": batch(map(json.dumps, others)),
        "33 rows": batch([json.dumps(refused)] * 33),
    }
    for path in ("/explain", "/predict?explain=1", "/predict?reasons=4", "/explain?reasons=4"):
        for name, body in bodies.items():
            yield f"{name} to {path}", Sent(path, JSON, body)
    line = ",".join(map(str, refused.values()))
    for path in ("/predict?reasons=4", "/predict?reasons=4&on_error=keep"):
        yield f"a CSV to {path}", Sent(path, CSV, csv(names, line))
    yield "why, of the form", Sent("/?explain=1", FORM, urlencode(refused))


def page_requests(names: list[str], row: dict[str, Any]) -> Iterator[tuple[str, Sent]]:
    pages = "/ /?example=1 /accent.css /docs /docs/swagger-ui-bundle.js /example.csv /features "
    pages += "/health /metadata /metrics /model /model.md /openapi.json /ready /static/a.svg"
    for path in pages.split():
        yield path, Sent(path, method="GET")


def job_requests(names: list[str], row: dict[str, Any]) -> Iterator[tuple[str, Sent]]:
    """As JOBS is off; where it is on, a process of its own predicts."""
    yield "a job", Sent("/jobs", CSV, csv(names, ",".join(map(str, row.values()))))
    for method, path in (("GET", "/jobs/a"), ("GET", "/jobs/a/result"), ("DELETE", "/jobs/a")):
        yield f"{method} {path}", Sent(path, method=method)


ALL_REQUESTS: list[Requests] = [
    json_requests,
    csv_requests,
    form_requests,
    explain_requests,
    page_requests,
    job_requests,
]


def answer(served: Served, sent: Sent) -> tuple[int, int]:
    """Send a request; return status and bytes of the answer, without keeping them."""
    accept = {"Accept": "text/html"} if sent.kind not in (JSON, CSV) else {}
    response = served.client.open(
        sent.path,
        method=sent.method,
        data=sent.body.encode(),
        content_type=sent.kind,
        headers=accept,
    )
    try:
        return response.status_code, sum(map(len, response.response))
    finally:
        response.close()


@dataclass(frozen=True)
class Cost:
    """What a request has cost, and the size of its answer."""

    status: int
    size: int
    seconds: float  # of the processor, less on a slow one
    memory: int


def measure(served: Served, sent: Sent) -> Cost:
    """Send a request and measure it."""
    gc.collect()
    slow_before = slowness()
    before, started = reset_peak_memory(), time.process_time()
    status, size = answer(served, sent)
    seconds, memory = time.process_time() - started, peak_memory() - before
    return Cost(status, size, seconds / max(1.0, slow_before, slowness()), memory)


def reset_peak_memory() -> int:
    """Let the peak be what this process holds now, and return that in bytes."""
    ctypes.CDLL(None).malloc_trim(0)  # what earlier requests have freed
    PROCESS.joinpath("clear_refs").write_text("5")
    return peak_memory()


def peak_memory() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", PROCESS.joinpath("status").read_text())
    assert found
    return int(found[1]) << 10


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
@pytest.mark.parametrize("requests", ALL_REQUESTS)
def test_each_request_is_bounded(served: Served, requests: Requests) -> None:
    over = []
    for name, sent in requests(served.names, dict(served.row)):
        assert len(sent.body.encode()) < MAX_BYTES, name
        cost = measure(served, sent)
        if cost.seconds > MAX_CPU_SECONDS:
            cost = measure(served, sent)  # without what only a first call costs
        line = (
            f"{name}: {len(sent.body)} bytes -> {cost.status}, {cost.size} bytes, "
            f"{cost.seconds:.2f} s, {cost.memory / 2**20:.0f} MiB"
        )
        print(line)
        assert cost.status < 500, line
        if cost.seconds > MAX_CPU_SECONDS or cost.memory > MAX_MEMORY_BYTES:
            over.append(line)
    assert over == []


def test_each_route_gets_a_request(served: Served) -> None:
    routes = served.client.application.url_map
    adapter = routes.bind("localhost")
    requests = (sent for made in ALL_REQUESTS for sent in made(served.names, dict(served.row)))
    tried = {
        (adapter.match(sent.path.partition("?")[0], sent.method)[0], sent.method)
        for _, sent in requests
    }
    methods = {"GET", "POST", "PUT", "PATCH", "DELETE"}
    known = {(r.endpoint, method) for r in routes.iter_rules() for method in r.methods & methods}
    assert tried == known
