"""The service: everything that runs on the dyno."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from service.model import Model
    from service.settings import Settings


def create_app(model: Model | None = None, settings: Settings | None = None) -> Flask:
    """Build the application around the adopted model, or around the one that is passed in.

    Raises ModelError and SettingsError, each with one line that says what to do.
    """
    # Imported here: the workbench reads service.contract where no Flask is installed.
    from werkzeug.middleware.proxy_fix import ProxyFix  # noqa: PLC0415

    from service import (  # noqa: PLC0415
        api,
        cors,
        docs,
        errors,
        exchange,
        keys,
        logs,
        metrics,
        pages,
        rate_limit,
        security,
    )
    from service.application import Application  # noqa: PLC0415
    from service.model import load_model  # noqa: PLC0415
    from service.predictor import Predictor  # noqa: PLC0415
    from service.readiness import Readiness  # noqa: PLC0415
    from service.settings import Settings  # noqa: PLC0415

    settings = settings or Settings.from_environment()
    model = model or load_model(settings.model_directory)

    app = Application(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_json_bytes
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}  # half the bytes of a page
    app.extensions["settings"] = settings
    texts = settings.max_text_characters
    directly = model.plan is not None and model.plan.quick
    app.extensions["model"] = model.with_contract(model.contract.with_texts_up_to(texts))
    app.extensions["predictor"] = predictor = Predictor(
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
    ended: list[exchange.Ended] = [logs.RequestLine(model.manifest.version)]
    exchange.register(app, ended)  # before what refuses requests, so that these are told too
    security.register(app)
    cors.register(app)
    rate_limit.register(app)  # before the keys, so that guesses are counted too
    keys.register(app)
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
