"""ModelService is a Flask application: what Flask users know works on it."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import EXAMPLE, SRC, adopted, environment
from flask import Response, abort, after_this_request, render_template, request, session

from model_service import ModelService, StartError, api, docs, pages
from model_service.errors import ModelError
from model_service.web.app import create_app
from model_service.web.settings import Settings, SettingsError

APP = """\
from model_service import ModelService, api, docs, pages

app = ModelService(__name__, model="model")
app.register_blueprint(api.bp)
app.register_blueprint(pages.bp)
app.register_blueprint(docs.bp)
"""


@pytest.fixture(scope="session")
def loan_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `model/` of the loan example, adopted and not verified."""
    folder = tmp_path_factory.mktemp("application")
    answers = {"features": str(EXAMPLE / "features.json"), "project_name": "Loan approval"}
    return adopted(folder, EXAMPLE / "model.joblib", **answers) / "model"


@pytest.fixture
def project(tmp_path: Path, loan_model: Path) -> Path:
    """A project of app.py and the model only."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "model").symlink_to(loan_model, target_is_directory=True)
    return tmp_path


@pytest.fixture
def load(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], ModelService]:
    """Import the project's app.py anew and return its application."""
    monkeypatch.delenv("MODEL_DIR", raising=False)

    def load_app() -> ModelService:
        spec = importlib.util.spec_from_file_location("app", project / "app.py")
        assert spec is not None
        assert spec.loader is not None
        module: ModuleType = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "app", module)
        spec.loader.exec_module(module)
        app: ModelService = module.app
        return app

    return load_app


