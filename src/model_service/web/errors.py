"""Errors as problem+json (RFC 9457), or as a page if the caller is a browser."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, current_app, render_template, request
from werkzeug.exceptions import ClientDisconnected, HTTPException

from model_service.contract.problems import Problems, shown_problems
from model_service.errors import InvalidRows, ServiceError, TooManyRows
from model_service.explain.blackbox import DoesNotFit
from model_service.explain.explainer import NotAdditive, NotFinite
from model_service.serving.predictor import NotReady
from model_service.serving.queue import Unavailable
from model_service.web import request_log

if TYPE_CHECKING:
    from model_service.web.current import Service

PROBLEM_TYPE = "application/problem+json"
# errno of a disk that takes no more, or of a process that may open no further file.
DISK_FULL = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS),
    *(errno.EMFILE, errno.ENFILE),
}

# Status and headers of the engine's errors; the title is the error's own summary.
RESPONSES: Mapping[type[ServiceError], tuple[int, Mapping[str, str]]] = {
    InvalidRows: (422, {}),
    TooManyRows: (413, {}),
    DoesNotFit: (422, {}),
    NotFinite: (422, {}),
    NotAdditive: (500, {}),
    NotReady: (503, {}),
    Unavailable: (503, {"Retry-After": "1"}),
}


class RequestProblem(Exception):
    """A response with an error status."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        errors: Problems | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(title)
        self.status, self.title, self.detail = status, title, detail
        self.errors = errors if errors is not None else Problems()
        self.headers = headers or {}

    @classmethod
    def of(cls, error: ServiceError) -> RequestProblem:
        """Return the response to an error of the engine."""
        status, headers = next(
            response for kind, response in RESPONSES.items() if isinstance(error, kind)
        )
        problems = error.problems if isinstance(error, InvalidRows) else None
        return cls(status, error.summary, str(error), problems, headers)


def problem_document(status: int, title: str, detail: str, errors: Problems) -> dict[str, Any]:
    """Return the members of a problem."""
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "errors": [error.to_json() for error in errors],
    }


def problem_response(
    status: int, title: str, detail: str = "", errors: Problems | None = None
) -> Response:
    errors = errors if errors is not None else Problems()
    body = problem_document(status, title, detail, errors)
    # A caller without an Accept header, as programs are, gets the first type.
    if request.accept_mimetypes.best_match([PROBLEM_TYPE, "text/html"]) == "text/html":
        shown, hidden_count = shown_problems(errors)
        page = render_page(
            "error.html", problem=body, shown_errors=shown, hidden_count=hidden_count
        )
        return Response(page, status)
    return Response(json.dumps(body), status, content_type=PROBLEM_TYPE)


def render_page(template: str, **values: Any) -> bytes:
    """Return a page in UTF-8. Lone surrogates, which JSON allows and UTF-8 does not, become "?"."""
    return render_template(template, **values).encode("utf-8", "replace")


def init_app(app: Flask, service: Service) -> None:
    """Answer each exception of the application with a problem."""

    @app.errorhandler(RequestProblem)
    def _request_problem(problem: RequestProblem) -> Response:
        service.metrics.count_rejected(problem.errors.counts)
        response = problem_response(problem.status, problem.title, problem.detail, problem.errors)
        response.headers.update(problem.headers)
        return response

    @app.errorhandler(ServiceError)
    def _service_error(error: ServiceError) -> Response:
        return _request_problem(RequestProblem.of(error))

    @app.errorhandler(HTTPException)
    def _http_exception(error: HTTPException) -> Response:
        # If reading a body fails, Werkzeug says that the client has disconnected.
        cause = error.__context__ if isinstance(error, ClientDisconnected) else None
        if isinstance(cause, OSError) and (response := _response_to_os_error(cause)) is not None:
            return response
        response = problem_response(error.code or 500, error.name, error.description or "")
        # Headers that belong to the status: Allow, Retry-After.
        for name, value in error.get_headers():
            if name.lower() not in ("content-type", "content-length"):
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def _exception(error: Exception) -> Response:
        # gunicorn reads a chunked body while we do. It cannot be imported on Windows.
        if type(error).__module__ == "gunicorn.http.errors":
            return problem_response(400, "The body is damaged", "Its chunks are not those of HTTP.")
        if isinstance(error, OSError) and (response := _response_to_os_error(error)) is not None:
            return response
        # The caller gets an id and nothing else; the log has the traceback under this id.
        error_id = request_log.current().request_id
        current_app.logger.exception("error %s", error_id)
        return problem_response(500, "Internal Server Error", f"The log has more under {error_id}.")


def _response_to_os_error(error: OSError) -> Response | None:
    if error.errno == errno.EMSGSIZE:  # the worker cuts off what is longer than `max_body_bytes`
        return problem_response(413, "The body is too large")
    if error.errno not in DISK_FULL:
        return None
    current_app.logger.error("no room for a file: %s", error.strerror)
    detail = "The disk of the service is full; send fewer rows at once, or try again later."
    response = problem_response(503, "There is no room for the file", detail)
    response.headers["Retry-After"] = "60"
    return response
