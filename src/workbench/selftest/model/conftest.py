"""The tests of this model share one service, which checks its recorded predictions only once."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from model_service.model.model import Model
from model_service.web.app import create_app


@pytest.fixture(scope="session")
def service(model: Model) -> Flask:
    return create_app(model)


@pytest.fixture
def client(service: Flask) -> FlaskClient:
    return service.test_client()
