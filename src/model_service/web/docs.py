"""The API for people: requests to paste, and a page that sends them."""

from __future__ import annotations

from importlib import resources

from flask import Blueprint, Response, render_template, send_from_directory, url_for

from model_service.contract import snippets
from model_service.web.current import service
from model_service.web.policy import policy

bp = Blueprint("docs", __name__, url_prefix="/docs")

# The package is taken for these two files; its own page has an inline script.
VIEWER = str(resources.files("flask_swagger_ui") / "dist")
VIEWER_FILES = "'swagger-ui.css', 'swagger-ui-bundle.js'"


@bp.get("")
@policy(menu="API")
def page() -> str:
    """The page. Its addresses are those that it was asked under."""
    url = url_for("api.predict", _external=True)
    rows = [service.model.manifest.example(number) for number in range(2)]
    key = bool(service.settings.api_keys)
    requests = {
        "One row": _in_every_language(url, rows[0], key),
        "Several rows": _in_every_language(url, {"rows": rows}, key),
        "A CSV file": {"curl": snippets.curl_csv(url, rows, key=key)},
    }
    return render_template("docs.html", requests=requests, key=key)


@bp.get(f"/<any({VIEWER_FILES}):name>")
@policy(needs_key=False, is_limited=False)
def viewer(name: str) -> Response:
    """Swagger UI, from its package."""
    return send_from_directory(VIEWER, name)


def _in_every_language(url: str, body: object, key: bool) -> dict[str, str]:
    return {
        "curl": snippets.curl(url, body, key=key),
        "Python": snippets.python(url, body, key=key),
        "JavaScript": snippets.javascript(url, body, key=key),
    }
