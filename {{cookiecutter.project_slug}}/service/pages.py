"""The pages for people; each is made on the server and works without JavaScript."""

from __future__ import annotations

from flask import Blueprint, render_template

from service import serving

bp = Blueprint("pages", __name__)


@bp.app_context_processor
def _of_every_page() -> dict[str, object]:
    manifest = serving.model().manifest
    return {"title": manifest.title, "description": manifest.description}


@bp.get("/")
def form() -> str:
    """The form."""
    return render_template("form.html")
