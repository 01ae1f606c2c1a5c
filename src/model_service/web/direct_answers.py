"""Answers to rows of the fast lane without Flask's contexts, which take as long as all the rest.

A row is validated, predicted, counted and logged by what the routes use. Only a plain success is
answered here: if a caller has no key, a value is wrong or the model fails, Flask does it all again,
and its handlers answer. Nothing has been counted until then.

Rows of requests that arrived together are predicted by one call, if their predictions are the same
alone: a call of a booster takes as long as the work on dozens of rows.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from flask import signals
from werkzeug.wrappers import Request

from model_service.contract.batch import Batch
from model_service.contract.parsing import parse_rows
from model_service.model.predictions import Prediction
from model_service.web import api, auth, request_log
from model_service.web.bodies import encode_json
from model_service.web.strict_json import PARSED_ROW

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from model_service.web.app import ModelService

# Of any other, Werkzeug decides whether it is one.
_HOST = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*(?::[0-9]{1,5})?")
# Programs that watch an application, such as Sentry's, are receivers of these.
_SIGNALS = (
    signals.appcontext_popped,
    signals.appcontext_pushed,
    signals.appcontext_tearing_down,
    signals.got_request_exception,
    signals.request_finished,
    signals.request_started,
    signals.request_tearing_down,
)


# In the environ of a request whose row was predicted together with others.
_PREDICTED = "model_service.predicted"


@dataclass(frozen=True)
class _Predicted:
    """A row that was predicted before its request is answered."""

    batch: Batch
    predictions: Sequence[Prediction]
    started_at: float  # as in RequestRecord


class DirectAnswers:
    """WSGI middleware around the routes of an application, within its own middleware."""

    def __init__(self, app: ModelService) -> None:
        self._app, self._routes = app, app.wsgi_app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if PARSED_ROW not in environ or not (self._is_plain and self._is_allowed(environ)):
            return self._routes(environ, start_response)
        service, path = self._app.service, environ["PATH_INFO"]
        record = request_log.begin(environ, path, path)
        wanted = api.EXPLANATION if path == "/explain" else None
        predicted: _Predicted | None = environ.get(_PREDICTED)
        try:
            if predicted is None:
                batch, predictions = api.validate([environ[PARSED_ROW]], service), None
            else:
                batch, predictions = predicted.batch, predicted.predictions
                record.started_at = predicted.started_at
            (answer,) = api.answer_rows(service, batch, wanted, record, predictions)
        except Exception:  # a model can raise anything
            return self._routes(environ, start_response)
        body = encode_json({**answer, "model": service.model.manifest.in_response})
        record.status = 200
        request_log.finish(record, service)
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("X-Request-ID", record.request_id),
        ]
        start_response("200 OK", headers)
        return [body]

    def predict_together(self, environs: Sequence[WSGIEnvironment]) -> None:
        """Predict the rows of requests that are answered next; without success each is alone."""
        service, started_at = self._app.service, time.perf_counter()
        if len(environs) < 2 or not (service.model.is_bitwise_batch_invariant and self._is_plain):
            return
        parsed = [
            (environ, parse_rows(service.model.contract, [environ[PARSED_ROW]]))
            for environ in environs
            if PARSED_ROW in environ and self._is_allowed(environ)
        ]
        valid = [(environ, batch) for environ, batch in parsed if not batch.problems]
        if not valid:
            return
        try:
            predictions = service.predictor.predict_together([batch for _, batch in valid])
        except Exception:  # a model can raise anything
            return
        for (environ, batch), prediction in zip(valid, predictions, strict=True):
            environ[_PREDICTED] = _Predicted(batch, [prediction], started_at)

    @cached_property
    def _is_plain(self) -> bool:
        """Whether Flask would do no more for a row: nothing is configured that asks for it."""
        app = self._app
        settings = app.service.settings
        return not (
            settings.requests_per_minute is not None
            or settings.cors_origins
            or app.config["SECRET_KEY"]
            or app.config["TRUSTED_HOSTS"]
            or app.url_map.host_matching
            or app.subdomain_matching
            or any(signal.receivers for signal in _SIGNALS)
        )

    def _is_allowed(self, environ: WSGIEnvironment) -> bool:
        """Return whether the routes would refuse nothing of a request but its row."""
        keys = self._app.service.settings.api_keys
        return (
            _HOST.fullmatch(environ.get("HTTP_HOST", "")) is not None
            and "HTTP_CONTENT_ENCODING" not in environ
            and (
                not keys
                or auth.known_key(Request(environ, populate_request=False), keys) is not None
            )
        )
