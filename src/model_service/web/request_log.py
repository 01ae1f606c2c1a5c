"""The request log: an id for each request, and one line and its metrics when it has ended."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request

from model_service.web.logs import OUTPUT, logfmt_value

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from model_service.web.current import Service

# The ids that Heroku's router takes from a caller; other requests get a new id.
# https://devcenter.heroku.com/articles/http-request-id
_REQUEST_ID = re.compile(r"[A-Za-z0-9+/=-]{20,200}", re.ASCII)


@dataclass
class RequestRecord:
    """A request and its response, without their bodies."""

    request_id: str
    method: str
    path: str  # without the query, which can hold anything
    route: str | None  # the URL rule that the path fits
    started_at: float  # on the clock of time.perf_counter
    status: int = 0
    row_count: int = 0  # of predicted rows
    seconds: float = 0.0


def init_app(app: Flask, service: Service) -> None:
    """Give each request an id and a record; log and count it when its response has ended."""

    @app.url_value_preprocessor  # Flask calls these first, the owner's too
    def _begin(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
        rule = request.url_rule
        g.request_record = begin(request.environ, request.path, rule.rule if rule else None)

    @app.after_request
    def _end(response: Response) -> Response:
        record = current()
        record.status = response.status_code
        response.headers["X-Request-ID"] = record.request_id
        # Werkzeug does not close the response of a file. All others that are not streamed are
        # counted before the caller can send the next request.
        if response.is_streamed and not response.direct_passthrough:
            response.call_on_close(partial(finish, record, service))
        else:
            finish(record, service)
        return response


def begin(environ: WSGIEnvironment, path: str, route: str | None) -> RequestRecord:
    """Return the record of a request that begins now."""
    return RequestRecord(
        request_id=request_id_of(environ.get("HTTP_X_REQUEST_ID")),
        method=environ["REQUEST_METHOD"].upper(),
        path=path,
        route=route,
        started_at=time.perf_counter(),
    )


def finish(record: RequestRecord, service: Service) -> None:
    """Log and count a request whose response has ended."""
    record.seconds = time.perf_counter() - record.started_at
    _write(record, service.model.manifest.about.version)
    service.metrics.count_request(record)
    if dropped := OUTPUT.take_dropped():
        service.metrics.count_dropped_lines(dropped)


def _write(record: RequestRecord, model_version: int) -> None:
    # Without a logger: its record would take three times as long as the line.
    OUTPUT.write(
        f"level=info method={logfmt_value(record.method)} path={logfmt_value(record.path)} "
        f"status={record.status} ms={record.seconds * 1000:.1f} rows={record.row_count} "
        f"request_id={logfmt_value(record.request_id)} model_version={model_version}"
    )


def request_id_of(header: str | None) -> str:
    """Return the router's request id, or a new one if the header holds no such id."""
    return header if header and _REQUEST_ID.fullmatch(header) else os.urandom(16).hex()


def current() -> RequestRecord:
    """Return the record of the current request."""
    record: RequestRecord = g.request_record
    return record
