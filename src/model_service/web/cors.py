"""Cross-origin requests: scripts of the origins in CORS_ORIGINS can read answers of the API.

Origins are compared as texts, and credentials are never allowed, so that a script of another site
needs a key of its own.
"""

from __future__ import annotations

from flask import Flask, Response, request

from model_service.web.current import Service
from model_service.web.policy import policy_of

PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "600",
}
EXPOSED = "Content-Disposition, Location, Retry-After, X-Request-ID"


def init_app(app: Flask, service: Service) -> None:
    """Answer preflight requests, and allow the listed origins to read answers."""
    origins = frozenset(service.settings.cors_origins)
    if not origins:
        return

    def is_cross_origin() -> bool:
        policy = policy_of(app, request.endpoint)
        return policy is not None and policy.is_cross_origin

    @app.before_request
    def _preflight() -> Response | None:
        is_preflight = (
            request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        )
        if is_preflight and is_cross_origin() and request.origin in origins:
            return Response(status=204, headers=PREFLIGHT)  # it has no key
        return None

    @app.after_request
    def _allow(response: Response) -> Response:
        if is_cross_origin():
            response.vary.add("Origin")
            if request.origin in origins:
                response.headers["Access-Control-Allow-Origin"] = request.origin
                response.headers["Access-Control-Expose-Headers"] = EXPOSED
        return response
