"""The file of each platform: start, release, check and proxies; what the owner wrote stays."""

from __future__ import annotations

import dataclasses
import json
import tomllib

import pytest
import yaml
from conftest import TEMPLATE
from hypothesis import given
from hypothesis import strategies as st
from tests.workbench.platforms.wanted import READERS, Wanted, read

from workbench.platforms import renderers
from workbench.platforms.registry import PLATFORMS
from workbench.platforms.renderers import READY, RELEASE, START, WORKER, Facts

every_platform = pytest.mark.parametrize("name", PLATFORMS)
SHARED = {
    "README.md": "# Loan approval\n\nText.\n",
    "app.json": '{"name": "Loan approval", "stack": "heroku-26"}\n',
    **{name: (TEMPLATE / name).read_text() for name in ("Procfile", "Dockerfile", ".slugignore")},
}
# The file that make platform adds, and those of the project that it changes.
WRITTEN = {
    "render": {"render.yaml"},
    "railway": {".railway/railway.ts"},
    "fly": {"fly.toml"},
    "cloudrun": {"service.yaml"},
    "spaces": {"README.md", "Dockerfile"},
    "scalingo": {"scalingo.json", "Procfile"},
    "dokku": {"app.json"},
    "captain": {"captain-definition", "Dockerfile"},
    "heroku-fir": {"project.toml"},
}
# What holds a bad push back, besides the service's own refusal to start.
GUARDS = {
    "render": Wanted(START, RELEASE, READY, 3),
    "railway": Wanted(START, RELEASE, READY, 1),
    "fly": Wanted(START, RELEASE, READY, 2),
    "cloudrun": Wanted(START, None, READY, 1),
    "spaces": Wanted(START, None, None, 1),
    "scalingo": Wanted(START, RELEASE, None, 1),
    "dokku": Wanted(START, RELEASE, READY, 1),
    "captain": Wanted(START, None, None, 1),
    "heroku-fir": Wanted(START, RELEASE, None, 1),
}


def facts(platform: str, *, name: str = "loan-approval", title: str = "Loan approval") -> Facts:
    return Facts(name, title, "About it.", PLATFORMS[platform].proxies, SHARED)


def test_every_platform_is_in_the_tables() -> None:
    assert PLATFORMS.keys() == WRITTEN.keys() == GUARDS.keys() == READERS.keys()


@every_platform
def test_the_files_say_what_to_run_and_how_many_proxies_there_are(name: str) -> None:
    written = PLATFORMS[name].render(facts(name))
    assert written.keys() == WRITTEN[name]
    assert read(name, {**SHARED, **written}) == GUARDS[name]


@pytest.mark.parametrize("jobs", [False, True])
@every_platform
def test_a_second_time_nothing_changes(name: str, jobs: bool) -> None:
    before = dataclasses.replace(facts(name), jobs=jobs)
    once = PLATFORMS[name].render(before)
    again = dataclasses.replace(before, texts={**SHARED, **once})
    assert PLATFORMS[name].render(again) == once


@pytest.mark.parametrize("name", ["render", "railway", "fly", "scalingo", "dokku"])
def test_with_jobs_the_files_start_a_worker_too(name: str) -> None:
    written = PLATFORMS[name].render(dataclasses.replace(facts(name), jobs=True))
    assert written.keys() == WRITTEN[name]
    expected = dataclasses.replace(GUARDS[name], worker=WORKER)
    assert read(name, {**SHARED, **written}) == expected
    assert "worker: " + WORKER in SHARED["Procfile"]


@pytest.mark.parametrize("platform", ["render", "fly", "cloudrun"])
@pytest.mark.parametrize("name", ["yes", "null", "on", "e1", "a-1"])
def test_any_name_is_text(platform: str, name: str) -> None:
    (text,) = PLATFORMS[platform].render(facts(platform, name=name)).values()
    document = tomllib.loads(text) if platform == "fly" else yaml.safe_load(text)
    found = {
        "render": lambda: document["services"][0]["name"],
        "fly": lambda: document["app"],
        "cloudrun": lambda: document["metadata"]["name"],
    }
    assert found[platform]() == name


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs", "Zl", "Zp"])))
def test_any_title_is_one_line_of_yaml(title: str) -> None:
    readme = PLATFORMS["spaces"].render(facts("spaces", title=title))["README.md"]
    block = yaml.safe_load(readme.split("---\n")[1])
    assert block["title"].split() == title.split()


def changed(name: str, file: str, text: str) -> str:
    before = dataclasses.replace(facts(name), texts={**SHARED, file: text})
    return PLATFORMS[name].render(before).get(file, "unchanged")


def test_a_readme_keeps_its_text_and_the_other_keys_of_its_block() -> None:
    own = "---\ntitle: Mine\nemoji: 🏦\nsdk: static\napp_port: 7860\n---\n# Loan\n"
    assert changed("spaces", "README.md", own) == (
        "---\ntitle: Mine\nemoji: 🏦\nsdk: docker\napp_port: 8000\n---\n# Loan\n"
    )


def test_an_app_json_keeps_its_members_and_an_own_number_of_proxies() -> None:
    own = {
        "formation": {"web": {"size": "basic"}},
        "healthchecks": {"web": [{"type": "startup", "path": "/health"}]},
        "env": {"TRUSTED_PROXIES": {"value": "2"}, "API_KEYS": {"required": True}},
    }
    assert json.loads(changed("dokku", "app.json", json.dumps(own))) == own


def test_a_procfile_keeps_its_lines() -> None:
    own = "web: mine\npostdeploy: mine too"
    assert changed("scalingo", "Procfile", own) == own
    assert changed("scalingo", "Procfile", "web: mine") == f"web: mine\npostdeploy: {RELEASE}\n"


def test_a_dockerfile_without_the_line_is_left_alone() -> None:
    assert changed("captain", "Dockerfile", "FROM mine\n") == "unchanged"


def test_the_ports_are_those_of_gunicorn_and_the_dockerfile() -> None:
    port = f'"PORT", "{renderers.PORT}"'
    assert port in (TEMPLATE / "gunicorn.conf.py").read_text()
    assert f"EXPOSE {renderers.PORT}\n" in SHARED["Dockerfile"]
