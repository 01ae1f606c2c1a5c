"""The service: everything that runs on the dyno."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from model_service.model.model import Model, load_model
from model_service.serving.queue import PredictionQueue
from model_service.serving.readiness import Readiness
from model_service.web import (
    api,
    auth,
    cors,
    docs,
    errors,
    headers,
    logs,
    metrics,
    pages,
    rate_limit,
    request_log,
)
from model_service.web.application import Application
from model_service.web.settings import Settings


def create_app(model: Model | None = None, settings: Settings | None = None) -> Flask:
    """Build the application around the adopted model, or around the one that is passed in.

    Raises ModelError and SettingsError, each with one line that says what to do.
    """
    settings = settings or Settings.from_environment()
    model = model or load_model(settings.model_directory)

    app = Application(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_json_bytes
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}  # half the bytes of a page
    app.extensions["settings"] = settings
    texts = settings.max_text_characters
    directly = model.plan is not None and model.plan.inline
    app.extensions["model"] = model.with_contract(model.contract.with_texts_up_to(texts))
    app.extensions["predictor"] = predictor = PredictionQueue(
        model.predict,
        seconds=settings.predict_seconds,
        most=settings.max_in_flight,
        together=model.answers_rows_alike,
        directly=directly,
    )
    app.extensions["readiness"] = Readiness(model, predictor)
    logs.register(app)
    app.register_blueprint(api.bp)
    app.register_blueprint(pages.bp)
    app.register_blueprint(docs.bp)
    ended: list[request_log.Ended] = [logs.RequestLine(model.manifest.version)]
    request_log.register(app, ended)  # before what refuses requests, so that these are told too
    headers.register(app)
    cors.register(app)
    rate_limit.register(app)  # before the keys, so that guesses are counted too
    auth.register(app)
    errors.register(app)
    counts = metrics.Metrics(app, model.contract, model.manifest)  # of the routes until here
    app.extensions["metrics"] = counts
    predictor.when_waiting = counts.waits
    ended.append(counts.ended)
    # Redis is asked over a network: that waits in a thread.
    app.predicts_at_once = directly and not rate_limit.asks_redis(settings)
    # One hop, Heroku's router: a caller cannot forge its own address through a second one.
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)  # type: ignore[method-assign]
    return app
