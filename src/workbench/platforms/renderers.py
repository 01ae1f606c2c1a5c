"""The file that each platform wants, as text: pure functions of what a project is.

A renderer returns {path: text}. Files that exist for another purpose (README.md, app.json,
Procfile, Dockerfile) are returned with what the platform needs added, and all else as it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

START = "gunicorn --config gunicorn.conf.py"
RELEASE = "python -m model_service check"
WORKER = "python -m model_service jobs"
# /ready is 200 when the model is loaded and reproduces its golden predictions.
READY, ALIVE = "/ready", "/health"
# The port of gunicorn.conf.py without PORT.
PORT = 8000


@dataclass(frozen=True)
class Facts:
    """What renderers know of a project: its manifest's names, and the texts of its files.

    `jobs`: it takes jobs, so it needs a worker beside the web process, and a database.
    """

    name: str
    title: str
    description: str
    proxies: int
    texts: Mapping[str, str] = field(default_factory=dict)
    jobs: bool = False


def render(facts: Facts) -> dict[str, str]:
    """https://render.com/docs/blueprint-spec"""
    text = f"""\
services:
  - type: web
    name: {json.dumps(facts.name)}
    runtime: docker
    plan: starter
    dockerCommand: {START}
    preDeployCommand: {RELEASE}
    healthCheckPath: {READY}
    envVars:
      # The client, Cloudflare and Render's load balancer are in X-Forwarded-For.
      - key: TRUSTED_PROXIES
        value: "{facts.proxies}"
"""
    if facts.jobs:
        database = json.dumps(f"{facts.name}-database")
        variables = f"""\
      - key: JOBS
        value: "on"
      - key: DATABASE_URL
        fromDatabase:
          name: {database}
          property: connectionString
"""
        text += f"""\
{variables}\
  - type: worker
    name: {json.dumps(f"{facts.name}-worker")}
    runtime: docker
    plan: starter
    dockerCommand: {WORKER}
    envVars:
{variables}\
databases:
  - name: {database}
    plan: basic-256mb
"""
    return {"render.yaml": text}


def railway(facts: Facts) -> dict[str, str]:
    """https://docs.railway.com/infrastructure-as-code/reference"""
    name = json.dumps(facts.name)
    build = '{ builder: "DOCKERFILE", dockerfilePath: "Dockerfile" }'
    imports, database, variables, worker = "project", "", "", ""
    if facts.jobs:
        imports = "postgres, project"
        database = 'const database = postgres("database");\n\n'
        variables = ', JOBS: "on", DATABASE_URL: database.env.DATABASE_URL'
        worker = f"""\
      database,
      service({json.dumps(f"{facts.name}-worker")}, {{
        build: {build},
        start: "{WORKER}",
        env: {{ JOBS: "on", DATABASE_URL: database.env.DATABASE_URL }},
      }}),
"""
    text = f"""\
import {{ defineRailway, {imports}, service }} from "railway/iac";

{database}export default defineRailway(() =>
  project({name}, {{
    resources: [
      service({name}, {{
        build: {build},
        start: "{START}",
        preDeploy: "{RELEASE}",
        healthcheck: "{READY}",
        env: {{ TRUSTED_PROXIES: "{facts.proxies}"{variables} }},
      }}),
{worker}    ],
  }}),
);
"""
    return {".railway/railway.ts": text}


def fly(facts: Facts) -> dict[str, str]:
    """https://fly.io/docs/reference/configuration/"""
    worker = f'  worker = "{WORKER}"\n' if facts.jobs else ""
    jobs = '  JOBS = "on"\n' if facts.jobs else ""
    text = f"""\
app = "{facts.name}"
# gunicorn finishes its requests on SIGTERM; Fly's default, SIGINT, would cut them off.
kill_signal = "SIGTERM"
kill_timeout = 30

[build]
  dockerfile = "Dockerfile"

[deploy]
  release_command = "{RELEASE}"

[processes]
  app = "{START}"
{worker}
[env]
{jobs}  PORT = "{PORT}"
  # The last address in X-Forwarded-For is the app's own.
  TRUSTED_PROXIES = "{facts.proxies}"

[http_service]
  internal_port = {PORT}
  force_https = true
  processes = ["app"]

  [[http_service.checks]]
    method = "GET"
    path = "{READY}"
    grace_period = "60s"
    interval = "15s"
    timeout = "5s"

[[vm]]
  size = "shared-cpu-1x"
  memory = "512mb"
"""
    return {"fly.toml": text}


def cloudrun(facts: Facts) -> dict[str, str]:
    """https://docs.cloud.google.com/run/docs/reference/yaml/v1"""
    command, *arguments = START.split()
    text = f"""\
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: {json.dumps(facts.name)}
spec:
  template:
    metadata:
      annotations:
        autoscaling.knative.dev/maxScale: "2"
        run.googleapis.com/startup-cpu-boost: "true"
    spec:
      containerConcurrency: 48
      timeoutSeconds: 30
      containers:
        - image: REGION-docker.pkg.dev/PROJECT/REPOSITORY/{facts.name}
          command: {json.dumps([command])}
          args: {json.dumps(arguments)}
          ports:
            - containerPort: 8080
          env:
            # 2 with a load balancer in front.
            - name: TRUSTED_PROXIES
              value: "{facts.proxies}"
          resources:
            limits:
              cpu: "1"
              memory: 512Mi
          startupProbe:
            httpGet:
              path: {READY}
            periodSeconds: 5
            timeoutSeconds: 4
            failureThreshold: 48
          livenessProbe:
            httpGet:
              path: {ALIVE}
"""
    return {"service.yaml": text}


