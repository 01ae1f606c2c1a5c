"""Dask, Ray and Spark write the bytes of a pool, on workers that know nothing of the project."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path

import pytest
from conftest import EXAMPLE, SRC, environment
from markdown_pages import documentation

from .conftest import HERE, install

pytestmark = [pytest.mark.slow, pytest.mark.heavy]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
START_SECONDS = 240
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
    """Install an engine beside the versions that run here, as make score does."""
    pins = folder / "pins.txt"
    installed = {d.metadata["Name"].lower(): d.version for d in distributions()}
    pins.write_text(
        "".join(f"{n}=={v}\n" for n, v in installed.items() if "model-service" not in n)
    )
    return install(folder / "site-packages", "--constraint", str(pins), *requirements)


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


def score(project: Path, loans: Path, output: Path, libraries: Path | None, **more: str) -> bytes:
    options = {"INPUT": loans, "OUTPUT": output, **more}
    run(project, libraries, "-m", "workbench.score", *(f"{k}={v}" for k, v in options.items()))
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
    folder = libraries(tmp_path, "ray[client]", "typing_extensions")
    ray, port = folder / "bin" / "ray", free_port()
    options = ("--head", "--block", "--num-cpus=2", "--include-dashboard=false", "--port=0")
    server = f"--ray-client-server-port={port}"
    start = [sys.executable, ray, "start", *options, server, "--disable-usage-stats"]
    started = subprocess.Popen(
        [*start, f"--temp-dir={tmp_path}/ray"],
        env=environment(PYTHONPATH=str(folder), **ONE_THREAD),
    )
    try:
        wait_for(port)
        engine = f"ray://127.0.0.1:{port}"
        assert score(proven, loans, tmp_path / "scored.csv", folder, ENGINE=engine) == expected
    finally:
        started.terminate()
        started.wait()


def test_spark(proven: Path, loans: Path, expected: bytes, tmp_path: Path) -> None:
    script = HERE / "on_spark.py"
    page = documentation()["docs/how-to/score-files.md"]
    (shown,) = [b.text for s in page.sections for b in s.blocks if b.language == "python"]
    assert script.read_text(encoding="utf-8").endswith(shown)
    folder = libraries(tmp_path, "pyspark")
    spark = {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    run(proven, folder, script, loans, tmp_path / "scored.csv", **spark)
    assert written(tmp_path / "scored.csv") == expected


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    pytest.fail("the cluster does not start")
