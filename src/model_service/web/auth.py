"""API keys: if API_KEYS holds hashes of keys, each route needs one unless its policy says not."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Iterable

from flask import Blueprint, Flask, Response, current_app, redirect, request, url_for
from werkzeug.wrappers import Request
from werkzeug.wrappers import Response as AnyResponse

from model_service.contract.contract import ServiceInfo
from model_service.web.current import Service, service
from model_service.web.errors import RequestProblem
from model_service.web.policy import menu_of, policy, policy_of

logger = logging.getLogger(__name__)
bp = Blueprint("keys", __name__, url_prefix="/key")

# The cookie holds the key itself. If it held the hash, the config var would be a list of passwords;
# a session would need a secret of its own. This way a key is revoked everywhere when its hash is
# removed. No script can read the cookie, and no other site can make a browser send it.
COOKIE = "api_key"
COOKIE_SECONDS = 30 * 24 * 60 * 60


def init_app(app: Flask, service: Service) -> None:
    """Require a key on every route that needs one, if there are keys."""
    if not service.settings.api_keys:
        logger.warning("open to everyone: API_KEYS is not set; make key says how")
        return
    app.register_blueprint(bp)

    def needs_key() -> bool:
        found = policy_of(app, request.endpoint)
        return found is not None and found.needs_key

    @app.before_request
    def _require_key() -> None:
        if needs_key() and caller() is None:
            raise no_key("An API key is needed")

    @app.after_request
    def _forbid_caching(response: Response) -> Response:
        if needs_key() and request.method != "POST":  # answers to POST are marked already
            response.headers["Cache-Control"] = "no-store"
        return response

    @app.context_processor
    def _of_every_page() -> dict[str, object]:
        if caller() is None:  # a page with status 404 is public
            return {
                "title": "A model",
                "description": "It answers callers with an API key.",
                "version": None,
                "service_info": ServiceInfo(),
            }
        return {"signed_in": COOKIE in request.cookies}


def caller() -> bytes | None:
    """Return the hash of the key of the current request, or None without a known key."""
    return known_key(request, service.settings.api_keys)


def known_key(request: Request, keys: Iterable[bytes]) -> bytes | None:
    """Return the hash of the request's key, or None if it is none of these."""
    authorization = request.authorization
    if authorization is not None and authorization.type == "bearer":
        return _known(authorization.token or "", keys)
    return _known(request.cookies.get(COOKIE, ""), keys)


def _known(key: str, keys: Iterable[bytes]) -> bytes | None:
    digest = hashlib.sha256(key.encode()).digest()
    known = keys if key else ()
    return next((one for one in known if hmac.compare_digest(one, digest)), None)


def no_key(title: str) -> RequestProblem:
    """Return the response to a caller without a key; as a page it has a form for the key."""
    # The script of an open page shows this when the cookie has expired.
    detail = "Send it as Authorization: Bearer KEY. A page asks for it after a reload."
    return RequestProblem(401, title, detail, headers={"WWW-Authenticate": "Bearer"})


@bp.post("")
@policy(needs_key=False)
def sign_in() -> AnyResponse:
    """Store the typed key in a cookie, and redirect to the page that needs it."""
    key = request.form.get("key", "").strip()
    if _known(key, service.settings.api_keys) is None:
        raise no_key("This API key is not valid")
    answer = redirect(_page_address(request.form.get("page")), 303)
    # Browsers drop a Secure cookie on plain http, as `make run` serves.
    answer.set_cookie(
        COOKIE, key, COOKIE_SECONDS, httponly=True, secure=request.is_secure, samesite="Strict"
    )
    return answer


@bp.post("/forget")
@policy(needs_key=False)
def sign_out() -> AnyResponse:
    """Delete the cookie."""
    answer = redirect(_page_address(None), 303)
    answer.delete_cookie(COOKIE, httponly=True, secure=request.is_secure, samesite="Strict")
    return answer


def _page_address(endpoint: str | None) -> str:
    """Return the address of a page of the menu, or of the first one if it is no such page."""
    menu = menu_of(current_app)
    if endpoint in menu:
        return url_for(endpoint)
    return url_for(next(iter(menu))) if menu else "/"
