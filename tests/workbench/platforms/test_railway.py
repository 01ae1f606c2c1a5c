"""Railway's own package evaluates the file: what it reads there is what was meant."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from workbench.platforms.registry import PLATFORMS
from workbench.platforms.renderers import READY, RELEASE, START, WORKER, Facts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.heavy,
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm"),
]

PACKAGE = "railway@3.11.0"
EVALUATE = """
import { createRailwayContext } from "railway/iac";
const { default: program } = await import("./railway.mjs");
console.log(JSON.stringify(await program(createRailwayContext({ command: "plan" }))));
"""


@pytest.mark.parametrize("jobs", [False, True])
def test_the_package_of_railway_reads_what_was_meant(tmp_path: Path, jobs: bool) -> None:
    proxies = PLATFORMS["railway"].proxies
    facts = Facts("loan-approval", "Loan approval", "About it.", proxies, jobs=jobs)
    (text,) = PLATFORMS["railway"].render(facts).values()
    (tmp_path / "railway.mjs").write_text(text)  # it has no types: it is JavaScript too
    (tmp_path / "evaluate.mjs").write_text(EVALUATE)
    install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE]
    subprocess.run(install, cwd=tmp_path, check=True, capture_output=True)
    evaluated = subprocess.run(
        ["node", "evaluate.mjs"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    service, *more = json.loads(evaluated.stdout)["resources"]
    assert service["name"] == "loan-approval"
    assert service["build"] == {"builder": "DOCKERFILE", "dockerfilePath": "Dockerfile"}
    assert service["deploy"] == {
        "startCommand": START,
        "preDeployCommand": [RELEASE],
        "healthcheckPath": READY,
    }
    proxies_only = {"TRUSTED_PROXIES": {"type": "literal", "value": "1"}}
    if not jobs:
        assert (service["variables"], more) == (proxies_only, [])
        return
    database, worker = more
    reference = {"type": "reference", "resource": database["address"], "output": "DATABASE_URL"}
    wanted = {"JOBS": {"type": "literal", "value": "on"}, "DATABASE_URL": reference}
    assert (database["type"], database["engine"]) == ("database", "postgres")
    assert worker["deploy"] == {"startCommand": WORKER}
    assert worker["variables"] == wanted
    assert service["variables"] == {**proxies_only, **wanted}
