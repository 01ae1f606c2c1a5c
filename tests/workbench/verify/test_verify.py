"""The rendered project with its own environment: proven, served by gunicorn, asked, stopped."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import EXAMPLE, PYTHON, TESTS, Bake, bake, environment, files, git
from running import ask, free_port, make, served, until_listening

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("verified")]


def sample_rows() -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    frame = pd.read_csv(EXAMPLE / "sample.csv").drop(columns="loan_status").head(50)
    return frame, json.loads(frame.to_json(orient="records"))


def test_verify_leaves_locks_goldens_and_a_clean_repository(verified: Bake) -> None:
    project = verified.project
    assert git(project, "status", "--porcelain") == ""
    assert git(project, "rev-list", "--count", "HEAD") == "1\n"
    manifest = json.loads((project / "model" / "manifest.json").read_text())
    assert manifest["verified"] is True
    golden = json.loads((project / "model" / "golden.json").read_text())
    assert len(golden["rows"]) == len(golden["predictions"]) == 29
    for name in ("requirements.txt", "requirements-test.txt"):
        text = (project / name).read_text()
        pins = [line for line in text.splitlines() if line and not line.startswith(("#", " "))]
        assert pins
        assert text.count("--hash=sha256:") > len(pins)
    assert "passed" in verified.output
    assert "Adopted Pipeline" in verified.output.strip().splitlines()[-2]


def test_the_environment_is_exactly_the_locked_one(verified: Bake) -> None:
    project = verified.project
    installed = subprocess.check_output(
        ["uv", "pip", "freeze", "--python", ".venv"], cwd=project, text=True
    )
    locked = {
        line.split(" ")[0]
        for name in ("requirements.txt", "requirements-test.txt")
        for line in (project / name).read_text().splitlines()
        if "==" in line
    }
    wheels = {
        f"{path.name.split('-')[0].replace('_', '-')}" for path in project.glob("vendor/*.whl")
    }
    vendored = {line for line in installed.splitlines() if " @ file:///" in line}
    assert {line.split(" ")[0] for line in vendored} == wheels
    assert set(installed.splitlines()) - vendored == locked


def test_lint_and_types_of_the_project_are_clean(verified: Bake) -> None:
    project = verified.project
    tools = Path(sys.executable).parent
    interpreter = ["--python-executable", ".venv/bin/python"]
    for command in (
        [tools / "ruff", "check", "--no-cache", "."],
        [tools / "ruff", "format", "--no-cache", "--check", "."],
        [tools / "mypy", "--cache-dir", os.devnull, *interpreter, "."],
    ):
        result = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr


def test_gunicorn_answers_as_the_model_does_and_stops_on_sigterm(verified: Bake) -> None:
    native = joblib.load(EXAMPLE / "model.joblib")
    frame, rows = sample_rows()
    with served(verified.project) as (server, port):
        assert ask(port, "/health")[0] == 200
        assert ask(port, "/ready") == (200, {"status": "ready"})
        status, answer = ask(port, "/predict", {"rows": rows})
        assert status == 200, answer
        assert [p["prediction"] for p in answer["predictions"]] == native.predict(frame).tolist()
        probabilities = [list(p["probabilities"].values()) for p in answer["predictions"]]
        assert probabilities == native.predict_proba(frame).tolist()
        assert {p["label"] for p in answer["predictions"]} == {"approved", "rejected"}
        status, answer = ask(port, "/predict", {"applicant_income": "much"})
        assert status == 422
        assert len(answer["errors"]) == 9
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=10) == 0


def test_requests_in_flight_are_answered_after_sigterm(verified: Bake) -> None:
    _, rows = sample_rows()
    body = json.dumps({"rows": rows * 20}).encode()
    with served(verified.project) as (server, port):
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        connection.putrequest("POST", "/predict")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:1000])
        # The request is in flight: a thread of the worker waits for the rest of its body.
        assert ask(port, "/health")[0] == 200
        server.send_signal(signal.SIGTERM)
        rest = threading.Timer(0.5, connection.send, [body[1000:]])
        rest.start()
        response = connection.getresponse()
        rest.join()
        assert response.status == 200
        assert len(json.load(response)["predictions"]) == 1000
        connection.close()
        assert server.wait(timeout=10) == 0


def test_several_workers_share_one_model_and_all_answer(verified: Bake) -> None:
    _, rows = sample_rows()
    with served(verified.project, WEB_CONCURRENCY="2") as (server, port):
        answers = {json.dumps(ask(port, "/predict", rows[0])[1]) for _ in range(20)}
        assert len(answers) == 1
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=10) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["model"].update(sha256="0" * 64), "is not the file that was adopted"),
        (lambda m: m.update(python="3.1"), "was adopted for Python 3.1"),
        (lambda m: m["libraries"].update(numpy="0.1"), "numpy is"),
    ],
)
def test_a_wrong_model_or_library_ends_the_process_in_one_line_before_it_binds(
    verified: Bake, tmp_path: Path, change: Any, message: str
) -> None:
    for name, content in files(verified.project / "model").items():
        (tmp_path / name).write_bytes(content)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    change(manifest)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with (
        pytest.raises(AssertionError) as caught,
        served(verified.project, MODEL_DIR=str(tmp_path)),
    ):
        pass
    said = str(caught.value)
    assert message in said
    assert "Traceback" not in said
    assert "Listening" not in said
    assert len([line for line in said.splitlines() if line.strip()]) == 1


def test_make_run_serves_on_port_and_its_curl_line_works(verified: Bake) -> None:
    port = free_port()
    server = subprocess.Popen(
        ["make", "run"],
        cwd=verified.project,
        env=environment(PORT=str(port)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        until_listening(server, port)
        assert server.stdout is not None
        line = next(line for line in server.stdout if line.startswith("curl "))
        answer = subprocess.check_output(["sh", "-c", f"{line.strip()} --silent"], text=True)
        assert json.loads(answer)["prediction"] in ("Y", "N")
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.communicate(timeout=15)


def test_smoke_compares_a_running_service_with_the_goldens(verified: Bake) -> None:
    project = verified.project
    with served(project) as (_, port):
        said = make(project, "smoke", f"URL=http://localhost:{port}/")
        assert "reproduces all 29 recorded predictions" in said
        golden = project / "model" / "golden.json"
        right = golden.read_text()
        try:
            golden.write_text(right.replace('"prediction": "Y"', '"prediction": "N"', 1))
            with pytest.raises(AssertionError, match="answers differently"):
                make(project, "smoke", f"URL=http://localhost:{port}")
        finally:
            golden.write_text(right)
    with pytest.raises(AssertionError, match="cannot be asked"):
        make(project, "smoke", f"URL=http://localhost:{port}")


def test_a_new_key_is_asked_for_and_smoke_sends_it(verified: Bake) -> None:
    key, setting, added = re.findall(r"^    (\S.*)$", make(verified.project, "key"), re.M)
    hashes = setting.removeprefix("heroku config:set API_KEYS=")
    assert added.endswith(f'API_KEYS="$(heroku config:get API_KEYS),{hashes}"')
    with served(verified.project, API_KEYS=hashes) as (_, port):
        url = f"URL=http://localhost:{port}"
        with pytest.raises(AssertionError, match=r"answers 401: .*API_KEY=… make smoke"):
            make(verified.project, "smoke", url)
        said = make(verified.project, "smoke", url, env=environment(API_KEY=key))
        assert "reproduces all 29" in said


def test_verify_again_checks_the_goldens_and_changes_nothing(verified: Bake) -> None:
    before = files(verified.project)
    said = make(verified.project, "verify")
    assert "reproduces its 29 recorded predictions" in said
    assert files(verified.project) == before


def test_a_proof_that_fails_is_a_refusal_and_leaves_nothing(tmp_path: Path) -> None:
    """The file is whole and well known, and still its model cannot predict."""
    native = joblib.load(EXAMPLE / "model.joblib")
    native[-1].coef_ = native[-1].coef_[:, :3]
    joblib.dump(native, tmp_path / "broken.joblib")
    result = bake(
        tmp_path,
        model_path="broken.joblib",
        sample_data=EXAMPLE / "sample.csv",
        verify="true",
        python_version=PYTHON,
    )
    assert result.status != 0
    assert "The model fails on" in result.message
    assert "Traceback" not in result.message
    assert [path.name for path in tmp_path.iterdir()] == ["broken.joblib"]


BOOSTERS = [
    ("xgboost-2.0.3-pipeline", "xgboost 2.0.3", "pipeline"),
    ("lightgbm-4.7.0-text", "lightgbm (format v4)", "text"),
    ("catboost-1.2.10-text", "catboost 1.2.10", "text"),
]


@pytest.mark.parametrize(("name", "written_by", "case"), BOOSTERS)
def test_boosted_models_answer_as_they_do_in_their_own_library(
    name: str, written_by: str, case: str, tmp_path: Path
) -> None:
    """The rows and the native answers are those of the script that made the files."""
    made = TESTS / "data" / "boosters"
    rows = pd.DataFrame(
        np.random.RandomState(0).normal(size=(80, 3)),
        columns=["Income", "Credit history", "limit(%)"],
    )
    random = np.random.RandomState(0)
    random.normal(size=(80, 3))
    if case == "pipeline":
        rows = rows.assign(Area=random.choice(["Rural", "Urban"], 80))
    rows.to_csv(tmp_path / "sample.csv", index=False)
    result = bake(
        tmp_path,
        model_path=made / f"{name}.joblib",
        sample_data="sample.csv",
        project_slug="boosted",
        verify="true",
    )
    assert result.status == 0, result.errors
    assert written_by in result.output
    assert "passed" in result.output, result.output
    command = [".venv/bin/python", made / "make.py", name.partition("-")[0], case]
    native = subprocess.check_output([*command, made / f"{name}.joblib"], cwd=result.project)
    predictions, probabilities = json.loads(native)
    with served(result.project) as (_, port):
        status, answer = ask(port, "/predict", {"rows": rows.to_dict("records")})
    assert status == 200, answer
    assert [p["prediction"] for p in answer["predictions"]] == predictions
    assert [list(p["probabilities"].values()) for p in answer["predictions"]] == probabilities


RAW_BOOSTERS = [
    ("xgboost-3.4.1-raw.ubj", "raw"),
    ("lightgbm-4.6.0-raw-three.txt", "raw-three"),
    ("catboost-1.2.2-raw.cbm", "raw"),
]


def rows_of_boosters(folder: Path) -> list[dict[str, Any]]:
    """Write a sample of the rows that the script which made the files predicts; return them."""
    columns = ["Income", "Credit history", "limit(%)"]
    rows = pd.DataFrame(np.random.RandomState(0).normal(size=(80, 3)), columns=columns)
    rows.to_csv(folder / "sample.csv", index=False)
    return rows.to_dict("records")


@pytest.mark.parametrize(("name", "case"), RAW_BOOSTERS)
def test_native_files_answer_as_their_own_library(name: str, case: str, tmp_path: Path) -> None:
    """They are loaded before gunicorn forks, and predict in its worker."""
    made = TESTS / "data" / "boosters"
    rows = rows_of_boosters(tmp_path)
    result = bake(
        tmp_path,
        model_path=made / name,
        sample_data="sample.csv",
        project_slug="boosted",
        verify="true",
    )
    assert result.status == 0, result.errors
    assert "passed" in result.output, result.output
    command = [".venv/bin/python", made / "make.py", name.partition("-")[0], case, made / name]
    native, *rest = json.loads(subprocess.check_output(command, cwd=result.project))
    shares = rest[0] if rest else native if case == "raw-three" else None
    predictions = np.argmax(native, axis=1).tolist() if case == "raw-three" else native
    with served(result.project, OMP_NUM_THREADS="2") as (_, port):
        status, answer = ask(port, "/predict", {"rows": rows})
        alone = ask(port, "/predict", {**rows[0], "Income": None})
    assert status == 200, answer
    assert [p["prediction"] for p in answer["predictions"]] == predictions
    if shares is not None:
        given = [list(p["probabilities"].values()) for p in answer["predictions"]]
        assert given == shares
    assert alone[0] == 200, "a missing value is one that a booster takes"


def test_a_raw_booster_answers_classes_once_the_contract_asks_for_them(tmp_path: Path) -> None:
    made = TESTS / "data" / "boosters"
    rows = rows_of_boosters(tmp_path)
    model = made / "xgboost-3.0.5-raw.joblib"
    result = bake(
        tmp_path,
        model_path=model,
        sample_data="sample.csv",
        project_slug="boosted",
        verify="true",
    )
    assert result.status == 0, result.errors
    project = result.project
    with served(project) as (_, port):
        numbers = ask(port, "/predict", {"rows": rows})[1]["predictions"]
    assert {tuple(number) for number in numbers} == {("prediction",)}
    features = project / "model" / "features.json"
    contract = json.loads(features.read_text())
    labels = {"0": "rejected", "1": "approved"}
    contract["output"] |= {"labels": labels, "threshold": 0.7, "positive": 1}
    features.write_text(json.dumps(contract))
    (project / "model" / "golden.json").unlink()
    make(project, "verify")
    with served(project) as (_, port):
        answers = ask(port, "/predict", {"rows": rows})[1]["predictions"]
        about = ask(port, "/metadata")[1]
    assert (about["task"], about["classes"]) == ("classification", [0, 1])
    for number, answer in zip(numbers, answers, strict=True):
        share = number["prediction"]
        assert answer["prediction"] == int(share >= 0.7)
        assert answer["label"] == labels[str(answer["prediction"])]
        assert answer["probabilities"]["1"] == share
    assert {answer["prediction"] for answer in answers} == {0, 1}
    said = make(project, "adopt", f"MODEL={made / 'xgboost-3.4.1-raw.ubj'}")
    assert "Adopted XGBoost Booster" in said
    assert "classification into 0 (rejected), 1 (approved)" in said
    assert "the task was" not in said
    make(project, "verify")
    golden = json.loads((project / "model" / "golden.json").read_text())
    assert golden["predictions"][0]["label"] in labels.values()


def test_a_python_that_is_not_here_leaves_the_project_unverified(tmp_path: Path) -> None:
    result = bake(tmp_path, verify="true", python_version="3.14")
    if "NOT VERIFIED YET" not in result.output:
        pytest.skip("Python 3.14 runs here")
    assert result.status == 0, result.errors
    assert "Python 3.14 does not run here" in result.output
    assert "It is not verified yet" in result.output.splitlines()[-3]
    assert git(result.project, "status", "--porcelain") == ""
    assert (result.project / ".python-version").read_text() == "3.14\n"


def test_without_uv_the_project_is_made_with_venv_and_pip(tmp_path: Path) -> None:
    """No uv on the machine: one is installed apart for the lock, and .venv holds none."""
    bare = tmp_path / "bin"
    bare.mkdir()
    for tool in ("git", "make", "sh", "grep", "cut", "env"):
        found = next(Path(d) / tool for d in ("/usr/bin", "/bin") if (Path(d) / tool).exists())
        (bare / tool).symlink_to(found)
    env = {**environment(), "PATH": str(bare)}
    result = bake(tmp_path / "out", env=env, verify="true", python_version=PYTHON)
    assert result.status == 0, result.errors
    assert "passed" in result.output
    assert not list((result.project / ".venv" / "bin").glob("uv"))
