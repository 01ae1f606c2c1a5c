"""Direct answers are Flask's, byte by byte, and everything that is no plain success is Flask's."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import LOAN_ROW
from flask import request_started
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from model_service.model.loading import load_model
from model_service.web import api
from model_service.web.app import ModelService, create_app
from model_service.web.settings import Settings

REQUEST_ID = "0123456789abcdef0123456789abcdef"
KEY = "a-key-of-this-test"
HASH = hashlib.sha256(KEY.encode()).digest()
UNUSUAL = {**LOAN_ROW, "applicant_income": 9_000_000}


@dataclass(frozen=True)
class Answer:
    status: str
    headers: list[tuple[str, str]]  # sorted
    body: bytes
    is_direct: bool = field(compare=False)


def service(proven: Path, kind: type[ModelService] = ModelService, **settings: Any) -> ModelService:
    model = load_model(proven / "model")
    if kind is ModelService:
        return create_app(model, Settings(**settings))
    app = kind("model_service.web", model=model, settings=Settings(**settings))
    app.register_blueprint(api.bp)
    return app


def ask(
    app: ModelService,
    row: Any = LOAN_ROW,
    path: str = "/predict",
    *,
    in_lane: bool = True,
    **headers: str,
) -> Answer:
    """Ask as the worker does: in the fast lane, or in a thread."""
    body = json.dumps(row).encode()
    sent = {"X-Request-ID": REQUEST_ID, **{k.replace("_", "-"): v for k, v in headers.items()}}
    environ = EnvironBuilder(
        path=path, method="POST", data=body, content_type="application/json", headers=sent
    ).get_environ()
    if in_lane:
        assert app.answers_inline(environ, body)
    started: list[Any] = []

    def start_response(*arguments: Any) -> Callable[[bytes], None]:
        started[:] = arguments
        return lambda _piece: None

    content = b"".join(app(environ, start_response))
    # Flask leaves its request in the environ.
    return Answer(started[0], sorted(started[1]), content, "werkzeug.request" not in environ)


@pytest.fixture(scope="module")
def app(proven: Path) -> ModelService:
    return service(proven)


def has_unlisted_category(app: ModelService, row: dict[str, Any]) -> bool:
    features = app.service.model.contract.features
    return any(
        feature.closed
        and isinstance(row[feature.name], str)
        and row[feature.name] not in (feature.categories or ())
        for feature in features
    )


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**6), 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["0", "1", "2", "3+", "Graduate", "No", "Yes", "good", "Urban", "Rural", " "]),
    st.text(st.characters(exclude_characters="["), max_size=5),
)


@pytest.mark.parametrize("path", ["/predict", "/explain"])
@hypothesis_settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=st.dictionaries(st.sampled_from(sorted(LOAN_ROW)), VALUES, max_size=3))
def test_the_answers_are_those_of_flask(
    app: ModelService, path: str, changes: dict[str, Any]
) -> None:
    row = {**LOAN_ROW, **changes}
    assume(not has_unlisted_category(app, row))  # the fast lane leaves it to the threads
    direct = ask(app, row, path)
    assert direct == ask(app, row, path, in_lane=False)
    assert direct.is_direct == direct.status.startswith("200")


@pytest.mark.parametrize("path", ["/predict", "/explain"])
def test_warnings_are_there(app: ModelService, path: str) -> None:
    direct = ask(app, UNUSUAL, path)
    assert direct.is_direct
    assert json.loads(direct.body)["warnings"]


def counted(proven: Path, *, in_lane: bool, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """Return what is counted and logged of three requests, without their times."""
    app = service(proven)
    capsys.readouterr()
    for row, path in (
        (LOAN_ROW, "/predict"),
        (UNUSUAL, "/explain"),
        ({**LOAN_ROW, "loan_term": "long"}, "/predict"),
    ):
        ask(app, row, path, in_lane=in_lane)
    log = re.sub(r" ms=\S+", "", capsys.readouterr().out)
    metrics = app.test_client().get("/metrics").text
    return log, re.sub(r"http_request_duration_seconds.*", "", metrics)


def test_they_are_logged_and_counted_alike(
    proven: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, metrics = counted(proven, in_lane=True, capsys=capsys)
    assert (log, metrics) == counted(proven, in_lane=False, capsys=capsys)
    assert log.count("status=200 rows=1") == 2
    assert "model_rows_total 2\n" in metrics


@pytest.mark.parametrize(
    ("headers", "settings", "status", "is_direct"),
    [
        ({}, {}, "200", True),
        ({"Host": "loan.example:8000"}, {}, "200", True),
        ({"Host": "[::1]:8000"}, {}, "200", False),
        ({"Host": "a" * 64}, {}, "400", False),
        ({"Content_Encoding": "gzip"}, {}, "415", False),
        ({}, {"api_keys": (HASH,)}, "401", False),
        ({"Authorization": "Bearer other"}, {"api_keys": (HASH,)}, "401", False),
        ({"Authorization": f"Bearer {KEY}"}, {"api_keys": (HASH,)}, "200", True),
        ({"Cookie": f"api_key={KEY}"}, {"api_keys": (HASH,)}, "200", True),
        ({}, {"requests_per_minute": 1000}, "200", False),
        ({}, {"cors_origins": ("https://a.example",)}, "200", False),
        ({"X_Forwarded_Proto": "https"}, {"trusted_proxies": 1}, "200", True),
    ],
)
def test_who_is_answered_directly(
    proven: Path, headers: dict[str, str], settings: dict[str, Any], status: str, is_direct: bool
) -> None:
    app = service(proven, **settings)
    answer = ask(app, **headers)
    assert (answer.status[:3], answer.is_direct) == (status, is_direct)
    assert answer == ask(app, in_lane=False, **headers)


def with_secret_key(app: ModelService) -> None:
    app.config["SECRET_KEY"] = "of this test"


def with_trusted_hosts(app: ModelService) -> None:
    app.config["TRUSTED_HOSTS"] = ["localhost"]


def with_own_subdomains(app: ModelService) -> None:
    app.subdomain_matching = True


@pytest.mark.parametrize("change", [with_secret_key, with_trusted_hosts, with_own_subdomains])
def test_what_the_owner_configures_is_flasks(
    proven: Path, change: Callable[[ModelService], None]
) -> None:
    app = service(proven)
    change(app)
    assert not ask(app).is_direct


@contextmanager
def watched() -> Iterator[list[object]]:
    seen: list[object] = []

    def see(sender: object, **_: object) -> None:
        seen.append(sender)

    with request_started.connected_to(see):
        yield seen


def test_programs_that_watch_flask_see_each_request(proven: Path) -> None:
    app = service(proven)
    with watched() as seen:
        ask(app)
    assert seen == [app]


class OwnService(ModelService):
    """Could override anything."""


def test_a_class_of_the_owners_is_flasks(proven: Path) -> None:
    assert not ask(service(proven, OwnService)).is_direct


def test_a_model_that_fails_is_answered_by_flask(
    app: ModelService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = app.service.predictor.queue

    def fail(_batch: object) -> list[object]:
        raise ZeroDivisionError

    assert ask(app).is_direct  # it has reproduced its golden predictions, and is ready
    with monkeypatch.context() as patched:
        patched.setattr(queue, "_predict", fail)
        answer = ask(app)
        assert answer == ask(app, in_lane=False)
    assert not answer.is_direct
    assert answer.status.startswith("500")
    assert REQUEST_ID in json.loads(answer.body)["detail"]
    assert ask(app).is_direct
