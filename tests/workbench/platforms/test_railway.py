"""Railway's own package evaluates the file: what it reads there is what was meant."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from workbench.platforms.registry import PLATFORMS
from workbench.platforms.renderers import READY, RELEASE, START, Facts

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


def test_the_package_of_railway_reads_what_was_meant(tmp_path: Path) -> None:
    facts = Facts("loan-approval", "Loan approval", "About it.", PLATFORMS["railway"].proxies)
    (text,) = PLATFORMS["railway"].render(facts).values()
    (tmp_path / "railway.mjs").write_text(text)  # it has no types: it is JavaScript too
    (tmp_path / "evaluate.mjs").write_text(EVALUATE)
    install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE]
    subprocess.run(install, cwd=tmp_path, check=True, capture_output=True)
    evaluated = subprocess.run(
        ["node", "evaluate.mjs"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    (service,) = json.loads(evaluated.stdout)["resources"]
    assert service["name"] == "loan-approval"
    assert service["build"] == {"builder": "DOCKERFILE", "dockerfilePath": "Dockerfile"}
    assert service["deploy"] == {
        "startCommand": START,
        "preDeployCommand": [RELEASE],
        "healthcheckPath": READY,
    }
    assert service["variables"] == {"TRUSTED_PROXIES": {"type": "literal", "value": "1"}}
