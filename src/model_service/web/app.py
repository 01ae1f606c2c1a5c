"""ModelService: the Flask application around one fitted model."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from flask import Flask, Request, Response, send_from_directory
from flask.sessions import NullSession, SecureCookieSession, SecureCookieSessionInterface
from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, PrefixLoader
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.middleware.proxy_fix import ProxyFix

from model_service.csv.spool import SpooledFile
from model_service.model.loading import load_model
from model_service.model.model import Model
from model_service.model.quality import read_quality
from model_service.web import (
    api,
    auth,
    cors,
    docs,
    errors,
    headers,
    logs,
    pages,
    rate_limit,
    request_log,
)
from model_service.web.bodies import MULTIPART_BYTES, mimetype_of
from model_service.web.card_text import read_card
from model_service.web.current import Service
from model_service.web.direct_answers import DirectAnswers
from model_service.web.fast_lane import FastLane
from model_service.web.policy import DEFAULT, PUBLIC, menu_of, policy_of, set_policy
from model_service.web.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# Their hooks run in this order before a request, and in the opposite order after it. The request
# log comes first, so that refused requests are logged and counted; the rate limit comes before the
# keys, so that guessed keys are counted.
EXTENSIONS = (logs, request_log, headers, cors, rate_limit, auth, errors)

_WEB = resources.files("model_service.web")
ENGINE_STATIC = str(_WEB / "static")
ENGINE_TEMPLATES = str(_WEB / "templates")
CUSTOM_STYLESHEET = "custom.css"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
# Bodies of these types can be as long as a CSV.
FILE_TYPES = ("text/csv", "multipart/form-data")
# For which `ensure_sync` has looked whether they are `async def`.
MAX_REMEMBERED_FUNCTIONS = 1000


class UploadRequest(Request):
    """A request whose uploaded files are kept as the bodies of the API are."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return SpooledFile()


def _contact_url(contact: str) -> str | None:
    """Return the link of a contact that is an address, else None."""
    if contact.startswith(("https://", "http://")):
        return contact
    return f"mailto:{contact}" if _EMAIL.fullmatch(contact) else None


