"""Answers to rows of the fast lane without Flask's contexts, which take as long as all the rest.

A row is validated, predicted, counted and logged by what the routes use. Only a plain success is
answered here: if a caller has no key, a value is wrong or the model fails, Flask does it all again,
and its handlers answer. Nothing has been counted until then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from flask import signals
from werkzeug.wrappers import Request

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


class DirectAnswers:
    """WSGI middleware around the routes of an application, within its own middleware."""

    def __init__(self, app: ModelService) -> None:
        self._app, self._routes = app, app.wsgi_app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if PARSED_ROW not in environ or not (self._is_plain and self._is_allowed(environ)):
            return self._routes(environ, start_response)
        service, path = self._app.service, environ["PATH_INFO"]
        record = request_log.begin(environ, path, path)
        try:
            batch = api.validate([environ[PARSED_ROW]], service)
            wanted = api.EXPLANATION if path == "/explain" else None
            (answer,) = api.answer_rows(service, batch, wanted, record)
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
