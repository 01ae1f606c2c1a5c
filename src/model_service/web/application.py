"""Flask as this service needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface

from model_service.csv.spool import RequestWithFiles

_NO_SESSION = NullSession()


class _NoSessions(SessionInterface):
    """No request has a session, so none is looked for."""

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return _NO_SESSION


class Application(Flask):
    """Flask without what every request would pay for and none needs."""

    request_class = RequestWithFiles
    session_interface = _NoSessions()
    # Whether a short request is predicted sooner than it is handed to another thread and back.
    predicts_at_once = False

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function: none is async, and to ask that costs as much as to parse a row."""
        return func
