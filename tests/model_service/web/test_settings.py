"""Config vars are declared once, and the documentation's table is printed from there."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from tools.print_config_vars import BEGIN, END, PAGE, with_table

from model_service.web.settings import Settings, config_vars


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
