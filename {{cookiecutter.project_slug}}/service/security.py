"""What browsers may do with our answers, and which bodies we take."""

from __future__ import annotations

from flask import Flask, Response, request

from service.errors import RequestProblem

# No inline script or style and no other host, on any page.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# Behind TLS only: a browser keeps it for a year.
STRICT_TRANSPORT_SECURITY = "max-age=31536000"
# What a form of another site can send without asking first.
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")


def register(app: Flask) -> None:
    """Refuse forms of other sites and bodies that we do not read; set the headers of answers."""

    @app.before_request
    def _refuse_other_sites() -> None:
        if request.method == "POST" and request.mimetype in FORM_TYPES and _from_another_site():
            raise RequestProblem(403, "The form is of another site", "Use the form of this one.")

    @app.before_request
    def _refuse_bodies() -> None:
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            detail = "Send it as it is, without Content-Encoding."
            headers = {"Accept-Encoding": "identity"}
            raise RequestProblem(415, "The body is encoded", detail, headers=headers)
        # Werkzeug would cut a chunked form off at its limit, and say nothing; no browser sends one.
        if request.mimetype in FORM_TYPES and request.content_length is None:
            raise RequestProblem(411, "The form has no length", "Send it with Content-Length.")

    @app.after_request
    def _set_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        if request.is_secure:
            response.headers["Strict-Transport-Security"] = STRICT_TRANSPORT_SECURITY
        if request.method == "POST":  # predictions and what was asked
            response.headers["Cache-Control"] = "no-store"
        return response


def _from_another_site() -> bool:
    """Tell by what browsers say of themselves; programs say nothing, and need no protection."""
    if site := request.headers.get("Sec-Fetch-Site"):
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is not None and origin.partition("://")[2] != request.host
