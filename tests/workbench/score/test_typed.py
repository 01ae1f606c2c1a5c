"""What a user types in a project: Parquet and Dask bring what they need, apart from the service."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import EXAMPLE, Bake, environment

from workbench.lock.requirements import LOCK, exact_pins

from .conftest import HERE, install

pytestmark = [pytest.mark.slow, pytest.mark.heavy, pytest.mark.xdist_group("verified")]
TO_CSV = "from pyarrow import csv, parquet; csv.write_csv(parquet.read_table({!r}), {!r})"


@pytest.fixture
def project(verified: Bake, tmp_path: Path) -> Path:
    copy = tmp_path / verified.project.name
    shutil.copytree(verified.project, copy, symlinks=True)
    shutil.copyfile(EXAMPLE / "sample.csv", copy / "loans.csv")
    typed(copy, "INPUT=loans.csv", "OUTPUT=scored.csv")
    assert not (copy / ".tools" / "score").exists()  # a CSV needs nothing
    return copy


def typed(project: Path, *options: str) -> str:
    """Type `make score` with these options; return what it printed."""
    return run(project, "make", "score", *options)


def run(project: Path, *command: object, **env: str) -> str:
    result = subprocess.run(
        [*map(str, command)],
        cwd=project,
        env=environment(**env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_parquet(project: Path) -> None:
    assert "Installing pyarrow" in typed(project, "INPUT=loans.csv", "OUTPUT=scored.parquet")
    (pyarrow,) = project.glob(".tools/score/parquet-*/site-packages")
    python, to_csv = project / ".venv" / "bin" / "python", TO_CSV.format("scored.parquet", "p.csv")
    run(project, python, "-c", to_csv, PYTHONPATH=str(pyarrow))
    assert len((project / "p.csv").read_text().splitlines()) == len(
        (project / "scored.csv").read_text().splitlines()
    )
    assert "Installing" not in typed(project, "INPUT=loans.csv", "OUTPUT=second.parquet")
    assert (project / "second.parquet").read_bytes() == (project / "scored.parquet").read_bytes()


@contextmanager
def cluster(project: Path, libraries: Path) -> Iterator[str]:
    """Start a cluster of Dask in the project's environment; yield its address."""
    process = subprocess.Popen(
        [project / ".venv" / "bin" / "python", HERE / "dask_cluster.py"],
        env=environment(PYTHONPATH=str(libraries)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.communicate("")


def test_dask(project: Path, tmp_path: Path) -> None:
    pins = tmp_path / "pins.txt"
    pins.write_text("\n".join(exact_pins((project / LOCK).read_text(), ())))
    # Workers with other versions than the project's refuse.
    folder = install(tmp_path / "site-packages", "--constraint", str(pins), "distributed")
    with cluster(project, folder) as address:
        options = ("INPUT=loans.csv", "OUTPUT=dask.csv", f"ENGINE=dask://{address}")
        assert "Installing distributed" in typed(project, *options)
    assert (project / "dask.csv").read_bytes() == (project / "scored.csv").read_bytes()
