"""Read from a platform's files, as the platform does, what it would run and set."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import yaml

from model_service.web.settings import Settings

Texts = Mapping[str, str]


@dataclass(frozen=True)
class Wanted:
    """The commands, the path of the check before traffic comes, and TRUSTED_PROXIES."""

    start: str
    release: str | None
    check: str | None
    proxies: int


def read(platform: str, texts: Texts) -> Wanted:
    """Read the files of a project, among them those that the platform wants."""
    return READERS[platform](texts)


def _render(texts: Texts) -> Wanted:
    (service,) = yaml.safe_load(texts["render.yaml"])["services"]
    variables = {entry["key"]: entry["value"] for entry in service["envVars"]}
    assert (service["type"], service["runtime"]) == ("web", "docker")
    return Wanted(
        service["dockerCommand"],
        service["preDeployCommand"],
        service["healthCheckPath"],
        int(variables["TRUSTED_PROXIES"]),
    )


def _railway(texts: Texts) -> Wanted:
    # test_railway.py lets Railway's own package evaluate it.
    text = texts[".railway/railway.ts"]
    strings = dict(re.findall(r'(\w+): "([^"]*)"', text))
    return Wanted(
        strings["start"],
        strings["preDeploy"],
        strings["healthcheck"],
        int(strings["TRUSTED_PROXIES"]),
    )


def _fly(texts: Texts) -> Wanted:
    document = tomllib.loads(texts["fly.toml"])
    service, env = document["http_service"], document["env"]
    assert service["internal_port"] == int(env["PORT"])
    assert document["kill_signal"] == "SIGTERM"
    (check,) = service["checks"]
    return Wanted(
        document["processes"]["app"],
        document["deploy"]["release_command"],
        check["path"],
        int(env["TRUSTED_PROXIES"]),
    )


def _cloudrun(texts: Texts) -> Wanted:
    document = yaml.safe_load(texts["service.yaml"])
    assert (document["apiVersion"], document["kind"]) == ("serving.knative.dev/v1", "Service")
    (container,) = document["spec"]["template"]["spec"]["containers"]
    variables = {entry["name"]: entry["value"] for entry in container["env"]}
    return Wanted(
        " ".join([*container["command"], *container["args"]]),
        None,
        container["startupProbe"]["httpGet"]["path"],
        int(variables["TRUSTED_PROXIES"]),
    )


def _spaces(texts: Texts) -> Wanted:
    _, matter, _ = texts["README.md"].split("---\n", 2)
    block = yaml.safe_load(matter)
    assert (block["sdk"], block["app_port"]) == ("docker", 8000)
    return _dockerfile(texts)


def _captain(texts: Texts) -> Wanted:
    document = json.loads(texts["captain-definition"])
    assert document == {"schemaVersion": 2, "dockerfilePath": "./Dockerfile"}
    return _dockerfile(texts)


def _dockerfile(texts: Texts) -> Wanted:
    (command,) = re.findall(r"^CMD (.*)$", texts["Dockerfile"], re.M)
    (proxies,) = re.findall(r"^ENV .*TRUSTED_PROXIES=(\d+)", texts["Dockerfile"], re.M)
    return Wanted(" ".join(json.loads(command)), None, None, int(proxies))


def _scalingo(texts: Texts) -> Wanted:
    env = json.loads(texts["scalingo.json"])["env"]
    processes = _processes(texts)
    proxies = int(env["TRUSTED_PROXIES"]["value"])
    return Wanted(processes["web"], processes["postdeploy"], None, proxies)


def _dokku(texts: Texts) -> Wanted:
    app, processes = json.loads(texts["app.json"]), _processes(texts)
    (check,) = app["healthchecks"]["web"]
    assert check["type"] == "startup"
    proxies = int(app["env"]["TRUSTED_PROXIES"]["value"])
    return Wanted(processes["web"], processes["release"], check["path"], proxies)


def _heroku_fir(texts: Texts) -> Wanted:
    document, processes = tomllib.loads(texts["project.toml"]), _processes(texts)
    assert document["_"]["schema-version"] == "0.2"
    groups = [entry["id"] for entry in document["io"]["buildpacks"]["group"]]
    assert groups == ["heroku/python", "heroku/procfile"]
    return Wanted(processes["web"], processes["release"], None, Settings().trusted_proxies)


def _processes(texts: Texts) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in texts["Procfile"].splitlines())


READERS: dict[str, Callable[[Texts], Wanted]] = {
    "render": _render,
    "railway": _railway,
    "fly": _fly,
    "cloudrun": _cloudrun,
    "spaces": _spaces,
    "scalingo": _scalingo,
    "dokku": _dokku,
    "captain": _captain,
    "heroku-fir": _heroku_fir,
}
