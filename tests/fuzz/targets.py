"""The targets of the fuzzer: each takes any bytes, and raises if a guarantee is broken."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from conftest import EXAMPLE, adopted
from fuzz.loaders import compare_with_loaders
from stand_ins import Mirror, model_around
from werkzeug.test import run_wsgi_app

from model_service.contract.batch import Batch
from model_service.contract.contract import Contract, ContractError
from model_service.contract.parsing import parse_rows
from model_service.contract.problems import ProblemCounts
from model_service.contract.schema import parse_contract, read_contract
from model_service.csv.reader import CsvFile
from model_service.csv.stream import CsvJob
from model_service.errors import ServiceError
from model_service.model.loading import load_model
from model_service.model.model import Model
from model_service.model.predictions import Prediction
from model_service.web import api
from model_service.web.app import create_app
from model_service.web.errors import RequestProblem
from model_service.web.openapi import document
from model_service.web.settings import Settings
from workbench.adopt.answers import Answers
from workbench.adopt.features_answer import read_features
from workbench.errors import UserError
from workbench.inspect import ModelFacts, RefusedFile, bundle_of, inspect, read_document

Attack = Callable[[bytes], object]

# Features of every type, with awkward names and categories.
FEATURES: list[dict[str, Any]] = [
    {"name": "number", "nullable": True},
    {"name": "strict", "minimum": -1, "maximum": 10, "strict": True},
    {"name": "whole", "type": "integer", "nullable": True},
    {"name": "yes", "type": "boolean"},
    {"name": "day", "categories": [1, 2, 3], "encode": {"1": 1, "2": 2, "3": 4}},
    {"name": "=kind", "categories": ["a", "=", ""], "one_hot": {"a": "kind_a"}},
    {"name": "open", "type": "category"},
    {"name": "text", "type": "text"},
    {"name": "date", "type": "date", "nullable": True},
]
ROW: dict[str, Any] = {
    "number": 0.5,
    "strict": 10,
    "whole": 2**53 + 1,
    "yes": True,
    "day": 2,
    "=kind": "a",
    "open": " as it is ",
    "text": 'a "b",\r\nc',
    "date": "2024-02-29",
}


METHOD = re.compile(r"[A-Z]{3,20}")


def served(folder: Path) -> Model:
    """Return a model that takes frames, behind a contract with features of every type."""
    sample = str(EXAMPLE / "sample.csv")
    features = str(EXAMPLE / "features.json")
    project = adopted(folder, EXAMPLE / "model.joblib", sample_data=sample, features=features)
    return model_around(Mirror(), load_model(project / "model"), FEATURES, ROW)


def settings() -> Settings:
    return Settings(max_json_bytes=1 << 16, max_json_rows=20, max_csv_bytes=1 << 16)


def check_problem(error: RequestProblem | ServiceError) -> None:
    """Check that a problem is one that callers can read."""
    problem = RequestProblem.of(error) if isinstance(error, ServiceError) else error
    assert 400 <= problem.status < 500, problem
    json.dumps([problem.title, problem.detail, *(error.to_json() for error in problem.errors)])
    for error in problem.errors:
        assert error.message
        assert error.row is None or error.row >= 1
        assert error.line is None or error.line >= 1


def check_texts(texts: Sequence[str]) -> None:
    """Check that there are texts, and none is empty."""
    assert texts
    assert all(texts)


def strict_json(text: str | bytes) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def json_rows(folder: Path) -> Attack:
    """A JSON body becomes rows that the model accepts, or a problem."""
    model = served(folder)
    app = create_app(model, settings())

    def attack(body: bytes) -> None:
        with app.app_context():
            try:
                parsed = api.parse_json(body)
                several = isinstance(parsed, dict) and isinstance(parsed.get("rows"), list)
                batch = api.validate(parsed["rows"] if several else [parsed], app.service)
            except (RequestProblem, ServiceError) as problem:
                check_problem(problem)
                return
            answers = model.predict(batch)
            assert len(answers) == len(batch)
            strict_json(json.dumps(list(answers), allow_nan=False))

    return attack


def csv_rows(folder: Path) -> Attack:
    """A CSV is returned with its predictions, or there is a problem; `keep` keeps bad rows."""
    model = served(folder)
    example = model.predict(Batch.of_rows([ROW]))[0]
    names = [feature.name for feature in model.contract.features]

    def answer(body: bytes, keep: bool) -> list[list[str]] | None:
        try:
            job = CsvJob(model.contract, example, predict, 1000, 2000, 60, keep, count)
            text = b"".join(job.run(io.BytesIO(body), io.BytesIO())).decode("utf-8-sig")
        except (RequestProblem, ServiceError) as problem:
            check_problem(problem)
            return None
        delimiter = CsvFile(io.BytesIO(body), names, 2000).delimiter
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        records = list(reader)
        assert len({len(record) for record in records}) == 1
        assert "prediction" in records[0]
        return records

    def predict(batch: Batch) -> tuple[Sequence[Prediction], Sequence[int]]:
        return model.predict(batch), ()

    def count(counts: ProblemCounts) -> None:
        assert all(counts.values())

    def attack(body: bytes) -> None:
        kept, refused = answer(body, True), answer(body, False)
        if refused is not None:
            assert kept is not None
            assert [record[:-1] for record in kept] == refused
            assert {record[-1] for record in kept[1:]} == {""}

    return attack


def contract(folder: Path) -> Attack:
    """A features.json is a contract that survives writing and reading, or has readable problems."""
    path = folder / "features.json"
    manifest = served(folder).manifest

    def attack(content: bytes) -> None:
        path.write_bytes(content)
        try:
            found = read_contract(path)
        except ContractError as error:
            check_texts(error.problems)
            return
        written = json.loads(json.dumps(found.to_json()))
        assert parse_contract(written) == found
        strict_json(json.dumps(document(found, manifest), allow_nan=False))
        for row in rows_for(found):
            batch = parse_rows(found, [row])
            assert len(batch) or batch.problems
            found.columns(batch)

    return attack


def rows_for(contract: Contract) -> Iterator[dict[str, Any]]:
    """Yield rows that a contract can accept."""
    for value in (0, "", None, True, "2024-02-29"):
        yield dict.fromkeys((feature.name for feature in contract.features), value)
    yield {
        feature.name: (feature.categories or (feature.minimum or 0,))[0]
        for feature in contract.features
    }


def features_answer(folder: Path) -> Attack:
    """A file for the `features` question is read, or refused with a readable message."""
    given = [
        Answers("A", "a", "A.", "model.pkl", folder, features=f"features.{suffix}")
        for suffix in ("txt", "csv")
    ]

    def attack(content: bytes) -> None:
        for answers in given:
            (folder / answers.features).write_bytes(content)
            try:
                assert all(read_features(answers).names)
            except UserError as error:
                check_texts([str(error)])

    return attack


def request(folder: Path) -> Attack:
    """Every request gets a response, and never a 5xx."""
    app = create_app(served(folder), settings())

    def attack(content: bytes) -> None:
        head, _, body = content.partition(b"\n\n")
        environ = environ_of(head.decode("latin-1").split("\n"), body)
        parts, status, headers = run_wsgi_app(app, environ, buffered=True)
        answer = b"".join(parts)
        code = int(status.split()[0])
        assert code < 500, (status, answer)
        assert b"Traceback" not in answer
        kind = headers.get("Content-Type", "")
        if kind.partition(";")[0].endswith("json"):
            strict_json(answer)
        for name, value in headers:
            assert not set("\r\n\0") & set(name + value)

    return attack


def environ_of(head: Sequence[str], body: bytes) -> dict[str, Any]:
    """Return the WSGI environment of a request: a line with method and path, then headers.

    gunicorn itself refuses odd methods, non-ASCII characters in the query and line ends in headers,
    so they are replaced here.
    """
    method, _, address = head[0].partition(" ")
    path, _, query = address.partition("?")
    query = "".join(c for c in query if c.isascii() and c.isprintable() and c != " ")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method if METHOD.fullmatch(method) else "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path if path.startswith("/") else f"/{path}",
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "CONTENT_LENGTH": str(len(body)),
    }
    for line in head[1:]:
        name, _, value = line.partition(":")
        key = "".join(c if c.isascii() and c.isalnum() else "_" for c in name).upper()
        if key not in ("CONTENT_LENGTH", "TRANSFER_ENCODING"):  # gunicorn refuses wrong ones
            value = value.strip().replace("\r", "").replace("\0", "")
            environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return environ


def model_file(folder: Path) -> Attack:
    """A file ends in facts or a refusal; loaders import only names that inspection lists."""
    path = folder / "model.pkl"

    def attack(content: bytes) -> None:
        path.write_bytes(content)
        try:
            bundle_of(read_document(path).root)
            assert isinstance(inspect(path), ModelFacts)
        except RefusedFile as refusal:
            check_texts([refusal.code, refusal.what, refusal.remedy])
        compare_with_loaders(content)

    return attack


TARGETS: dict[str, Callable[[Path], Attack]] = {
    "json": json_rows,
    "csv": csv_rows,
    "contract": contract,
    "features": features_answer,
    "request": request,
    "model": model_file,
}