class ModelService(Flask):
    """A Flask application that serves one fitted model.

    `model` is the folder that `adopt` writes, relative to the folder of the module `import_name`,
    or a model that is loaded already; the config var MODEL_DIR outranks it. `settings` are read
    from the environment unless they are passed in. The routes come with the blueprints `api.bp`,
    `pages.bp` and `docs.bp`. A file in the project's `templates/` or `static/` replaces the
    engine's file of the same name; the engine's own template is still there under the prefix
    `model_service/`, for `{% extends %}`. `static/custom.css` is linked on every page.

    Raises StartError if a config var is wrong, or the model, its libraries or the Python are not
    those that were adopted.
    """

    request_class = UploadRequest

    def __init__(
        self,
        import_name: str,
        *,
        model: str | os.PathLike[str] | Model = "model",
        settings: Settings | None = None,
    ) -> None:
        super().__init__(import_name)
        set_policy(self.view_functions["static"], PUBLIC)
        self._synchronous: dict[Callable[..., Any], Callable[..., Any]] = {}
        self._end_process: Callable[[], None] = lambda: None
        # Without them a page has twice the bytes.
        self.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
        settings = settings or Settings.from_environment()
        card_text, quality = "", None
        if not isinstance(model, Model):
            folder = self._model_folder(model, settings)
            model, card_text = load_model(folder), read_card(folder)
            quality = read_quality(folder, model)
        self.config["MAX_CONTENT_LENGTH"] = settings.max_json_bytes
        self.session_interface = SessionsWithSecretKey()
        self.service = Service.of_model(
            model, settings, self.url_map, self._on_stuck, card_text, quality
        )
        self.context_processor(self._page_context)
        self._direct_answers: DirectAnswers | None = None
        if type(self) is ModelService:  # another class can override what Flask does
            self._direct_answers = DirectAnswers(self)
            self.wsgi_app = self._direct_answers  # type: ignore[method-assign]
        for extension in EXTENSIONS:
            extension.init_app(self, self.service)
        if proxies := settings.trusted_proxies:
            # No more than there are: a caller could forge its address through a further one. They
            # add up the addresses, and the last one says by which scheme it was asked.
            self.wsgi_app = ProxyFix(  # type: ignore[method-assign]
                self.wsgi_app, x_for=proxies, x_proto=1
            )
        self._fast_lane = FastLane(self)

    def before_fork(self) -> None:
        """Prepare what worker processes share; a server with `preload` calls it once."""
        self.service.metrics.lay_out()

    def start_worker(self, end_process: Callable[[], None]) -> None:
        """Check the golden predictions; a server calls it in each worker process.

        `end_process` is called when the model is stuck in a thread, from another thread: it makes
        the server replace this process, and returns immediately.
        """
        self._end_process = end_process
        self.service.predictor.readiness.begin()

    def answers_inline(self, environ: WSGIEnvironment, body: bytes) -> bool:
        """Return whether a server can answer a request in the thread that reads all requests."""
        return self._fast_lane.takes(environ, body)

    def prepare_inline(self, environs: Sequence[WSGIEnvironment]) -> None:
        """Predict the rows of the requests that a server answers next, by one call if that can be.

        The server calls it in the thread in which it then answers each of them.
        """
        if self._direct_answers is not None:
            self._direct_answers.predict_together(environs)

    def max_body_bytes(self, environ: WSGIEnvironment) -> int:
        """Return how long a body can be that a server receives before it calls the application.

        A longer one is refused by its Content-Length, or where it is cut off. A route of the
        owner's that takes more than a CSV needs a larger `config["MAX_CONTENT_LENGTH"]`.
        """
        limit = self.config["MAX_CONTENT_LENGTH"]
        default: int = sys.maxsize if limit is None else limit
        try:
            endpoint, _ = self.url_map.bind("").match(
                environ["PATH_INFO"], environ["REQUEST_METHOD"]
            )
        except HTTPException:  # 404, 405 and redirects read no body
            return default
        is_ours = self.view_functions[endpoint].__module__.startswith("model_service.web.")
        if is_ours and mimetype_of(environ) not in FILE_TYPES:
            return default
        policy = policy_of(self, endpoint) or DEFAULT
        csv_bytes: int = getattr(self.service.settings, policy.csv_limit)
        return max(default, csv_bytes + MULTIPART_BYTES)

    def _on_stuck(self) -> None:
        self._end_process()

    def _model_folder(self, model: str | os.PathLike[str], settings: Settings) -> Path:
        if settings.model_directory is not None:
            return settings.model_directory
        folder = Path(self.root_path) / model
        with suppress(ValueError):  # messages are shorter with a relative path
            folder = folder.relative_to(Path.cwd())
        return folder

    def _page_context(self) -> dict[str, object]:
        info = self.service.model.contract.service
        return {
            "title": self.service.title,
            "description": self.service.description,
            "version": self.service.model.manifest.about.version,
            "release_date": self.service.settings.release_date,
            "service_info": info,
            "contact_url": _contact_url(info.contact),
            "endpoints": self.view_functions,  # the owner can leave out pages
            "menu": menu_of(self),
            "custom_stylesheet": self._custom_stylesheet,
        }

    @cached_property
    def _custom_stylesheet(self) -> str | None:
        exists = (Path(self.static_folder or "") / CUSTOM_STYLESHEET).is_file()
        return CUSTOM_STYLESHEET if exists else None

    @cached_property
    def jinja_loader(self) -> BaseLoader:
        """The loader of templates: the project's file, else the engine's."""
        engine = FileSystemLoader(ENGINE_TEMPLATES)
        project = super().jinja_loader
        prefixed = PrefixLoader({"model_service": engine})
        return ChoiceLoader([*([project] if project else []), engine, prefixed])

    def send_static_file(self, filename: str) -> Response:
        """Send a file of the project's `static/`, else the engine's. Raises NotFound."""
        with suppress(NotFound):
            return super().send_static_file(filename)
        max_age = self.get_send_file_max_age(filename)
        return send_from_directory(ENGINE_STATIC, filename, max_age=max_age)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return what Flask does, remembered: to look for `async def` costs as much as a row."""
        try:
            return self._synchronous[func]
        except KeyError:
            synchronous = super().ensure_sync(func)
            # `after_this_request` takes a new function for each request.
            if len(self._synchronous) < MAX_REMEMBERED_FUNCTIONS:
                self._synchronous[func] = synchronous
            return synchronous


class SessionsWithSecretKey(SecureCookieSessionInterface):
    """Flask's sessions, if the application has a secret key; else one empty session for all."""

    _none = NullSession()

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Read the session from its cookie."""
        # app.secret_key is the same and takes five times as long.
        return super().open_session(app, request) if app.config["SECRET_KEY"] else self._none


def create_app(model: Model | None = None, settings: Settings | None = None) -> ModelService:
    """Return an application with all blueprints, around `model` or the folder `model/`."""
    app = ModelService(
        "model_service.web", model=model or Path("model").absolute(), settings=settings
    )
    for blueprint in (api.bp, pages.bp, docs.bp):
        app.register_blueprint(blueprint)
    return app
