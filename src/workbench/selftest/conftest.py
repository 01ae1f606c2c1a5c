"""The tests pass for any adopted model: what they know about it, they read from `model/`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from model_service.contract.golden import json_batches
from model_service.model.loading import load_model
from model_service.model.model import Model
from model_service.web.app import create_app
from model_service.web.settings import Settings


@pytest.fixture(scope="session")
def directory() -> Path:
    return (Settings.from_environment().model_directory or Path("model")).absolute()


@pytest.fixture(scope="session")
def model(directory: Path) -> Model:
    return load_model(directory)


@pytest.fixture
def client(model: Model) -> FlaskClient:
    return create_app(model).test_client()


@pytest.fixture
def rows(model: Model) -> list[dict[str, Any]]:
    """Rows that the model is known to take, as many as fit into one request.

    A copy, so that a test may change them.
    """
    examples = [dict(row) for row in model.manifest.examples]
    return next(json_batches(examples, Settings.from_environment().max_json_bytes))


@pytest.fixture
def edited(directory: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copy `model/` and edit one of its JSON files."""

    def edit(name: str, change: Callable[[dict[str, Any]], None]) -> Path:
        copy = tmp_path / "model"
        shutil.copytree(directory, copy)
        document = json.loads((copy / name).read_text(encoding="utf-8"))
        change(document)
        (copy / name).write_text(json.dumps(document), encoding="utf-8")
        return copy

    return edit
