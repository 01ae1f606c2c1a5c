"""Dask, Ray and Spark write the bytes of a pool, on workers that know nothing of the project."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path

import pytest
from conftest import EXAMPLE, SRC, environment
from markdown_pages import documentation

from .conftest import HERE, install

pytestmark = [pytest.mark.slow, pytest.mark.heavy]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
ROWS = 60_000  # of several parts


@pytest.fixture(scope="module")
def loans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of several parts with some rows that do not fit."""
    header, *rows = (EXAMPLE / "sample.csv").read_text(encoding="utf-8").splitlines()
    lines = (rows * (ROWS // len(rows) + 1))[:ROWS]
    lines[11] = lines[11].replace(",", ",x", 1)
    path = tmp_path_factory.mktemp("loans") / "loans.csv"
    path.write_text("\n".join([header, *lines, *lines]), encoding="utf-8")
    return path


def libraries(folder: Path, *requirements: str) -> Path:
    """Install an engine beside the versions that run here, as make score does.

    It is compiled: a node of Ray ends itself unless its agents have started within 15 s, and tests
    do not let them keep what they compile.
    """
    pins = folder / "pins.txt"
    installed = {d.metadata["Name"].lower(): d.version for d in distributions()}
    pins.write_text(
        "".join(f"{n}=={v}\n" for n, v in installed.items() if "model-service" not in n)
    )
    options = ("--compile-bytecode", "--constraint", str(pins))
    return install(folder / "site-packages", *options, *requirements)


def run(project: Path, libraries: Path | None, *arguments: object, **env: str) -> None:
    path = os.pathsep.join(map(str, filter(None, (SRC, libraries))))
    result = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=project,
        env=environment(PYTHONPATH=path, **ONE_THREAD, **env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode in (0, 3), result.stderr


def score(
    project: Path,
    loans: Path,
    output: Path,
    libraries: Path | None,
    env: Mapping[str, str] | None = None,
    **more: str,
) -> bytes:
    words = [f"{k}={v}" for k, v in {"INPUT": loans, "OUTPUT": output, **more}.items()]
    run(project, libraries, "-m", "workbench.score", *words, **(env or {}))
    return written(output)


def written(output: Path) -> bytes:
    return output.read_bytes() + Path(f"{output}.rejected.csv").read_bytes()


@pytest.fixture(scope="module")
def expected(proven: Path, loans: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What one process writes."""
    return score(proven, loans, tmp_path_factory.mktemp("one") / "scored.csv", None, JOBS="1")


@contextmanager
def process(*command: object, **env: str) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        list(map(str, command)),
        env=environment(**ONE_THREAD, **env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        started.communicate("")


def test_a_pool(proven: Path, loans: Path, expected: bytes, tmp_path: Path) -> None:
    assert score(proven, loans, tmp_path / "scored.csv", None, JOBS="2") == expected


def test_dask(proven: Path, loans: Path, expected: bytes, tmp_path: Path) -> None:
    folder = libraries(tmp_path, "distributed")
    # The cluster does not have the sources on its path.
    with process(sys.executable, HERE / "dask_cluster.py", PYTHONPATH=str(folder)) as cluster:
        assert cluster.stdout is not None
        address = cluster.stdout.readline().strip()
        engine = f"dask://{address}"
        assert score(proven, loans, tmp_path / "scored.csv", folder, ENGINE=engine) == expected


def test_ray(proven: Path, loans: Path, expected: bytes, tmp_path: Path) -> None:
    folder, port = libraries(tmp_path, "ray[client]", "typing_extensions"), free_port()
    script = HERE / "ray_cluster.py"
    # Else Ray makes a token for callers and writes it into the home folder.
    open_to_all = {"RAY_AUTH_MODE": "disabled"}
    with process(sys.executable, script, port, PYTHONPATH=str(folder), **open_to_all) as cluster:
        assert cluster.stdout is not None
        assert cluster.stdout.readline() == "ready\n"
        engine = f"ray://127.0.0.1:{port}"
        output = tmp_path / "scored.csv"
        assert score(proven, loans, output, folder, open_to_all, ENGINE=engine) == expected


@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java: make machine")
def test_spark(proven: Path, loans: Path, expected: bytes, tmp_path: Path) -> None:
    script = HERE / "on_spark.py"
    page = documentation()["docs/how-to/score-files.md"]
    (shown,) = [b.text for s in page.sections for b in s.blocks if b.language == "python"]
    assert script.read_text(encoding="utf-8").strip().endswith(shown.strip())
    folder = libraries(tmp_path, "pyspark")
    spark = {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    run(proven, folder, script, loans, tmp_path / "scored.csv", **spark)
    assert written(tmp_path / "scored.csv") == expected


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
