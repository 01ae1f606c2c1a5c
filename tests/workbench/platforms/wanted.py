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
    """The commands, the path of the check before traffic comes, and TRUSTED_PROXIES.

    `worker` is the command of the process that works on jobs, if the files start one.
    """

    start: str
    release: str | None
    check: str | None
    proxies: int
    worker: str | None = None


def read(platform: str, texts: Texts) -> Wanted:
    """Read the files of a project, among them those that the platform wants."""
    return READERS[platform](texts)


def _render(texts: Texts) -> Wanted:
    document = yaml.safe_load(texts["render.yaml"])
    service, *workers = document["services"]
    variables = {entry["key"]: entry.get("value") for entry in service["envVars"]}
    assert (service["type"], service["runtime"]) == ("web", "docker")
    for worker in workers:
        assert (worker["type"], worker["runtime"]) == ("worker", "docker")
        (database,) = document["databases"]
        for started in (service, worker):
            jobs, url = started["envVars"][-2:]
            assert jobs == {"key": "JOBS", "value": "on"}
            source = {"name": database["name"], "property": "connectionString"}
            assert url == {"key": "DATABASE_URL", "fromDatabase": source}
    return Wanted(
        service["dockerCommand"],
        service["preDeployCommand"],
        service["healthCheckPath"],
        int(variables["TRUSTED_PROXIES"]),
        *(worker["dockerCommand"] for worker in workers),
    )


def _railway(texts: Texts) -> Wanted:
    # test_railway.py lets Railway's own package evaluate it.
    text = texts[".railway/railway.ts"]
    first, _, second = text.partition('-worker"')
    strings = dict(re.findall(r'(\w+): "([^"]*)"', first))
    return Wanted(
        strings["start"],
        strings["preDeploy"],
        strings["healthcheck"],
        int(strings["TRUSTED_PROXIES"]),
        *re.findall(r'start: "([^"]*)"', second),
    )


def _fly(texts: Texts) -> Wanted:
    document = tomllib.loads(texts["fly.toml"])
    service, env = document["http_service"], document["env"]
    assert service["internal_port"] == int(env["PORT"])
    assert document["kill_signal"] == "SIGTERM"
    assert service["processes"] == ["app"]
    assert ("JOBS" in env) == ("worker" in document["processes"])
    (check,) = service["checks"]
    return Wanted(
        document["processes"]["app"],
        document["deploy"]["release_command"],
        check["path"],
        int(env["TRUSTED_PROXIES"]),
        document["processes"].get("worker"),
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
    manifest, processes = json.loads(texts["scalingo.json"]), _processes(texts)
    env, has_worker = manifest["env"], "worker" in manifest["formation"]
    assert has_worker == ("JOBS" in env) == ("addons" in manifest)
    proxies = int(env["TRUSTED_PROXIES"]["value"])
    worker = processes["worker"] if has_worker else None
    return Wanted(processes["web"], processes["postdeploy"], None, proxies, worker)


def _dokku(texts: Texts) -> Wanted:
    app, processes = json.loads(texts["app.json"]), _processes(texts)
    (check,) = app["healthchecks"]["web"]
    assert check["type"] == "startup"
    proxies = int(app["env"]["TRUSTED_PROXIES"]["value"])
    has_worker = app.get("formation", {}).get("worker", {}).get("quantity", 0) > 0
    assert has_worker == (app["env"].get("JOBS") == {"value": "on"})
    worker = processes["worker"] if has_worker else None
    return Wanted(processes["web"], processes["release"], check["path"], proxies, worker)


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
