"""The guard around the model's code: what it may do, what is refused, in which threads."""

# ruff: noqa: PTH123, PTH107, PTH208, SIM115

from __future__ import annotations

import _thread
import ctypes
import importlib
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import zoneinfo
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import adopted, engine_environment
from joblib import cpu_count
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from stand_ins import model_around

from model_service.errors import ModelError
from model_service.model import guard
from model_service.model.guard import Guard, ModelActed
from model_service.model.loading import load_model
from model_service.web.app import create_app


def quietly(call: Callable[..., Any], *arguments: Any) -> None:
    """Call as code does that goes on without: a refusal must not get lost with the error."""
    try:
        call(*arguments)
    except OSError:
        return


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "reads": (lambda: open("/etc/passwd"), "open /etc/passwd"),
    "reads by os": (lambda: os.open("/etc/passwd", os.O_RDONLY), "open /etc/passwd"),
    "reads an environment": (lambda: open("/proc/self/environ"), "/environ"),
    "reads through a link": (lambda: open("/proc/self/root/etc/passwd"), "open "),
    "reads by NumPy": (lambda: np.fromfile("/etc/passwd"), "open /etc/passwd"),
    "lists": (lambda: os.listdir("/etc"), "open /etc"),
    "writes": (lambda: open("/tmp/canary", "w"), "write /tmp/canary"),
    "appends": (lambda: open("/tmp/canary", "a"), "write /tmp/canary"),
    "writes by os": (lambda: os.open("/tmp/canary", os.O_CREAT | os.O_WRONLY), "write "),
    "maps": (lambda: np.memmap("/tmp/canary", mode="w+", shape=3), "write /tmp/canary"),
    "removes": (lambda: os.remove("/tmp/canary"), "change files (os.remove '/tmp/canary')"),
    "has a database": (lambda: sqlite3.connect("/tmp/canary"), "change files"),
    "runs a command": (lambda: os.system("true"), "start a process (os.system "),
    "starts a program": (lambda: subprocess.run(["true"], check=True), "start a process"),
    "forks": (os.fork, "start a process (os.fork"),
    "signals": (lambda: os.kill(os.getpid(), 0), "send a signal"),
    "connects": (lambda: socket.create_connection(("127.0.0.1", 1)), "use the network"),
    "asks for a name": (lambda: socket.gethostbyname("localhost"), "use the network"),
    "listens": (lambda: socket.create_server(("127.0.0.1", 0)), "use the network"),
    "loads a library": (lambda: ctypes.CDLL("/tmp/canary.so"), "open /tmp/canary.so"),
    "catches it": (lambda: quietly(open, "/etc/passwd"), "open /etc/passwd"),
    "in a thread": (lambda: in_a_thread(quietly, open, "/etc/passwd"), "open /etc/passwd"),
    "in a pool": (lambda: in_a_pool(quietly, open, "/etc/passwd"), "open /etc/passwd"),
}


if sys.version_info >= (3, 12):
    REFUSED["in a bare thread"] = (
        lambda: _thread.start_new_thread(int, ()),
        "start a thread that Python does not know",
    )


def in_a_thread(call: Callable[..., Any], *arguments: Any) -> None:
    thread = threading.Thread(target=call, args=arguments)
    thread.start()
    thread.join()


def in_a_pool(call: Callable[..., Any], *arguments: Any) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call, *arguments).result()


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_model_must_not_do_is_refused_and_named(case: str) -> None:
    act, words = REFUSED[case]
    with pytest.raises(ModelActed) as caught, Guard("predicting"):
        act()
    assert str(caught.value).startswith("The model tried to ")
    assert words in str(caught.value)
    assert str(caught.value).endswith(" while predicting")
    assert not Path("/tmp/canary").exists()


