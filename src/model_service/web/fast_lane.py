"""Which requests the server answers in its event thread, where each delays all others.

The work of such a request is bounded: `/health`, and one row that has the features of a quick model
and no unknown names or categories, predicted or explained by look-ups. An unknown name is compared
with all names for "did you mean", an unlisted category with all categories, a batch has many rows,
and code of the owner's can do anything: these go to the thread pool.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException

from model_service.web import api, rate_limit
from model_service.web.bodies import mimetype_of
from model_service.web.errors import RequestProblem
from model_service.web.strict_json import PARSED_ROW, parse_json

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from model_service.web.app import ModelService

Hooks = frozenset[tuple[str, Any]]
# Where Flask keeps them, by blueprint.
HOOKS = (
    *("url_value_preprocessors", "before_request_funcs"),
    *("after_request_funcs", "teardown_request_funcs"),
)


class FastLane:
    """The fast lane of an application that has its own hooks and middleware, and no others yet."""

    def __init__(self, app: ModelService) -> None:
        self._app = app
        self._hooks, self._wsgi_app = hooks_of(app), app.wsgi_app
        contract = app.service.model.contract
        self._names, self._known = frozenset(contract.by_name), contract.known_names
        self._categories = [
            (feature.name, feature.text_categories)
            for feature in contract.features
            if feature.closed and feature.text_categories
        ]

    def takes(self, environ: WSGIEnvironment, body: bytes) -> bool:
        """Return whether a request is answered in the event thread."""
        path = environ["PATH_INFO"]
        if path == "/health":
            return environ["REQUEST_METHOD"] == "GET" and self._has_health and not body
        return (
            (
                (path == "/predict" and self._has_predict)
                or (path == "/explain" and self._has_explain)
            )
            and environ["REQUEST_METHOD"] == "POST"
            and mimetype_of(environ) == "application/json"
            and not environ["QUERY_STRING"]
            and self._is_fitting(environ, body)
        )

    def _is_fitting(self, environ: WSGIEnvironment, body: bytes) -> bool:
        if b"[" in body or len(body) > (self._app.config["MAX_CONTENT_LENGTH"] or len(body)):
            return False  # several rows, or 413
        try:
            row = parse_json(body)
        except RequestProblem:
            return False
        if not (isinstance(row, dict) and self._names <= row.keys() <= self._known):
            return False
        for name, categories in self._categories:
            value = row[name]
            if isinstance(value, str) and value not in categories:
                return False
        environ[PARSED_ROW] = row
        return True

    # The owner's code has been imported when the first request comes.

    @cached_property
    def _has_health(self) -> bool:
        return self._is_plain and self._is_served("/health", "GET", api.health)

    @cached_property
    def _has_predict(self) -> bool:
        service = self._app.service
        return (
            service.can_predict_inline
            # A request that asks Redis waits for a network.
            and not rate_limit.asks_redis(service.settings)
            and self._is_plain
            and self._is_served("/predict", "POST", api.predict)
        )

    @cached_property
    def _has_explain(self) -> bool:
        explainer = self._app.service.model.explainer
        return (
            explainer is not None
            and explainer.is_inline
            and self._has_predict
            and self._is_served("/explain", "POST", api.explain)
        )

    @cached_property
    def _is_plain(self) -> bool:
        """Whether the owner has added nothing that runs with each request."""
        app = self._app
        return app.wsgi_app == self._wsgi_app and hooks_of(app) == self._hooks

    def _is_served(self, path: str, method: str, view: Any) -> bool:
        try:
            endpoint, _ = self._app.url_map.bind("").match(path, method)
        except HTTPException:
            return False
        return self._app.view_functions[endpoint] is view


def hooks_of(app: ModelService) -> Hooks:
    """Return the functions that run with requests of the API."""
    found = {
        (kind, hook)
        for kind in HOOKS
        for scope in (None, api.bp.name)
        for hook in getattr(app, kind).get(scope, ())
    }
    found |= {("teardown_appcontext_funcs", hook) for hook in app.teardown_appcontext_funcs}
    return frozenset(found)
