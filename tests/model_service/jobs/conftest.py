"""A database for each module, without jobs at the beginning of each test."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import EXAMPLE
from flask.testing import FlaskClient
from postgres import Postgres, postgres

from model_service.model.loading import load_model
from model_service.model.model import Model
from model_service.web.app import create_app
from model_service.web.settings import Settings


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture
def database(server: Postgres) -> Postgres:
    server.execute("drop table if exists model_job_parts, model_jobs")
    return server


@pytest.fixture(scope="module")
def model(proven: Path) -> Model:
    return load_model(proven / "model")


@pytest.fixture
def client(model: Model, database: Postgres) -> FlaskClient:
    settings = Settings(jobs=True, database_url=database.url, max_csv_rows=sys.maxsize)
    return create_app(model, settings).test_client()


@pytest.fixture(scope="session")
def loans() -> Callable[..., bytes]:
    """Rows of the example's sample, as many as wanted; `changed` sets cells of some rows."""
    with (EXAMPLE / "sample.csv").open(newline="") as file:
        header, *sample = csv.reader(file)

    def rows(count: int, changed: dict[int, tuple[str, str]] | None = None) -> bytes:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(header)
        for number in range(count):
            row = [*sample[number % len(sample)]]
            if changed and number in changed:
                name, value = changed[number]
                row[header.index(name)] = value
            writer.writerow(row)
        return text.getvalue().encode()

    return rows
