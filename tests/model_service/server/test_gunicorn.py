"""gunicorn with the engine's settings and the owner's numbers."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import EXAMPLE, SRC, adopted, environment

from model_service import StartError
from model_service.server import gunicorn

CONFIGURATION = """\
bind = "127.0.0.1:0"
threads = 64
from model_service.server.gunicorn import *
"""
APP = """\
from model_service import ModelService, api

app = ModelService(__name__)
app.register_blueprint(api.bp)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The loan example with app.py and gunicorn.conf.py."""
    folder = tmp_path_factory.mktemp("gunicorn")
    features = str(EXAMPLE / "features.json")
    project = adopted(folder, EXAMPLE / "model.joblib", features=features)
    (project / "app.py").write_text(APP)
    (project / "gunicorn.conf.py").write_text(CONFIGURATION)
    return project


def run_gunicorn(project: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", *options],
        cwd=project,
        env=environment(**{"PYTHONPATH": str(SRC), **env}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_gunicorn_reads_every_setting(project: Path) -> None:
    found = run_gunicorn(project, "--print-config")
    assert found.returncode == 0, found.stderr
    settings = dict(line.split("=", 1) for line in found.stdout.splitlines() if "=" in line)
    printed = {name.strip(): value.strip() for name, value in settings.items()}
    assert printed["worker_class"] == "model_service.server.worker.Worker"
    assert printed["preload_app"] == "True"
    assert printed["threads"] == "64"
    assert printed["wsgi_app"] == "model_service.server.gunicorn:load_app()"
    assert printed["forwarder_headers"] == printed["forwarded_allow_ips"] == "[]"
    assert set(gunicorn.__all__) <= set(printed)


def test_without_workers_nothing_is_served(project: Path) -> None:
    found = run_gunicorn(project, WEB_CONCURRENCY="0")
    assert found.returncode == 3
    assert found.stderr == (
        "WEB_CONCURRENCY is '0'; set it to a whole number above 0, or unset it.\n"
    )


def test_without_httptools_gunicorns_own_worker_serves(project: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['httptools'] = None\n")
    path = f"{tmp_path}{os.pathsep}{SRC}"
    found = run_gunicorn(project, "--print-config", PYTHONPATH=path)
    assert "worker_class = gthread" in " ".join(found.stdout.split()), found.stderr


@pytest.mark.parametrize("options", [(), ("--check-config",)])
def test_a_start_error_is_one_line_and_status_3(project: Path, options: tuple[str, ...]) -> None:
    found = run_gunicorn(project, *options, MAX_IN_FLIGHT="many")
    assert found.returncode == 3
    assert found.stdout == ""
    assert found.stderr == (
        "MAX_IN_FLIGHT is 'many'; set it to a whole number above 0, or unset it.\n"
    )


def test_a_start_error_of_a_worker_that_loads_by_itself_ends_gunicorn(project: Path) -> None:
    configuration = project / "own.conf.py"
    configuration.write_text(CONFIGURATION + "preload_app = False\n")
    found = run_gunicorn(project, "--config", configuration.name, MAX_IN_FLIGHT="many")
    assert found.returncode == 3
    assert "MAX_IN_FLIGHT is 'many'" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads /proc")
def test_sigterm_during_the_boot_ends_gunicorn(project: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py"],
        cwd=project,
        env=environment(PYTHONPATH=str(SRC)),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        maps, deadline = Path(f"/proc/{process.pid}/maps"), time.monotonic() + 60
        while "sklearn" not in maps.read_text():  # the model's libraries are being imported
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.terminate()
        assert process.wait(timeout=10) == -signal.SIGTERM


TOLD_TOO_EARLY = """\
import os, signal
from model_service.server.gunicorn import *
from model_service.server.gunicorn import post_fork as after_fork

bind = "127.0.0.1:0"


def post_fork(server, worker):
    # The first worker is told to end before it has handlers, and the second one ends the master.
    os.kill(os.getpid() if worker.age == 1 else os.getppid(), signal.SIGTERM)
    after_fork(server, worker)
"""


def test_a_worker_that_is_told_to_end_before_it_can_hear_it_ends(
    project: Path, tmp_path: Path
) -> None:
    (tmp_path / "early.conf.py").write_text(TOLD_TOO_EARLY)
    found = run_gunicorn(project, "--config", str(tmp_path / "early.conf.py"))
    assert found.returncode == 0, found.stderr
    assert found.stderr.count("Booting worker") == 2


class Server(SimpleNamespace):
    """What the hooks ask of gunicorn's master."""

    def __init__(self, application: Any, preload: bool = True) -> None:
        cfg = SimpleNamespace(preload_app=preload)
        super().__init__(cfg=cfg, app=SimpleNamespace(wsgi=lambda: application))


@pytest.mark.parametrize("hook", ["when_ready", "on_reload"])
def test_garbage_collection_is_on_again_after_the_start(
    hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in gunicorn.THREAD_COUNTS:  # which load_app sets if they are not set
        monkeypatch.setenv(name, "1")
    prepared: list[bool] = []
    app = SimpleNamespace(before_fork=lambda: prepared.append(True))
    monkeypatch.setitem(sys.modules, "app", SimpleNamespace(app=app))
    try:
        assert gunicorn.load_app() is app
        assert not gc.isenabled()
        getattr(gunicorn, hook)(Server(app))
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.enable()
    assert prepared == [True]


def test_an_application_that_workers_load_is_not_loaded_in_the_master() -> None:
    def load() -> Any:
        raise AssertionError("loaded")

    server = SimpleNamespace(cfg=SimpleNamespace(preload_app=False), app=SimpleNamespace(wsgi=load))
    try:
        gunicorn.when_ready(server)
    finally:
        gc.unfreeze()


def test_the_thread_counts_of_the_owner_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    monkeypatch.setitem(sys.modules, "app", SimpleNamespace(app="the application"))
    try:
        gunicorn.load_app()
        assert gunicorn.os.environ["OMP_NUM_THREADS"] == "4"
        assert gunicorn.os.environ["OPENBLAS_NUM_THREADS"] == "1"
    finally:
        gc.enable()


def test_an_error_of_the_owners_code_keeps_its_traceback(project: Path, tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(CONFIGURATION)
    (tmp_path / "app.py").write_text("raise ValueError('of the owner')\n")
    found = run_gunicorn(tmp_path, "--check-config")
    assert found.returncode == 1
    assert "ValueError: of the owner" in found.stderr


def test_start_errors_can_be_caught_in_the_owners_tests() -> None:
    assert issubclass(StartError, Exception)
