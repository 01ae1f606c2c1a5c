"""Config vars are declared once, and the documentation's table is printed from there."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from flask import request
from tools.print_config_vars import BEGIN, END, PAGE, with_table

from model_service.model.loading import load_model
from model_service.web.app import create_app
from model_service.web.settings import Settings, SettingsError, config_vars


def test_the_documentation_has_the_current_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.count(BEGIN) == page.count(END) == 1
    assert with_table(page) == page, "run: python tools/print_config_vars.py"


def test_every_field_is_a_config_var_with_a_name_of_its_own() -> None:
    rows = list(config_vars())
    assert len(rows) == len(fields(Settings))
    assert len({row.name for row in rows}) == len(rows)
    assert all(row.default and row.meaning for row in rows)


def test_a_secret_is_not_shown() -> None:
    assert "secret" not in repr(Settings(redis_url="redis://:secret@host"))


def test_the_defaults_need_no_environment() -> None:
    assert Settings.from_environment({}) == Settings()
    assert Settings.from_environment(dict.fromkeys((row.name for row in config_vars()), "")) == (
        Settings()
    )
    assert Settings.from_environment({"MODEL_DIR": "other"}).model_directory == Path("other")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRUSTED_PROXIES", "-1"),
        ("TRUSTED_PROXIES", "one"),
        ("TRUSTED_PROXIES", "11"),
        ("WEB_CONCURRENCY", "0"),
        ("WEB_CONCURRENCY", "abc"),
        ("PREDICT_SECONDS", "0"),
        ("PREDICT_SECONDS", "86401"),
        ("PREDICT_SECONDS", "99999999999"),
    ],
)
def test_a_number_that_cannot_be_used_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is '{value}'; set it to .* or unset it.$"):
        Settings.from_environment({name: value})


def test_a_request_can_wait_for_up_to_a_day() -> None:
    assert Settings.from_environment({"PREDICT_SECONDS": "86400"}).predict_seconds == 86400


@pytest.mark.parametrize(
    ("proxies", "address", "scheme"),
    [(0, "127.0.0.1", "http"), (1, "203.0.113.9", "https"), (2, "198.51.100.7", "https")],
)
def test_as_many_addresses_are_believed_as_there_are_proxies(
    loan: Path, proxies: int, address: str, scheme: str
) -> None:
    app = create_app(load_model(loan / "model"), Settings(trusted_proxies=proxies))
    app.add_url_rule("/caller", view_func=lambda: [request.remote_addr, request.scheme])
    forwarded = {"X-Forwarded-For": "192.0.2.1, 198.51.100.7, 203.0.113.9"}
    response = app.test_client().get("/caller", headers=forwarded | {"X-Forwarded-Proto": "https"})
    assert response.get_json() == [address, scheme]
