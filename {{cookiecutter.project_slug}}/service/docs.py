"""The API for people: requests to paste, and a page that sends them."""

from __future__ import annotations

from importlib import resources

from flask import Blueprint, Response, render_template, send_from_directory, url_for

from service import serving, snippets

bp = Blueprint("docs", __name__, url_prefix="/docs")

# The package is taken for these two files; its own page has an inline script.
VIEWER = str(resources.files("flask_swagger_ui") / "dist")
VIEWER_FILES = "'swagger-ui.css', 'swagger-ui-bundle.js'"


@bp.get("")
def page() -> str:
    """The page. Its addresses are those that it was asked under."""
    url = url_for("api.predict", _external=True)
    rows = [serving.model().manifest.example(number) for number in range(2)]
    requests = {
        "One row": _in_every_language(url, rows[0]),
        "Several rows": _in_every_language(url, {"rows": rows}),
        "A CSV file": {"curl": snippets.curl_csv(url, rows)},
    }
    return render_template("docs.html", requests=requests)


@bp.get(f"/<any({VIEWER_FILES}):name>")
def viewer(name: str) -> Response:
    """Swagger UI, from its package."""
    return send_from_directory(VIEWER, name)


def _in_every_language(url: str, body: object) -> dict[str, str]:
    return {
        "curl": snippets.curl(url, body),
        "Python": snippets.python(url, body),
        "JavaScript": snippets.javascript(url, body),
    }
