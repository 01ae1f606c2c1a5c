"""The API documentation page: requests to copy, and Swagger UI."""

from __future__ import annotations

from importlib import resources

from flask import Blueprint, Response, render_template, send_from_directory, url_for

from model_service.contract import snippets
from model_service.web.current import service
from model_service.web.policy import policy

bp = Blueprint("docs", __name__, url_prefix="/docs")

# Only these two files of the package are served: its own page has an inline script.
SWAGGER_UI = str(resources.files("flask_swagger_ui") / "dist")
SWAGGER_UI_FILES = "'swagger-ui.css', 'swagger-ui-bundle.js'"


@bp.get("")
@policy(menu="API")
def page() -> str:
    """Show requests for this model; their URLs have the scheme and host of this request."""
    url = url_for("api.predict", _external=True)
    rows = [service.model.manifest.example(number) for number in range(2)]
    needs_key = bool(service.settings.api_keys)
    requests = {
        "One row": _snippets(url, rows[0], needs_key),
        "Several rows": _snippets(url, {"rows": rows}, needs_key),
        "A CSV file": {"curl": snippets.curl_csv(url, rows, needs_key=needs_key)},
    }
    return render_template("docs.html", requests=requests, needs_key=needs_key)


@bp.get(f"/<any({SWAGGER_UI_FILES}):name>")
@policy(needs_key=False, is_limited=False)
def viewer(name: str) -> Response:
    """Send a file of Swagger UI from the package flask_swagger_ui."""
    return send_from_directory(SWAGGER_UI, name)


def _snippets(url: str, body: object, needs_key: bool) -> dict[str, str]:
    """Return a request by the name of its language."""
    return {
        "curl": snippets.curl(url, body, needs_key=needs_key),
        "Python": snippets.python(url, body, needs_key=needs_key),
        "JavaScript": snippets.javascript(url, body, needs_key=needs_key),
    }
