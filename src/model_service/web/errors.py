"""Errors as problem+json (RFC 9457), or as a page if the caller is a browser."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, current_app, render_template, request
from werkzeug.exceptions import ClientDisconnected, HTTPException

from model_service.contract.problems import Problems, shown_problems
from model_service.errors import InvalidRows, ServiceError, TooManyRows
from model_service.explain.blackbox import DoesNotFit
from model_service.explain.explainer import NotAdditive, NotFinite
from model_service.jobs.job import DatabaseUnavailable, NoSuchJob, NotDone
from model_service.serving.predictor import ModelFailsOnMixedRows, NotReady
from model_service.serving.queue import Unavailable
from model_service.web import request_log

if TYPE_CHECKING:
    from model_service.web.current import Service

PROBLEM_TYPE = "application/problem+json"
NO_ROOM_ON_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
NO_FURTHER_FILE = (errno.EMFILE, errno.ENFILE)

# Title and detail on a page, instead of those for programs and their authors.
PageText = tuple[str, str]


@dataclass(frozen=True)
class ErrorResponse:
    """The response to an error of the engine; the title is the error's own summary."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    page_text: PageText | None = None


RESPONSES: Mapping[type[ServiceError], ErrorResponse] = {
    InvalidRows: ErrorResponse(422),
    TooManyRows: ErrorResponse(413),
    DoesNotFit: ErrorResponse(422),
    NotFinite: ErrorResponse(422),
    ModelFailsOnMixedRows: ErrorResponse(422),
    NotAdditive: ErrorResponse(500),
    NotReady: ErrorResponse(
        503, {"Retry-After": "60"}, ("This service is being updated", "Try again in a minute.")
    ),
    Unavailable: ErrorResponse(
        503, {"Retry-After": "1"}, ("This service cannot answer now", "Try again in a moment.")
    ),
    NoSuchJob: ErrorResponse(
        404,
        page_text=(
            "There is no such file",
            "Predictions are deleted 24 hours after the file was scored.",
        ),
    ),
    NotDone: ErrorResponse(409, {"Retry-After": "5"}),
    DatabaseUnavailable: ErrorResponse(
        503, {"Retry-After": "5"}, ("This service cannot answer now", "Try again in a moment.")
    ),
}
# Instead of Werkzeug's descriptions.
HTTP_PAGE_TEXTS: Mapping[int, PageText] = {
    404: ("There is no such page", "Check the address."),
    405: ("This address is for programs", "The documentation of the API says how they use it."),
    413: ("The file is too large", "Send it in parts."),
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
        page_text: PageText | None = None,
    ) -> None:
        super().__init__(title)
        self.status, self.title, self.detail = status, title, detail
        self.errors = errors if errors is not None else Problems()
        self.headers, self.page_text = headers or {}, page_text

    @classmethod
    def of(cls, error: ServiceError) -> RequestProblem:
        """Return the response to an error of the engine."""
        response = next(response for kind, response in RESPONSES.items() if isinstance(error, kind))
        problems = error.problems if isinstance(error, InvalidRows) else None
        return cls(
            response.status,
            error.summary,
            str(error),
            problems,
            response.headers,
            response.page_text,
        )


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
    status: int,
    title: str,
    detail: str = "",
    errors: Problems | None = None,
    page_text: PageText | None = None,
) -> Response:
    """Return an error as a page or as JSON, as the request accepts; pages show `page_text`."""
    errors = errors if errors is not None else Problems()
    # A caller without an Accept header, as programs are, gets the first type.
    is_page = request.accept_mimetypes.best_match([PROBLEM_TYPE, "text/html"]) == "text/html"
    # The script of the form asks for JSON; an author can open /ready in a browser.
    is_for_people = request.blueprint == "pages" or (is_page and request.blueprint != "api")
    if page_text is not None and is_for_people:
        title, detail = page_text
    body = problem_document(status, title, detail, errors)
    if is_page:
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
        response = problem_response(
            problem.status, problem.title, problem.detail, problem.errors, problem.page_text
        )
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
        status = error.code or 500
        # The owner's own description stays: abort(404, "There is no such customer.").
        is_own = error.description != type(error).description
        page_text = None if is_own else HTTP_PAGE_TEXTS.get(status)
        response = problem_response(
            status, error.name, error.description or "", page_text=page_text
        )
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
        return problem_response(
            500,
            "Internal Server Error",
            f"The log has more under {error_id}.",
            page_text=("Something went wrong", f"If it happens again, report it with {error_id}."),
        )


def _response_to_os_error(error: OSError) -> Response | None:
    if error.errno == errno.EMSGSIZE:  # the worker cuts off what is longer than `max_body_bytes`
        return problem_response(413, "The body is too large")
    if error.errno not in (*NO_ROOM_ON_DISK, *NO_FURTHER_FILE):
        return None
    current_app.logger.error("no room for a file: %s", error.strerror)
    detail = "The disk of the service is full; send fewer rows at once, or try again later."
    response = problem_response(503, "There is no room for the file", detail)
    response.headers["Retry-After"] = "60"
    return response
