"""Which other sites' scripts may read the answers of the API: those of CORS_ORIGINS, else none.

Of our own, because it is this little: origins are compared as texts, and cookies are never let
in, so that a script of another site needs a key of its own.
"""

from __future__ import annotations

from flask import Flask, Response, request

from model_service.web.current import Service

ENDPOINTS = frozenset(("api.predict", "api.features", "api.metadata", "api.openapi"))
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "600",
}
EXPOSED = "Content-Disposition, Retry-After, X-Request-ID"


def init_app(app: Flask, service: Service) -> None:
    """Answer preflights, and mark the answers that the listed origins may read."""
    origins = frozenset(service.settings.cors_origins)
    if not origins:
        return

    @app.before_request
    def _preflight() -> Response | None:
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if asks and request.endpoint in ENDPOINTS and request.origin in origins:
            return Response(status=204, headers=PREFLIGHT)  # which comes without a key
        return None

    @app.after_request
    def _allow(response: Response) -> Response:
        if request.endpoint in ENDPOINTS:
            response.vary.add("Origin")
            if request.origin in origins:
                response.headers["Access-Control-Allow-Origin"] = request.origin
                response.headers["Access-Control-Expose-Headers"] = EXPOSED
        return response
