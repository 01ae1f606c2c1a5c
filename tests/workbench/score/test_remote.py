"""A worker on another machine: the project travels to it, and other versions are refused."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import EXAMPLE, SRC, environment

from workbench.score.archive import Archive, portable_score
from workbench.score.run import Run

REMOTE = SRC / "workbench" / "score" / "remote.py"
# It has neither the sources nor the project on its path.
WORKER = """
import runpy, sys
from pathlib import Path
folder = Path(sys.argv[1])
score = runpy.run_path(sys.argv[2])["score_remotely"]
for sha256 in sys.argv[3:]:
    archive, job, part = ((folder / name).read_bytes() for name in (sha256, "job", "part"))
    print(score(archive, sha256, job.decode(), part.decode()))
"""


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


def prepare(project: Path, folder: Path) -> None:
    """Write the job and the first part of a run where a worker finds them."""
    options = {"INPUT": str(EXAMPLE / "sample.csv"), "OUTPUT": str(folder / "scored.csv")}
    with Run.opened(project, options) as run:
        (folder / "job").write_text(run.job.to_json(), encoding="utf-8")
        (folder / "part").write_text(next(run.parts).to_json(), encoding="utf-8")


def work(folder: Path, temporary: Path, *archives: Archive) -> subprocess.CompletedProcess[str]:
    for archive in archives:
        (folder / archive.sha256).write_bytes(archive.content)
    return subprocess.run(
        [sys.executable, "-c", WORKER, folder, REMOTE, *(a.sha256 for a in archives)],
        env=environment(TMPDIR=str(temporary), PYTHONPATH=""),
        capture_output=True,
        text=True,
        check=False,
    )


def with_library(project: Path, folder: Path, name: str, version: str) -> Path:
    """Return a copy of a project whose manifest wants another version."""
    copy = folder / "other"
    shutil.copytree(project / "model", copy / "model")
    path = copy / "model" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["libraries"][name] = version
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return copy


def test_the_project_travels(proven: Path, tmp_path: Path, temporary: Path) -> None:
    prepare(proven, tmp_path)
    result = work(tmp_path, temporary, Archive.of(proven))
    found: dict[str, Any] = json.loads(result.stdout)
    assert (found["rows"], found["rejected"], found["error"]) == (500, 0, None), result.stderr
    assert (tmp_path / "scored.csv.parts" / "000000.csv").exists()


def test_other_versions_are_refused(proven: Path, tmp_path: Path, temporary: Path) -> None:
    prepare(proven, tmp_path)
    other = with_library(proven, tmp_path, "numpy", "1.0")
    result = work(tmp_path, temporary, Archive.of(other))
    assert "numpy is" in json.loads(result.stdout)["error"], result.stderr
    assert "and should be 1.0" in json.loads(result.stdout)["error"]


def test_a_worker_does_not_mix_projects(proven: Path, tmp_path: Path, temporary: Path) -> None:
    prepare(proven, tmp_path)
    other = with_library(proven, tmp_path, "numpy", "1.0")
    result = work(tmp_path, temporary, Archive.of(proven), Archive.of(other))
    assert "This worker has scored for another project or version" in result.stderr


def test_an_archive_is_the_same_each_time(proven: Path) -> None:
    assert Archive.of(proven) == Archive.of(proven)


def test_picklers_carry_the_work_by_value() -> None:
    with pytest.raises((AttributeError, pickle.PicklingError)):  # which they try by name first
        pickle.dumps(portable_score())
