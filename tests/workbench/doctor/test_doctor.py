"""Doctor: what is broken in a rendered project changes exactly its own row of the table."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Bake, environment, git
from tests.workbench.fake_locks import fake_lock

from workbench import heroku, override, vendor
from workbench.doctor import doctor
from workbench.doctor.checks import CHECKS, run_checks
from workbench.doctor.findings import Finding, error
from workbench.doctor.measure import memory_by_ps
from workbench.doctor.snapshot import Latency, Memory, Slug, Snapshot
from workbench.eject import eject
from workbench.lock.pins import CPU_ONLY, NOT_CPU_ONLY
from workbench.lock.requirements import without_wheels

MEASURED = {"slug", "boot", "memory", "prediction"}
MB = heroku.MEGABYTE
Break = Callable[[Path], object]


def commit(project: Path) -> None:
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--allow-empty", "--message", "broken")


def edit(project: Path, name: str, old: str, new: str) -> None:
    text = (project / name).read_text()
    assert old in text
    (project / name).write_text(text.replace(old, new, 1))


@pytest.fixture(scope="module")
def healthy(loan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("healthy") / loan.name
    shutil.copytree(loan, project)
    fake_lock(project)
    edit(project, "model/manifest.json", '"verified": false', '"verified": true')
    (project / "model" / "golden.json").write_text('{"rows": [], "predictions": []}')
    commit(project)
    return project


@pytest.fixture
def sound(healthy: Path, tmp_path: Path) -> Path:
    """A copy, to break, of a project that only lacks its environment."""
    return Path(shutil.copytree(healthy, tmp_path / healthy.name))


def findings(project: Path) -> dict[str, Finding]:
    return {finding.check: finding for finding in doctor.examine(project).findings}


def finding_of(check: str, snapshot: Snapshot) -> Finding:
    (finding,) = (finding for finding in run_checks(snapshot) if finding.check == check)
    return finding


def ailing(found: dict[str, Finding]) -> dict[str, str]:
    """Return what is not in order, without what neither environment nor owner has told yet."""
    return {
        check: finding.verdict
        for check, finding in found.items()
        if finding.verdict != "ok" and check not in MEASURED | {"API keys"}
    }


def test_in_a_sound_project_all_is_well_but_what_cannot_be_measured(sound: Path) -> None:
    found = findings(sound)
    assert len(found) == len(CHECKS)
    assert ailing(found) == {}
    for check in MEASURED:
        assert found[check].verdict == "warning"
        assert found[check].found == "not measured: there is no .venv"
        assert "make setup" in found[check].advice


def write(name: str, content: str = "") -> Break:
    def broken(project: Path) -> None:
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(content)

    return broken


def changed(name: str, old: str, new: str) -> Break:
    return lambda project: edit(project, name, old, new)


def without(name: str) -> Break:
    return lambda project: (project / name).unlink()


def larger_than_github(remote: str) -> Break:
    def broken(project: Path) -> None:
        git(project, "remote", "add", "origin", remote)
        os.truncate(project / "model" / "model.joblib", 101 * MB)

    return broken


def appended(name: str, text: str) -> Break:
    return lambda project: (project / name).write_text((project / name).read_text() + text)


def requires(line: str) -> Break:
    return appended("requirements.txt", f"{line} \\\n    --hash=sha256:{'0' * 64}\n")


def of_python(version: str) -> Break:
    """Make the project one for another Python, in all its parts."""

    def broken(project: Path) -> None:
        manifest = json.loads((project / "model" / "manifest.json").read_text())
        (project / "model" / "manifest.json").write_text(json.dumps(manifest | {"python": version}))
        (project / ".python-version").write_text(f"{version}\n")
        fake_lock(project)

    return broken


def wheel(project: Path, name: str) -> vendor.Wheel:
    (found,) = (wheel for wheel in vendor.wheels(project) if wheel.name == name)
    return found


def engine(project: Path) -> vendor.Wheel:
    return wheel(project, vendor.ENGINE)


def tools(project: Path) -> vendor.Wheel:
    return wheel(project, vendor.TOOLS)


def another_engine(name: str) -> Break:
    """Let a requirements file list an engine that vendor/ does not hold."""

    def broken(project: Path) -> None:
        version = engine(project).version
        changed(name, f"engine-{version}", "engine-1.0.0+0ld0ld00")(project)
        if name == "requirements.in":
            fake_lock(project)

    return broken


LFS = "model/model.* filter=lfs diff=lfs merge=lfs -text\n"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
# (what is broken and committed, check, verdict, words of its row)
BROKEN: dict[str, tuple[Break, str, str, list[str]]] = {
    "poetry too": (write("poetry.lock"), "package manager", "error", ["poetry.lock", "one"]),
    "uv too": (write("uv.lock"), "package manager", "error", ["requirements.txt, uv.lock"]),
    "pipenv too": (write("Pipfile"), "package manager", "error", ["Pipfile", "delete"]),
    "no hashes": (
        lambda project: [
            (project / name).write_text(re.sub(r" \\\n.*", "", (project / name).read_text()))
            for name in ("requirements.txt", "requirements-test.txt")
        ],
        "lock",
        "error",
        ["no hashes", "make verify"],
    ),
    "one file without hashes": (
        lambda project: write("requirements-test.txt", f"pytest==9.2.0\n{tools(project).line}\n")(
            project
        ),
        "lock",
        "error",
        ["requirements-test.txt", "pip refuses"],
    ),
    "one line without a hash": (
        appended("requirements.txt", "sentry-sdk==2.0\n"),
        "lock",
        "error",
        ["no hashes in sentry-sdk"],
    ),
    "no test requirements": (
        without("requirements-test.txt"),
        "lock",
        "error",
        ["requirements-test.txt is missing"],
    ),
    "another requirements.in": (
        changed("requirements.in", "flask", "Flask"),
        "lock",
        "error",
        ["another requirements.in"],
    ),
    "a wheel that is not listed": (
        lambda project: shutil.copy(
            tools(project).path,
            project / "vendor" / "cookiecutter_model_service_tools-1.0.0+00-py3-none-any.whl",
        ),
        "wheels",
        "error",
        ["tools-1.0.0+00-py3", "delete a wheel that is not listed"],
    ),
    "no wheel of the tools": (
        lambda project: tools(project).path.unlink(),
        "wheels",
        "error",
        ["no wheel of cookiecutter-model-service-tools", "git checkout -- vendor"],
    ),
    "another engine is required": (
        another_engine("requirements.in"),
        "wheels",
        "error",
        [
            "requirements.in lists cookiecutter-model-service-engine 1.0.0+0ld0ld00, vendor/ has",
            "Write ./vendor/cookiecutter_model_service_engine-1.0.0+",
            "make lock",
        ],
    ),
    "another engine is locked": (
        another_engine("requirements.txt"),
        "wheels",
        "error",
        ["requirements.txt lists cookiecutter-model-service-engine 1.0.0+0ld0ld00", "make lock"],
    ),
    "no engine is locked": (
        lambda project: (project / "requirements.txt").write_text(
            without_wheels((project / "requirements.txt").read_text())
        ),
        "wheels",
        "error",
        ["requirements.txt lists no wheel", "make lock"],
    ),
    "another hash of the tools": (
        lambda project: changed("requirements-test.txt", tools(project).sha256, "0" * 64)(project),
        "wheels",
        "error",
        ["requirements-test.txt has another SHA-256 for cookiecutter_model_service_tools-"],
    ),
    "xgboost": (requires("xgboost==3.0.5"), "xgboost", "error", ["450 MB", "xgboost-cpu"]),
    "a full version": (
        lambda project: (
            of_python("3.12")(project),
            changed(".python-version", "2", "2.1")(project),
            fake_lock(project),
        ),
        "Python",
        "error",
        ["3.12.1", "for 3.12"],
    ),
    "an old version": (of_python("3.9"), "Python", "error", ["3.9", "does not build"]),
    "a leaving version": (of_python("3.10"), "Python", "warning", ["until 2027-01-06"]),
    "runtime.txt": (write("runtime.txt", "python-3.12\n"), "Python", "error", ["deprecated"]),
    "an old stack": (
        changed("app.json", "heroku-26", "heroku-20"),
        "app.json",
        "error",
        ["heroku-20", "heroku-26"],
    ),
    "a deprecated stack": (
        changed("app.json", "heroku-26", "heroku-22"),
        "app.json",
        "warning",
        ["heroku-22", "heroku-26"],
    ),
    "no JSON": (changed("app.json", "{", "["), "app.json", "error", ["cannot read"]),
    "another dyno": (
        changed("app.json", "basic", "private-s"),
        "app.json",
        "warning",
        ["private-s", "performance-m"],
    ),
    "an environment": (write("venv/pyvenv.cfg"), "virtual environment", "error", ["--cached venv"]),
    "a filter": (
        appended(".gitattributes", LFS),
        "Git LFS",
        "error",
        ["model/model.joblib", "filter=lfs"],
    ),
    "a pointer": (
        write("model/model.joblib", POINTER),
        "Git LFS",
        "error",
        ["a pointer only: model/model.joblib"],
    ),
    "another pointer": (write("data.csv", POINTER), "Git LFS", "error", ["data.csv"]),
    "too large": (
        larger_than_github("https://example.org/loan.git"),
        "file size",
        "warning",
        ["model/model.joblib has 101 MB", "compress=3"],
    ),
    "too large for its remote": (
        larger_than_github("git@github.com:ada/loan.git"),
        "file size",
        "error",
        ["model/model.joblib has 101 MB", "GitHub takes 100"],
    ),
    "not verified": (
        changed("model/manifest.json", '"verified": true', '"verified": false'),
        "verified",
        "warning",
        ["make verify"],
    ),
}


@pytest.mark.parametrize(
    ("fast_path", "found"),
    [
        ('{"serves": "fast"}', "version 1, served by its fast path"),
        ('{"serves": "native", "reason": "It is odd."}', "served by its own methods: It is odd."),
    ],
)
def test_the_path_that_serves_a_verified_model_is_reported(
    fast_path: str, found: str, sound: Path
) -> None:
    manifest = json.loads((sound / "model" / "manifest.json").read_text())
    write("model/manifest.json", json.dumps(manifest | {"fast_path": json.loads(fast_path)}))(sound)
    assert found in findings(sound)["verified"].found


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_changes_its_row_alone(name: str, sound: Path) -> None:
    broken, check, verdict, words = BROKEN[name]
    broken(sound)
    commit(sound)
    found = findings(sound)
    assert ailing(found) == {check: verdict}
    for word in words:
        assert word in f"{found[check].found} {found[check].advice}"


@pytest.mark.parametrize(
    ("name", "check", "words"),
    [
        (".python-version", "Python", "no .python-version"),
        ("requirements.txt", "package manager", "none, no requirements.txt"),
    ],
)
def test_what_is_missing_is_no_lock_either(name: str, check: str, words: str, sound: Path) -> None:
    (sound / name).unlink()
    commit(sound)
    found = findings(sound)
    assert ailing(found) == {check: "error", "lock": "error"}
    assert found[check].found == words


def ignored(project: Path) -> None:
    git(project, "rm", "--quiet", "--cached", "model/model.joblib")
    appended(".gitignore", "*.joblib\n")(project)
    git(project, "commit", "--quiet", "--all", "--message", "ignored")


# (what is broken and not committed, verdict, words)
OF_GIT: dict[str, tuple[Break, str, list[str]]] = {
    "ignored": (ignored, "error", ["model/model.joblib: ignored", "check-ignore"]),
    "missing": (without("model/features.json"), "error", ["model/features.json"]),
    "a new model": (
        changed("model/manifest.json", '"version": 1', '"version": 2'),
        "error",
        ["not committed: model/manifest.json", "git commit"],
    ),
    "an edit": (changed("README.md", "# ", "## "), "warning", ["README.md", "git commit"]),
    "a new file": (write("notes.txt"), "warning", ["notes.txt"]),
    "a wheel": (
        lambda project: git(project, "rm", "--quiet", "--cached", tools(project).relative_path),
        "error",
        ["not committed: vendor/cookiecutter_model_service_tools", "git commit"],
    ),
    "no repository": (
        lambda project: (project / ".git").rename(project.parent / "elsewhere"),
        "error",
        ["no repository", "git init"],
    ),
}


@pytest.mark.parametrize("name", OF_GIT)
def test_what_git_would_not_push_is_found(name: str, sound: Path) -> None:
    broken, verdict, words = OF_GIT[name]
    broken(sound)
    found = findings(sound)
    assert ailing(found) == {"git": verdict}
    for word in words:
        assert word in f"{found['git'].found} {found['git'].advice}"


def test_wheels_that_git_ignores_are_found(sound: Path) -> None:
    git(sound, "rm", "--quiet", "--cached", engine(sound).relative_path)
    appended(".gitignore", "*.whl\n")(sound)
    git(sound, "commit", "--quiet", "--all", "--message", "ignored")
    found = findings(sound)
    assert ailing(found) == {"wheels": "error"}
    assert found["wheels"].found == f"not in git: {engine(sound).relative_path}"
    assert "git check-ignore --verbose vendor/" in found["wheels"].advice


@pytest.mark.parametrize(
    "alter",
    [lambda project: engine(project).path.write_bytes(b"PK"), without("vendor/README.md")],
)
def test_a_wheel_with_another_hash_is_not_read(alter: Break, sound: Path) -> None:
    alter(sound)
    commit(sound)
    found = findings(sound)
    assert ailing(found) == {"wheels": "error", "templates": "warning"}
    assert "cookiecutter_model_service_engine-1.0.0+" in found["wheels"].found
    assert "is not the file that vendor/README.md lists" in found["wheels"].found
    assert found["wheels"].advice.startswith("git checkout -- vendor")


def test_the_versions_of_the_wheels_are_reported(sound: Path) -> None:
    versions = f"engine {engine(sound).version}, tools {tools(sound).version}"
    assert findings(sound)["wheels"] == Finding("wheels", "ok", versions)
    eject(sound)
    commit(sound)
    found = findings(sound)
    assert ailing(found) == {}
    assert found["wheels"].found == (
        f"ejected: model_service/ is yours, tools {tools(sound).version}"
    )


def test_an_overridden_template_is_compared_with_its_original(sound: Path) -> None:
    assert findings(sound)["templates"] == Finding("templates", "ok", "none")
    override.override(sound, "form.html")
    write("templates/about.html", "A page of the owner's.")(sound)
    commit(sound)
    assert findings(sound)["templates"] == Finding("templates", "ok", "1 overridden")
    form = sound / "templates" / "form.html"
    form.write_text(re.sub("sha256 [0-9a-f]{64}", f"sha256 {'0' * 64}", form.read_text()))
    commit(sound)
    found = findings(sound)
    assert ailing(found) == {"templates": "warning"}
    assert "changed since it was copied: templates/form.html" in found["templates"].found
    assert "make override PAGE=form.html" in found["templates"].advice


@pytest.mark.parametrize(
    "line",
    [
        f"xgboost-cpu==3.0.5 ; {CPU_ONLY}",
        f"xgboost==3.0.5 ; {NOT_CPU_ONLY}",
        "xgboost==2.0.3",
    ],
)
def test_xgboost_is_left_where_there_is_nothing_smaller(line: str, sound: Path) -> None:
    requires(line)(sound)
    assert findings(sound)["xgboost"].verdict == "ok"


LARGEST = (("scipy", 34.2), ("numpy", 20.0))
NOT_MEASURED = error("it does not start: no module", "make verify")
# (what was measured, verdict, words)
MEASURES: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"slug": Slug(129.4, LARGEST, True)}, "ok", ["about 129 of 500 MB"]),
    ({"slug": Slug(129.4, LARGEST, False)}, "ok", ["for this system"]),
    ({"slug": Slug(301, LARGEST, True)}, "warning", ["Over 300 MB", "scipy 34 MB, numpy 20 MB"]),
    ({"slug": Slug(572, LARGEST, True)}, "error", ["about 572 of 500 MB", "scipy 34 MB"]),
    ({"boot_seconds": 1.24}, "ok", ["ready after 1.2 of 60 s"]),
    ({"boot_seconds": 31.0}, "warning", ["slower than this machine"]),
    ({"boot_seconds": 61.0}, "error", ["61.0 of 60 s"]),
    ({"boot_seconds": NOT_MEASURED}, "error", ["no module", "make verify"]),
    ({"latency": Latency(0.0123, 100)}, "ok", ["p95 12 ms of 20 s (100 requests)"]),
    (
        {"latency": Latency(16, 2)},
        "warning",
        ["p95 16.0 s of 20 s", "slower", "PREDICT_SECONDS=20"],
    ),
    ({"latency": Latency(20.1, 1)}, "error", ["20.1 s of 20 s", "503"]),
    ({"latency": NOT_MEASURED}, "error", ["no module"]),
    ({"memory": Memory(190 * MB, 50 * MB, 2, True)}, "ok", ["190 of 512 MB (2 workers in basic)"]),
    ({"memory": Memory(190 * MB, 50 * MB, 2, False)}, "ok", ["at most 190"]),
    (
        {"memory": Memory(450 * MB, 90 * MB, 2, True)},
        "warning",
        ["WEB_CONCURRENCY=1", "standard-2x (1024 MB, $50 a month)"],
    ),
    ({"memory": Memory(600 * MB, 100 * MB, 2, False)}, "warning", ["at most 600"]),
    (
        {"memory": Memory(600 * MB, 100 * MB, 2, True)},
        "error",
        ["600 of 512 MB", "web=1:standard-2x (1024 MB"],
    ),
    (
        {"memory": Memory(900 * MB, 300 * MB, 2, True)},
        "error",
        ["web=1:standard-2x with WEB_CONCURRENCY=1 (1024 MB"],
    ),
    ({"memory": Memory(2000 * MB, 100 * MB, 1, True)}, "error", ["performance-m with WEB_CONC"]),
    ({"memory": Memory(200_000 * MB, 100 * MB, 2, True)}, "error", ["No dyno is large enough"]),
    ({"memory": NOT_MEASURED}, "error", ["no module"]),
]


@pytest.fixture(scope="module")
def snapshot(loan: Path) -> Snapshot:
    return doctor.take_snapshot(loan)


@pytest.mark.parametrize(("measured", "verdict", "words"), MEASURES)
def test_a_figure_against_its_limit(
    measured: dict[str, Any], verdict: str, words: list[str], snapshot: Snapshot
) -> None:
    at = dataclasses.replace(snapshot, **measured)
    name = {"latency": "prediction", "boot_seconds": "boot"}.get(*measured, *measured)
    finding = finding_of(name, at)
    assert finding.verdict == verdict
    for word in words:
        assert word in f"{finding.found} {finding.advice}"


@pytest.mark.parametrize(
    ("declared", "verdict", "words"),
    [
        ("{}", "warning", ["open, unless", "make key", '"required": true']),
        ('{"API_KEYS": {"required": true}}', "ok", ["needed"]),
        ('{"API_KEYS": {"description": "of the callers"}}', "ok", ["needed"]),
        ('{"API_KEYS": "5d41"}', "ok", ["needed"]),
        ('{"API_KEYS": {"required": false}}', "ok", ["open to everyone, says app.json"]),
        ('{"API_KEYS": ""}', "ok", ["open to everyone, says app.json"]),
    ],
)
def test_whether_keys_are_needed_is_written_down(
    declared: str, verdict: str, words: list[str], snapshot: Snapshot
) -> None:
    at = dataclasses.replace(snapshot, app=heroku.parse_app(f'{{"env": {declared}}}'))
    finding = finding_of("API keys", at)
    assert finding.verdict == verdict
    for word in words:
        assert word in f"{finding.found} {finding.advice}"


ON, WORKER = '"env": {"JOBS": "on"}', '"formation": {"worker": {"quantity": 2}}'
ADDONS = '"addons": [{"plan": "heroku-postgresql:essential-1"}]'
PROCESSES = frozenset({"web", "release", "worker"})


@pytest.mark.parametrize(
    ("declared", "processes", "verdict", "words"),
    [
        ([], PROCESSES, "ok", ["off"]),
        (['"formation": {"worker": {"quantity": 0}}'], PROCESSES, "ok", ["off"]),
        ([WORKER], PROCESSES, "warning", ["ends immediately", '"JOBS"']),
        ([ON, WORKER, ADDONS], {"web"}, "error", ["Procfile", "python -m model_service jobs"]),
        ([ON, WORKER], PROCESSES, "warning", ["no database", "essential-0"]),
        ([ON, ADDONS], PROCESSES, "warning", ["would wait", "ps:scale worker=1"]),
        ([ON, WORKER, ADDONS], PROCESSES, "ok", ["on, 2 x worker"]),
    ],
)
def test_jobs_need_a_worker_and_a_database(
    declared: list[str],
    processes: frozenset[str],
    verdict: str,
    words: list[str],
    snapshot: Snapshot,
) -> None:
    app = heroku.parse_app(f"{{{', '.join(declared)}}}")
    finding = finding_of("jobs", dataclasses.replace(snapshot, app=app, processes=processes))
    assert finding.verdict == verdict
    for word in words:
        assert word in f"{finding.found} {finding.advice}"


def test_jobs_without_psycopg_are_an_error(snapshot: Snapshot) -> None:
    app = heroku.parse_app(f"{{{ON}, {WORKER}, {ADDONS}}}")
    requirements = {**snapshot.requirements, "requirements.txt": ()}
    without = dataclasses.replace(snapshot, app=app, requirements=requirements)
    finding = finding_of("jobs", without)
    assert (finding.verdict, "psycopg[binary]" in finding.advice) == ("error", True)


@pytest.mark.parametrize(
    ("declared", "seconds", "verdict", "words"),
    [
        ("{}", 9.9, "ok", ["of 20 s"]),
        ('{"PREDICT_SECONDS": "5"}', 2.4, "ok", ["of 5 s"]),
        ('{"PREDICT_SECONDS": "5"}', 2.6, "warning", ["of 5 s", "PREDICT_SECONDS=5"]),
        ('{"PREDICT_SECONDS": {"value": "5"}}', 5.1, "error", ["of 5 s", "get 503 after 5 s"]),
        ('{"PREDICT_SECONDS": "60"}', 29, "warning", ["of 30 s", "router gives up after 30 s"]),
        ('{"PREDICT_SECONDS": "60"}', 31, "error", ["of 30 s", "router gives up after 30 s"]),
    ],
)
def test_a_prediction_is_compared_with_what_gives_up_first(
    declared: str, seconds: float, verdict: str, words: list[str], snapshot: Snapshot
) -> None:
    app = heroku.parse_app(f'{{"env": {declared}}}')
    at = dataclasses.replace(snapshot, app=app, latency=Latency(seconds, 10))
    finding = finding_of("prediction", at)
    assert finding.verdict == verdict
    for word in words:
        assert word in f"{finding.found} {finding.advice}"


def test_the_dyno_of_app_json_is_the_one_that_is_compared_with(snapshot: Snapshot) -> None:
    text = '{"formation": {"web": {"size": "Standard-2X"}}, "env": {"WEB_CONCURRENCY": "3"}}'
    app = heroku.parse_app(text)
    assert app is not None
    assert (app.workers, heroku.App(size="standard-2x").workers) == (3, 4)
    at = dataclasses.replace(snapshot, app=app, memory=Memory(700 * MB, 100 * MB, 3, True))
    finding = finding_of("memory", at)
    assert (finding.verdict, finding.found) == ("ok", "700 of 1024 MB (3 workers in standard-2x)")


def test_memory_of_a_process_without_shares_is_what_ps_says() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        sizes = memory_by_ps(os.getpid())
        child.communicate(b"\n")
    assert next(iter(sizes)) == os.getpid()
    assert child.pid in sizes
    assert all(share == own > 0 for share, own in sizes.values())


def test_a_folder_of_a_larger_repository_is_not_what_heroku_builds(sound: Path) -> None:
    (sound / ".git").rename(sound.parent / ".git")
    commit(sound.parent)
    found = findings(sound)
    assert ailing(found) == {"git": "warning"}
    assert f"git subtree push --prefix {sound.name}/ heroku main" in found["git"].advice


def run(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "doctor", *options],
        cwd=project,
        env=environment(COLUMNS="100"),
        capture_output=True,
        text=True,
        check=False,
    )


def test_errors_give_an_exit_status_and_warnings_none(loan: Path, sound: Path) -> None:
    unlocked = run(loan)
    assert unlocked.returncode == 1
    assert unlocked.stderr == ""
    assert re.search(r"^error +lock +exact pins, but no hashes +make verify", unlocked.stdout, re.M)
    assert all(len(line) <= 100 for line in unlocked.stdout.splitlines())
    assert run(sound).returncode == 0


def test_json_says_what_the_table_says(loan: Path) -> None:
    result = run(loan, "JSON=1")
    assert result.returncode == 1
    told = json.loads(result.stdout)
    assert [Finding(**row) for row in told] == list(doctor.examine(loan).findings)


def test_a_project_without_a_model_is_no_traceback(loan_copy: Path) -> None:
    (loan_copy / "model" / "manifest.json").unlink()
    result = run(loan_copy)
    assert result.returncode == 1
    assert result.stdout == ""
    assert "make adopt" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.fixture
def running(verified: Bake, tmp_path: Path) -> Path:
    """A copy of the verified example that uses the environment of the first."""
    copy = tmp_path / "loan"
    git(tmp_path, "clone", "--quiet", str(verified.project), str(copy))
    (copy / ".venv").symlink_to(verified.project / ".venv")
    (copy / ".git" / "info" / "exclude").write_text(".venv\n")
    return copy


@pytest.mark.slow
@pytest.mark.xdist_group("verified")
class TestMeasured:
    """The service really runs here, with gunicorn from the project's own environment."""

    def test_the_verified_example_is_fit_for_the_push(self, verified: Bake) -> None:
        before = git(verified.project, "status", "--porcelain")
        result = run(verified.project, "JSON=1")
        assert result.returncode == 0, result.stdout + result.stderr
        told = {row["check"]: row for row in json.loads(result.stdout)}
        assert told.pop("API keys")["verdict"] == "warning"  # its owner has not decided yet
        assert {row["verdict"] for row in told.values()} == {"ok"}
        (slug,) = re.findall(r"about (\d+) of 500 MB", told["slug"]["found"])
        assert 100 < int(slug) < 200
        (memory,) = re.findall(r"(\d+) of 512 MB \(2 workers in basic\)", told["memory"]["found"])
        assert 100 < int(memory) < 400
        assert "(100 requests)" in told["prediction"]["found"]
        assert git(verified.project, "status", "--porcelain") == before

    def test_another_number_of_workers_is_measured(self, running: Path) -> None:
        edit(
            running, "app.json", '"environments"', '"env": {"WEB_CONCURRENCY": "1"}, "environments"'
        )
        assert "(1 worker in basic)" in findings(running)["memory"].found

    @pytest.mark.parametrize(
        ("broken", "check", "words"),
        [
            (
                lambda project: (project / "model" / "model.joblib").write_bytes(b"\x80"),
                "boot",
                "is not the file that was adopted",
            ),
            (
                changed("model/golden.json", '"prediction": "Y"', '"prediction": "N"'),
                "boot",
                "/ready answers 503: The model does not reproduce",
            ),
            (write("Procfile", "worker: true\n"), "boot", "no web process"),
            (write("Procfile", "web: nothing\n"), "boot", "it does not start"),
            (
                lambda project: (
                    without("model/golden.json")(project),
                    changed("model/manifest.json", '"verified": true', '"verified": false')(
                        project
                    ),
                    changed("model/features.json", '"minimum": 1500', '"minimum": 99000')(project),
                    changed("model/features.json", '"maximum": 25000', '"maximum": 99001')(project),
                    changed("model/features.json", '"unit"', '"strict": true, "unit"')(project),
                    changed("model/features.json", '"default": 5000', '"default": 99000')(project),
                ),
                "prediction",
                "/predict answers 422",
            ),
            (
                changed("requirements.txt", "flask==3", "flask==2"),
                "slug",
                "not measured: .venv has flask 3",
            ),
        ],
    )
    def test_what_does_not_run_is_told(
        self, broken: Break, check: str, words: str, running: Path
    ) -> None:
        broken(running)
        finding = findings(running)[check]
        assert finding.verdict == ("warning" if check == "slug" else "error")
        assert words in finding.found