def spaces(facts: Facts) -> dict[str, str]:
    """https://huggingface.co/docs/hub/spaces-config-reference"""
    printable = "".join(c if c.isprintable() else " " for c in facts.title)
    title = json.dumps(" ".join(printable.split()), ensure_ascii=False)
    wanted = {"title": title, "sdk": "docker"}
    wanted["app_port"] = str(PORT)
    readme = facts.texts.get("README.md", "")
    block = re.match(r"---\n(.*?)---\n", readme, re.S)
    lines = block[1].splitlines() if block else []
    named = {line.partition(":")[0] for line in lines}
    # An owner's own title stays; another SDK or port would not start.
    kept = [line for line in lines if line.partition(":")[0] not in ("sdk", "app_port")]
    added = [f"{k}: {v}" for k, v in wanted.items() if k != "title" or k not in named]
    body = readme[block.end() :] if block else readme
    text = "\n".join(["---", *kept, *added, "---"]) + "\n" + body
    return {"README.md": text, **_dockerfile(facts)}


def captain(facts: Facts) -> dict[str, str]:
    """https://caprover.com/docs/captain-definition-file.html"""
    definition = {"schemaVersion": 2, "dockerfilePath": "./Dockerfile"}
    return {"captain-definition": _json(definition), **_dockerfile(facts)}


def scalingo(facts: Facts) -> dict[str, str]:
    """https://developers.scalingo.com/scalingo-json-schema/"""
    manifest: dict[str, Any] = {
        "name": facts.title,
        "description": facts.description,
        "env": {"TRUSTED_PROXIES": {"value": str(facts.proxies)}},
        "formation": {"web": {"amount": 1, "size": "M"}},
    }
    if facts.jobs:
        manifest["env"]["JOBS"] = {"value": "on"}
        manifest["formation"]["worker"] = {"amount": 1, "size": "M"}
        manifest["addons"] = [{"plan": "postgresql:postgresql-starter-512"}]
    procfile = facts.texts.get("Procfile", "")
    if not re.search(r"^postdeploy:", procfile, re.M):
        # It runs before requests are routed to the new containers.
        procfile = f"{_ended(procfile)}postdeploy: {RELEASE}\n"
    return {"scalingo.json": _json(manifest), "Procfile": procfile}


def dokku(facts: Facts) -> dict[str, str]:
    """https://dokku.com/docs/appendices/file-formats/app-json/

    Raises ValueError for an app.json that is no JSON object.
    """
    app: dict[str, Any] = json.loads(facts.texts.get("app.json", "{}"))
    if not isinstance(app, dict):
        raise ValueError("not an object")
    check = {"type": "startup", "name": "ready", "path": READY, "timeout": 5, "attempts": 12}
    checks = app.setdefault("healthchecks", {}).setdefault("web", [])
    if not any(entry.get("path") for entry in checks):
        checks.append({**check, "wait": 5})
    app.setdefault("env", {}).setdefault("TRUSTED_PROXIES", {"value": str(facts.proxies)})
    if facts.jobs:
        app["env"]["JOBS"] = {"value": "on"}
        worker = app.setdefault("formation", {}).setdefault("worker", {})
        worker["quantity"] = worker.get("quantity") or 1
    return {"app.json": _json(app)}


def heroku_fir(facts: Facts) -> dict[str, str]:
    """https://buildpacks.io/docs/reference/config/project-descriptor/"""
    ignored = [line.strip() for line in facts.texts.get(".slugignore", "").splitlines()]
    exclude = "".join(f"  {json.dumps(line)},\n" for line in ignored if line)
    text = f"""\
[_]
schema-version = "0.2"
id = "{facts.name}"

[io.buildpacks]
# As .slugignore, which only the older generation reads.
exclude = [
{exclude}]

# The Procfile has the commands of start and release.
[[io.buildpacks.group]]
id = "heroku/python"

[[io.buildpacks.group]]
id = "heroku/procfile"
"""
    return {"project.toml": text}


def _dockerfile(facts: Facts) -> dict[str, str]:
    """Return the Dockerfile for a platform whose own file sets no variables; {} if it has no line.

    TRUSTED_PROXIES is 0 in the Dockerfile: nobody is in front of `docker run`.
    """
    text, found = re.subn(
        r"^(ENV [^\n]*\bTRUSTED_PROXIES=)\d+",
        rf"\g<1>{facts.proxies}",
        facts.texts.get("Dockerfile", ""),
        count=1,
        flags=re.M,
    )
    return {"Dockerfile": text} if found else {}


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
