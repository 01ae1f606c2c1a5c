"""make doctor PLATFORM=…: the checks of another platform, with its limits."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from conftest import git
from tests.workbench.fake_locks import fake_lock

from workbench.doctor import doctor
from workbench.doctor.checks import CHECKS, run_checks
from workbench.doctor.findings import Finding
from workbench.doctor.snapshot import Elsewhere, Latency, Memory, Snapshot
from workbench.errors import UserError
from workbench.platforms.command import platform
from workbench.platforms.registry import PLATFORMS

MB = 1 << 20
every_platform = pytest.mark.parametrize("name", PLATFORMS)


@pytest.fixture
def project(loan_copy: Path) -> Path:
    fake_lock(loan_copy)
    return loan_copy


def findings(project: Path, name: str) -> dict[str, Finding]:
    return {found.check: found for found in doctor.examine(project, name).findings}


@every_platform
def test_the_file_is_missing_then_there(project: Path, name: str) -> None:
    found = findings(project, name)["platform file"]
    assert (found.verdict, found.advice) == ("error", f"make platform NAME={name}")
    platform(project, name)
    found = findings(project, name)
    assert found["platform file"].verdict == "ok"
    left_out = CHECKS.keys() - found.keys()
    built = {"package manager"} if PLATFORMS[name].builds_image else set()
    assert left_out == {"app.json", "jobs", "slug"} | built


def test_an_edited_file_is_named(project: Path) -> None:
    platform(project, "fly")
    with (project / "fly.toml").open("a") as file:
        file.write("# mine\n")
    found = findings(project, "fly")["platform file"]
    assert (found.verdict, found.found) == (
        "warning",
        "fly.toml is not as make platform NAME=fly writes it",
    )


@pytest.mark.parametrize("name", ["render", "dokku"])
def test_a_file_with_the_worker_of_jobs_is_as_written(project: Path, name: str) -> None:
    platform(project, name, jobs=True)
    assert findings(project, name)["platform file"].verdict == "ok"


def test_an_unknown_platform_is_refused(project: Path) -> None:
    with pytest.raises(UserError, match="'flyio' is no platform that is known here"):
        findings(project, "flyio")


@pytest.fixture(scope="module")
def snapshot(loan: Path, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    copy = tmp_path_factory.mktemp("snapshot") / loan.name
    shutil.copytree(loan, copy)
    return doctor.take_snapshot(copy)


def memory(megabytes: int) -> dict[str, Memory]:
    return {"memory": Memory(megabytes * MB, 50 * MB, 1, True)}


@pytest.mark.parametrize(
    ("name", "check", "measured", "verdict", "words"),
    [
        ("render", "memory", memory(190), "ok", "190 of 512 MB (one worker)"),
        ("render", "memory", memory(450), "warning", "Take standard (2048 MB, $25 a month)"),
        ("fly", "memory", memory(600), "error", "Take shared-cpu-1x, 1 GB (1024 MB, $5.7 a month)"),
        ("scalingo", "memory", memory(600), "error", "Take a larger size in the platform's file"),
        ("dokku", "memory", memory(9000), "ok", "on a server of your own"),
        ("railway", "boot", {"boot_seconds": 200.0}, "warning", "ready after 200.0 of 300 s"),
        ("fly", "boot", {"boot_seconds": 70.0}, "error", "ready after 70.0 of 60 s"),
        ("render", "prediction", {"latency": Latency(11.0, 9)}, "warning", "p95 11.0 s of 20 s"),
    ],
)
def test_a_measurement_is_judged_by_the_limits_of_the_platform(
    snapshot: Snapshot,
    name: str,
    check: str,
    measured: dict[str, object],
    verdict: str,
    words: str,
) -> None:
    elsewhere = Elsewhere(PLATFORMS[name], (), ())
    changed = dataclasses.replace(snapshot, elsewhere=elsewhere, **measured)  # type: ignore[arg-type]
    (found,) = (finding for finding in run_checks(changed) if finding.check == check)
    assert found.verdict == verdict
    assert words in f"{found.found} {found.advice}"


@pytest.mark.parametrize(("name", "verdict"), [("scalingo", "error"), ("render", "ok")])
def test_python_3_10_is_too_old_for_some(project: Path, name: str, verdict: str) -> None:
    manifest = json.loads((project / "model" / "manifest.json").read_text())
    (project / "model" / "manifest.json").write_text(json.dumps(manifest | {"python": "3.10"}))
    (project / ".python-version").write_text("3.10\n")
    git(project, "add", "--all")
    assert findings(project, name)["Python"].verdict == verdict
