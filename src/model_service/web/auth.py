"""Who may ask: callers with an API key, where API_KEYS holds the hashes of some."""

from __future__ import annotations

import hashlib
import hmac
import logging

from flask import Blueprint, Flask, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from model_service.web import current
from model_service.web.current import Service
from model_service.web.errors import RequestProblem

logger = logging.getLogger(__name__)
bp = Blueprint("keys", __name__, url_prefix="/key")

# What costs little and tells nothing about the model; a route that is not named here is guarded.
PUBLIC = frozenset(
    ("static", "docs.viewer", "api.health", "api.ready", "keys.sign_in", "keys.sign_out")
)
# Where a form may lead to after the key; the first where it does not say.
PAGES = ("pages.form", "pages.card", "docs.page")
# The cookie holds the key itself. Its hash would turn the config var into a list of passwords, and
# a session would need a secret of its own; this way a key ends everywhere when its hash is taken
# out. No script can read it, no other site can make a browser send it.
COOKIE = "api_key"
COOKIE_SECONDS = 30 * 24 * 60 * 60


def init_app(app: Flask, service: Service) -> None:
    """Guard every route that is not public, if there are keys; else say that all are open."""
    if not service.settings.api_keys:
        logger.warning("open to everyone: API_KEYS is not set; make key says how")
        return
    app.register_blueprint(bp)

    @app.before_request
    def _require_key() -> None:
        if _is_guarded() and caller() is None:
            raise no_key("An API key is needed")

    @app.after_request
    def _keep_out_of_caches(response: Response) -> Response:
        if _is_guarded() and request.method != "POST":  # to which all answers have it
            response.headers["Cache-Control"] = "no-store"
        return response

    @app.context_processor
    def _of_every_page() -> dict[str, object]:
        if caller() is None:  # also on a page that says 404
            return {"title": "A model", "description": "It answers callers with an API key."}
        return {"signed_in": COOKIE in request.cookies}


def _is_guarded() -> bool:
    return request.endpoint is not None and request.endpoint not in PUBLIC


def caller() -> bytes | None:
    """Return the hash of the key that the request comes with, if it is known."""
    authorization = request.authorization
    if authorization is not None and authorization.type == "bearer":
        return _known(authorization.token or "")
    return _known(request.cookies.get(COOKIE, ""))


def _known(key: str) -> bytes | None:
    given = hashlib.sha256(key.encode()).digest()
    known = current.settings().api_keys if key else ()
    return next((one for one in known if hmac.compare_digest(one, given)), None)


def no_key(title: str) -> RequestProblem:
    """Make the answer to a caller without a key; as a page, it asks for one."""
    # What a page shows of it is for its script, when the cookie has come to its end.
    detail = "Send it as Authorization: Bearer KEY. A page asks for it after a reload."
    return RequestProblem(401, title, detail, headers={"WWW-Authenticate": "Bearer"})


@bp.post("")
def sign_in() -> AnyResponse:
    """Keep the key that was typed in a cookie, and go on to the page that asked for it."""
    key = request.form.get("key", "").strip()
    if _known(key) is None:
        raise no_key("This is no key of this service")
    page = request.form.get("page")
    answer = redirect(url_for(page if page in PAGES else PAGES[0]), 303)
    # Browsers drop a Secure cookie on plain http, where the service runs on one's own machine.
    answer.set_cookie(
        COOKIE, key, COOKIE_SECONDS, httponly=True, secure=request.is_secure, samesite="Strict"
    )
    return answer


@bp.post("/forget")
def sign_out() -> AnyResponse:
    """Forget the key in the cookie."""
    answer = redirect(url_for(PAGES[0]), 303)
    answer.delete_cookie(COOKIE, httponly=True, secure=request.is_secure, samesite="Strict")
    return answer
