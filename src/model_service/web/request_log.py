"""What is known of a request when it ends, for its line in the log and for the metrics."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from flask import Flask, Response, g, request

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
    rows: int = 0  # that were predicted
    seconds: float = 0.0


Ended = Callable[[RequestRecord], None]


def register(app: Flask, ended: Sequence[Ended]) -> None:
    """Give every request an id, and tell each of `ended` when an answer has ended."""

    @app.before_request
    def _begin() -> None:
        began, rule = time.perf_counter(), request.url_rule
        g.exchange = RequestRecord(
            request_id=request_id_of(request.environ.get("HTTP_X_REQUEST_ID")),
            method=request.method,
            path=request.path,
            route=rule.rule if rule else None,
            began=began,
        )

    @app.after_request
    def _end(response: Response) -> Response:
        exchange = current()
        exchange.status = response.status_code
        response.headers["X-Request-ID"] = exchange.request_id
        # Of a file Werkzeug closes no response; all else is told before the caller can ask again.
        if response.is_streamed and not response.direct_passthrough:
            response.call_on_close(partial(_tell, exchange, ended))
        else:
            _tell(exchange, ended)
        return response


def _tell(exchange: RequestRecord, ended: Sequence[Ended]) -> None:
    exchange.seconds = time.perf_counter() - exchange.began
    for listener in ended:
        listener(exchange)


def request_id_of(given: str | None) -> str:
    """Return the id that the router gave, or a new one where it is no such id."""
    return given if given and _REQUEST_ID.fullmatch(given) else os.urandom(16).hex()


def current() -> RequestRecord:
    """Return the exchange of this request."""
    exchange: RequestRecord = g.exchange
    return exchange
