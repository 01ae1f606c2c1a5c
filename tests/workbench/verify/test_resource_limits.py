"""The limits of the proof: models that hang, allocate or want the network, in a real child."""

from __future__ import annotations

import socket
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import joblib
import pytest
from conftest import PYTHON, SRC
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

from workbench.adopt.answers import Answers
from workbench.adopt.decide import decide
from workbench.adopt.write import write
from workbench.errors import UserError
from workbench.heroku import BASIC, MEGABYTE
from workbench.verify.resource_limits import Limits, in_a_dyno
from workbench.verify.verify import prove

ROOMY = Limits(megabytes=2048, seconds=120)


@pytest.fixture
def listener() -> Iterator[int]:
    """A server on this machine: whoever reaches it has a network."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def project_with(prepare: str, folder: Path) -> Path:
    """Adopt a model before which code of the author's runs."""
    data, target = load_diabetes(return_X_y=True, as_frame=True)
    joblib.dump(Ridge().fit(data, target), folder / "model.joblib")
    (folder / "app.py").write_text(
        "import os, socket, subprocess, threading, urllib.request\n\n\n"
        f"def prepare(frame):\n    {prepare}\n    return frame\n"
    )
    answers = Answers(
        *("Name", "name", "About.", "model.joblib", folder),
        features=",".join(data.columns),
        model_code="app.py",
        python_version=PYTHON,
    )
    project = folder / "project"
    write(decide(answers), project)
    return project


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with what this one has, and the packages in src/, as after an installation."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "these.pth").write_text(f"{sysconfig.get_path('purelib')}\n{SRC}\n")
    return folder / "bin" / "python"


# (the author's code, limits, words of the message)
BEYOND = {
    "hangs": ("while True: pass", Limits(seconds=2), ["took more than 2 seconds", "PROOF_SECONDS"]),
    "allocates": (
        "blocks = []\n    while True: blocks.append(bytearray(1 << 20))",
        ROOMY,
        ["needs more than the 2048 MB of memory", "PROOF_MEGABYTES"],
    ),
    "allocates at once": ("bytearray(1 << 33)", ROOMY, ["needs more than the 2048 MB of memory"]),
    "connects": (
        "socket.socket().connect(('127.0.0.1', {port}))",
        ROOMY,
        ["tried to use the network (socket.connect ('127.0.0.1', {port})) while predicting"],
    ),
    "listens": ("socket.create_server(('', 0))", ROOMY, ["tried to use the network (socket.bind"]),
    "asks for a page": (
        "urllib.request.urlopen('http://localhost:{port}')",
        ROOMY,
        ["tried to use the network (socket.getaddrinfo 'localhost')"],
    ),
    "starts a program": (
        "subprocess.run(['true'])",
        ROOMY,
        ["tried to start a process (subprocess.Popen 'true') while predicting"],
    ),
    "starts a program and hides it": (
        "\n    try: subprocess.run(['true'])\n    except OSError: pass",
        ROOMY,
        ["tried to start a process", "make adopt MODEL="],
    ),
    "reads": ("open('/etc/passwd').read()", ROOMY, ["tried to open /etc/passwd while predicting"]),
    "writes": ("open('model/golden.json', 'w')", ROOMY, ["tried to write /", "model/golden.json"]),
    "hands it to a thread": (
        "t = threading.Thread(target=open, args=['/etc/passwd']); t.start(); t.join()",
        ROOMY,
        ["tried to open /etc/passwd while predicting"],
    ),
}


@pytest.mark.parametrize("case", BEYOND)
def test_a_model_beyond_its_limits_is_one_clear_sentence(
    case: str, listener: int, python: Path, tmp_path: Path
) -> None:
    code, limits, words = BEYOND[case]
    project = project_with(code.format(port=listener), tmp_path)
    with pytest.raises(UserError) as caught:
        prove(project, python, limits)
    for word in words:
        assert word.format(port=listener) in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3  # a thread is named twice
    assert not (project / "model" / "golden.json").exists()


def test_a_model_within_its_limits_is_proven_and_its_memory_is_said(
    python: Path, tmp_path: Path
) -> None:
    project = project_with("pair = socket.socketpair(); [end.close() for end in pair]", tmp_path)
    said = prove(project, python, ROOMY)
    assert "predictions are recorded" in said
    (line,) = [line for line in said.splitlines() if "memory" in line]
    megabytes = int(line.split("took ")[1].split(" MB")[0])
    assert 50 < megabytes < 400
    assert line.endswith("a Basic dyno has 512 MB.")


def test_memory_is_compared_with_a_dynos() -> None:
    assert in_a_dyno(BASIC.megabytes * MEGABYTE) == (
        "Loading and predicting took 512 MB of memory at most; a Basic dyno has 512 MB."
    )
    assert in_a_dyno(BASIC.megabytes * MEGABYTE + 1) == (
        "Note: Loading and predicting took 513 MB of memory at most, which is more than the "
        "512 MB of a Basic dyno."
    )


def test_the_user_can_grant_more() -> None:
    assert Limits.from_environment({}) == Limits()
    assert Limits.from_environment({"PROOF_SECONDS": "9"}) == Limits(seconds=9)
    for text in ("0", "-1", "much", "1.5"):
        with pytest.raises(UserError, match=r"PROOF_MEGABYTES=.* is not a whole number"):
            Limits.from_environment({"PROOF_MEGABYTES": text})