Load = Callable[[], ModelService]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def test_the_public_names_are_imported_lazily() -> None:
    code = (
        "import sys, model_service, model_service.contract.contract\n"
        "from model_service import StartError\n"
        "import model_service.server.gunicorn\n"
        "assert not {'flask', 'numpy'} & set(sys.modules)\n"
        "assert {'ModelService', 'api', 'docs', 'pages'} <= set(dir(model_service))\n"
        "assert model_service.ModelService.__name__ == 'ModelService'\n"
    )
    subprocess.run([sys.executable, "-c", code], env=environment(PYTHONPATH=str(SRC)), check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = importlib.import_module("model_service").nothing


def test_the_model_is_found_beside_app_py(load: Load) -> None:
    app = load()
    client = app.test_client()
    row = app.service.model.manifest.example()
    assert client.post("/predict", json=row).status_code == 200
    assert client.get("/").status_code == 200
    assert client.get("/docs").status_code == 200


def test_the_config_var_outranks_the_argument(
    load: Load, project: Path, loan_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project / "app.py", APP.replace('"model"', '"elsewhere"'))
    with pytest.raises(StartError, match="elsewhere"):
        load()
    monkeypatch.setenv("MODEL_DIR", str(loan_model))
    assert load().service.model.manifest.model.file == "model.joblib"


def test_errors_that_stop_the_start_are_start_errors() -> None:
    assert issubclass(SettingsError, StartError)
    assert issubclass(ModelError, StartError)
    assert not issubclass(StartError, RuntimeError)  # gunicorn would print it in its own way


def test_a_page_that_is_left_out_is_nowhere_linked(load: Load, project: Path) -> None:
    write(project / "app.py", APP.replace("app.register_blueprint(pages.bp)\n", ""))
    client = load().test_client()
    assert client.get("/").status_code == 404
    found = client.get("/docs")
    assert found.status_code == 200
    assert 'href="/model"' not in found.text
    assert 'href="/"' not in client.get("/nothing", headers={"Accept": "text/html"}).text


def test_a_template_of_the_project_replaces_the_engines(load: Load, project: Path) -> None:
    extended = '{% extends "model_service/form.html" %}{% block title %}Ours{% endblock %}'
    write(project / "templates" / "form.html", extended)
    own = '{% extends "base.html" %}{% block content %}{{ title }}{% endblock %}'
    write(project / "templates" / "own.html", own)
    app = load()
    app.add_url_rule("/own", view_func=lambda: render_template("own.html"))
    page = app.test_client().get("/").text
    assert "<title>Ours</title>" in page
    assert "<h1>" in page
    assert "Loan approval</main>" in app.test_client().get("/own").text
    write(project / "templates" / "base.html", "<title>Bare</title>")
    assert load().test_client().get("/model").text == "<title>Bare</title>"


def test_a_static_file_of_the_project_replaces_the_engines(load: Load, project: Path) -> None:
    write(project / "static" / "icon.svg", "<svg/>")
    client = load().test_client()
    with client.get("/static/icon.svg") as own, client.get("/static/style.css") as engines:
        assert own.text == "<svg/>"
        assert engines.status_code == 200
    assert client.get("/static/nothing.css").status_code == 404
    assert client.get("/static/../app.py").status_code == 404


def test_a_stylesheet_of_the_project_comes_after_the_engines(load: Load, project: Path) -> None:
    assert "custom.css" not in load().test_client().get("/").text
    write(project / "static" / "custom.css", "h1 { color: green }")
    client = load().test_client()
    for path in ("/", "/model", "/docs"):
        page = client.get(path).text
        assert page.index("style.css") < page.index('href="/static/custom.css"')
    assert client.get("/docs").text.index("docs.css") < client.get("/docs").text.index("custom.css")


def test_routes_and_hooks_of_the_project(load: Load, project: Path) -> None:
    app = load()

    @app.before_request
    def refuse_robots() -> tuple[str, int] | None:
        return ("No robots.", 403) if request.user_agent.string == "robot" else None

    @app.after_request
    def sign(response: Response) -> Response:
        response.headers["X-Signed"] = "yes"
        return response

    @app.get("/hello/<name>")
    def hello(name: str) -> dict[str, str]:
        return {"hello": name}

    client = app.test_client()
    found = client.get("/hello/Ada")
    assert found.get_json() == {"hello": "Ada"}
    assert found.headers["X-Signed"] == "yes"
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/hello/Ada", headers={"User-Agent": "robot"}).status_code == 403
    counted = 'http_requests_total{route="/hello/<name>",method="GET",status="200"} 1\n'
    assert counted in client.get("/metrics").text


def test_a_route_of_the_project_needs_a_key_too(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEYS", "0" * 64)
    app = load()
    app.add_url_rule("/hello", view_func=lambda: "hello")
    client = app.test_client()
    assert client.get("/hello").status_code == 401
    # The page that asks for the key does not name the model.
    page = client.get("/", headers={"Accept": "text/html"}).text
    assert app.service.model.manifest.about.title not in page


def test_middleware_of_the_project(load: Load) -> None:
    app = load()
    inner = app.wsgi_app

    def middleware(environ: Any, start_response: Any) -> Any:
        environ["HTTP_X_REQUEST_ID"] = "set-by-the-middleware"
        return inner(environ, start_response)

    app.wsgi_app = middleware  # type: ignore[method-assign]
    assert app.test_client().get("/health").headers["X-Request-ID"] == "set-by-the-middleware"


def test_sessions_work_with_a_secret_key_only(load: Load) -> None:
    def count() -> str:
        session["count"] = session.get("count", 0) + 1
        return str(session["count"])

    app = load()
    app.add_url_rule("/count", view_func=count)
    assert app.test_client().get("/count").status_code == 500
    app = load()
    app.secret_key = "secret"
    app.add_url_rule("/count", view_func=count)
    client = app.test_client()
    assert [client.get("/count").text for _ in range(3)] == ["1", "2", "3"]
    assert "Set-Cookie" not in client.get("/health").headers


def test_async_views_work(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    app = load()
    # As asgiref does it, which `flask[async]` installs.
    made: list[object] = []

    def async_to_sync(view: Callable[..., Any]) -> Callable[..., Any]:
        made.append(view)
        return lambda *args, **kwargs: asyncio.run(view(*args, **kwargs))

    monkeypatch.setattr(app, "async_to_sync", async_to_sync)

    @app.get("/later")
    async def later() -> str:
        await asyncio.sleep(0)
        return "later"

    client = app.test_client()
    assert [client.get("/later").text for _ in range(2)] == ["later", "later"]
    assert made == [later]


def test_the_cache_of_synchronous_functions_is_bounded(load: Load) -> None:
    app = load()

    @app.get("/signed")
    def signed() -> str:
        @after_this_request
        def sign(response: Response) -> Response:
            response.headers["X-Signed"] = "yes"
            return response

        return "signed"

    client = app.test_client()
    for _ in range(1100):
        assert client.get("/signed").headers["X-Signed"] == "yes"
    assert len(app._synchronous) == 1000


def test_the_application_for_tests_has_all_routes(load: Load) -> None:
    model = load().service.model
    app = create_app(model, Settings(max_json_rows=7))
    assert app.service.settings.max_json_rows == 7
    assert {api.bp, pages.bp, docs.bp} <= set(app.blueprints.values())


def test_the_first_hook_of_all_can_refuse_a_request(load: Callable[[], ModelService]) -> None:
    app = load()
    app.url_value_preprocessor(lambda _endpoint, _values: abort(403))
    response = app.test_client().get("/features")
    assert response.status_code == 403
    assert response.headers["X-Request-ID"]
