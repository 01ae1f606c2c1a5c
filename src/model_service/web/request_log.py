"""What is known of a request when it ends, for its line in the log and for the metrics."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request

from model_service.web.logs import OUTPUT, value

if TYPE_CHECKING:
    from model_service.web.current import Service

# What Heroku's router takes from a caller; others get an id of their own.
# https://devcenter.heroku.com/articles/http-request-id
_REQUEST_ID = re.compile(r"[A-Za-z0-9+/=-]{20,200}", re.ASCII)


@dataclass
class RequestRecord:
    """A request and its answer, without anything of their bodies."""

    request_id: str
    method: str
    path: str  # without the query, which may hold anything
    route: str | None  # the rule that the path fits, None if there is none
    began: float  # on the clock of time.perf_counter
    status: int = 0
    row_count: int = 0  # of predicted rows
    seconds: float = 0.0


def init_app(app: Flask, service: Service) -> None:
    """Give every request an id; log and count it when its answer has ended."""
    model_version = service.model.manifest.version

    def finish(record: RequestRecord) -> None:
        record.seconds = time.perf_counter() - record.began
        _write(record, model_version)
        service.metrics.count_request(record)

    @app.before_request
    def _begin() -> None:
        began, rule = time.perf_counter(), request.url_rule
        g.request_record = RequestRecord(
            request_id=request_id_of(request.environ.get("HTTP_X_REQUEST_ID")),
            method=request.method,
            path=request.path,
            route=rule.rule if rule else None,
            began=began,
        )

    @app.after_request
    def _end(response: Response) -> Response:
        record = current()
        record.status = response.status_code
        response.headers["X-Request-ID"] = record.request_id
        # Of a file Werkzeug closes no response; all else is told before the caller can ask again.
        if response.is_streamed and not response.direct_passthrough:
            response.call_on_close(partial(finish, record))
        else:
            finish(record)
        return response


def _write(record: RequestRecord, model_version: int) -> None:
    # Without a logger: its record would take three times as long as the line.
    OUTPUT.write(
        f"level=info method={value(record.method)} path={value(record.path)} "
        f"status={record.status} ms={record.seconds * 1000:.1f} rows={record.row_count} "
        f"request_id={value(record.request_id)} model_version={model_version}"
    )


def request_id_of(given: str | None) -> str:
    """Return the id that the router gave, or a new one where it is no such id."""
    return given if given and _REQUEST_ID.fullmatch(given) else os.urandom(16).hex()


def current() -> RequestRecord:
    """Return the record of this request."""
    record: RequestRecord = g.request_record
    return record
