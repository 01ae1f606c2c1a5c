"""Every error leaves as problem+json (RFC 9457), whatever raised it; browsers get a page of it."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, current_app, render_template, request
from werkzeug.exceptions import HTTPException

from model_service.contract.contract import Problem
from model_service.web import request_log

if TYPE_CHECKING:
    from model_service.web.current import Service

# More would help nobody, and a small request must not be answered with megabytes.
MAX_ERRORS = 1000
PROBLEM = "application/problem+json"
# What writing to a disk says that takes no more.
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


class RequestProblem(Exception):
    """A request that cannot be answered as asked, and why."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        errors: Sequence[Problem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(title)
        self.status, self.title, self.detail, self.errors = status, title, detail, errors
        self.headers = headers or {}


def does_not_fit(problems: Sequence[Problem], total: int | None = None) -> RequestProblem:
    """Make the answer to rows that the contract refuses; `total` if not all problems are given."""
    total = total if total is not None else len(problems)
    count = "1 problem" if total == 1 else f"{total} problems"
    shown = f" (the first {MAX_ERRORS} are listed)" if total > MAX_ERRORS else ""
    return RequestProblem(422, "The request does not fit the model", count + shown, problems)


def problem(status: int, title: str, detail: str = "", errors: Sequence[Problem] = ()) -> Response:
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "errors": [error.to_json() for error in errors[:MAX_ERRORS]],
    }
    # Whoever says nothing of types, as programs do, gets the first one.
    if request.accept_mimetypes.best_match([PROBLEM, "text/html"]) == "text/html":
        return Response(rendered("error.html", problem=body), status)
    return Response(json.dumps(body), status, content_type=PROBLEM)


def rendered(template: str, **values: Any) -> bytes:
    """Return a page; half of a surrogate pair, which JSON can say and UTF-8 cannot, is a "?"."""
    return render_template(template, **values).encode("utf-8", "replace")


def init_app(app: Flask, service: Service) -> None:
    """Answer every exception of the application with a problem."""

    @app.errorhandler(RequestProblem)
    def _request_problem(error: RequestProblem) -> Response:
        service.metrics.rejected(error.errors)
        answer = problem(error.status, error.title, error.detail, error.errors)
        answer.headers.update(error.headers)
        return answer

    @app.errorhandler(HTTPException)
    def _http_exception(error: HTTPException) -> Response:
        answer = problem(error.code or 500, error.name, error.description or "")
        # What the status needs beside the body: Allow, Retry-After.
        for name, value in error.get_headers():
            if name.lower() not in ("content-type", "content-length"):
                answer.headers[name] = value
        return answer

    @app.errorhandler(Exception)
    def _exception(error: Exception) -> Response:
        # Of a chunked body, which gunicorn reads when we do; it cannot be imported on Windows.
        if type(error).__module__ == "gunicorn.http.errors":
            return problem(400, "The body is damaged", "Its chunks are not those of HTTP.")
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            current_app.logger.error("no room for a file: %s", error.strerror)
            detail = "The disk of the service is full; send fewer rows at once, or try again later."
            answer = problem(503, "There is no room for the file", detail)
            answer.headers["Retry-After"] = "60"
            return answer
        # The caller learns an id and nothing else; the log has the id and the traceback.
        error_id = request_log.current().request_id
        current_app.logger.exception("error %s", error_id)
        return problem(500, "Internal Server Error", f"The log has more under {error_id}.")