ALLOWED: dict[str, Callable[[], Any]] = {
    "a library's file": lambda: Path(np.__file__).read_bytes(),
    "a time zone": lambda: zoneinfo.ZoneInfo.no_cache("UTC"),
    "the place of a library": lambda: find_library("c"),
    "the number of cores": lambda: cpu_count(only_physical_cores=True),
    "nothing": lambda: open(os.devnull, "w").close(),
    "chance": lambda: os.urandom(3),
    "a pair of sockets": lambda: [end.close() for end in socket.socketpair()],
    "a thread": lambda: in_a_thread(sum, [1, 2]),
    "a pool": lambda: in_a_pool(sum, [1, 2]),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_what_libraries_do_is_allowed(case: str) -> None:
    with Guard("predicting"):
        ALLOWED[case]()


def test_a_library_can_ask_the_machine_while_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "asks_the_machine.py").write_text("import os\nos.system('true')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelActed, match=r"os\.system"), Guard("predicting"):
        importlib.import_module("asks_the_machine")  # a module of the author's
    sys.modules.pop("asks_the_machine", None)
    monkeypatch.setattr(guard, "_libraries", lambda: (str(tmp_path.resolve()),))
    with Guard("predicting"):
        importlib.import_module("asks_the_machine")
    del sys.modules["asks_the_machine"]


def test_the_bytecode_of_an_imported_module_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise each start would compile scikit-learn, which takes three seconds."""
    (tmp_path / "is_imported.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    with Guard("it was loaded"):
        importlib.import_module("is_imported")
    del sys.modules["is_imported"]
    assert list((tmp_path / "__pycache__").glob("is_imported.*.pyc"))


def test_the_adopted_folder_can_be_read_while_loading(tmp_path: Path) -> None:
    (tmp_path / "code.txt").write_text("x")
    with Guard("it was loaded", tmp_path):
        assert (tmp_path / "code.txt").read_text() == "x"
    with pytest.raises(ModelActed, match=r"code\.txt"), Guard("predicting"):
        (tmp_path / "code.txt").read_text()


def test_models_that_use_threads_and_libraries_predict() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 3))
    forest = RandomForestClassifier(5, n_jobs=2).fit(rows, rows[:, 0] > 0)
    clusters = KMeans(2, n_init=1).fit(rows)
    with Guard("predicting"):
        assert len(forest.predict(rows)) == len(clusters.predict(rows)) == 50


def test_the_service_itself_is_not_guarded(tmp_path: Path) -> None:
    with Guard("predicting"):
        pass
    (tmp_path / "log").write_text("x")
    entered, done = threading.Event(), threading.Event()

    def predict() -> None:
        with Guard("predicting"):
            entered.set()
            done.wait(10)

    thread = threading.Thread(target=predict)
    thread.start()
    assert entered.wait(10)
    assert (tmp_path / "log").read_text() == "x"  # while the model predicts in its thread
    done.set()
    thread.join()


def test_guards_in_each_other_raise_once_at_the_outermost() -> None:
    predicting, went_on = Guard("predicting"), []

    def predict() -> None:
        with Guard("something else"):
            quietly(open, "/etc/passwd")
        went_on.append(True)

    with pytest.raises(ModelActed, match="/etc/passwd while predicting"), predicting:
        predict()
    assert went_on
    with predicting:
        pass  # the next prediction begins without what the last one did


IMPORTS = """
from model_service.model.guard import Guard
with Guard("it was loaded"):
    import {module}
print("imported")
"""


@pytest.mark.parametrize(
    "module", ["sklearn.ensemble", "pandas", "scipy.stats", "joblib", "concurrent.futures"]
)
def test_libraries_can_be_imported_while_a_file_is_loaded(module: str) -> None:
    code = IMPORTS.format(module=module)
    command = [sys.executable, "-c", code]
    output = subprocess.check_output(command, env=engine_environment(), text=True)
    assert output.splitlines()[-1] == "imported"


class Spy:
    """A model that reads a file for the rows that ask for one, and hides that it was refused."""

    def predict(self, frame: pd.DataFrame) -> list[float]:
        for path in frame["path"]:
            quietly(Path(path).read_bytes)
        return [1.0] * len(frame)


def test_a_request_for_which_the_model_acts_gets_503_and_the_log_the_reason(
    loan: Path, caplog: pytest.LogCaptureFixture
) -> None:
    feature = {"name": "path", "type": "text"}
    model = model_around(Spy(), load_model(loan / "model"), [feature], {"path": np.__file__})
    client = create_app(model).test_client()
    body = {"rows": [{"path": np.__file__}, {"path": "/etc/passwd"}]}
    refused = client.post("/predict", json=body)
    assert (refused.status_code, refused.json["title"]) == (503, "The model was stopped")
    assert "/etc/passwd" not in refused.text
    assert "The model tried to open /etc/passwd while predicting" in caplog.text
    answered = client.post("/predict", json={"path": np.__file__})
    assert (answered.status_code, answered.json["prediction"]) == (200, 1.0)


def test_a_model_that_acts_while_it_is_loaded_is_not_served(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0]})
    joblib.dump(LinearRegression().fit(frame, [1, 2, 3]), tmp_path / "model.joblib")
    code = "def prepare(frame): return frame\ntry: open('/etc/passwd')\nexcept OSError: pass\n"
    (tmp_path / "app.py").write_text(code)
    answers = {"model_code": "app.py", "features": "a"}
    project = adopted(tmp_path, tmp_path / "model.joblib", **answers)
    with pytest.raises(ModelError, match="tried to open /etc/passwd while it was loaded"):
        load_model(project / "model")
