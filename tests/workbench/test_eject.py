"""Eject, override and upgrade: the owner takes the engine's source, one page, or newer wheels."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, TEMPLATE, Bake, environment, files, git
from tests.workbench.fake_locks import fake_lock

from workbench import override, vendor
from workbench.eject import eject
from workbench.errors import UserError
from workbench.lock import lock
from workbench.lock.requirements import FILES, LOCK, SOURCE, parse_requirements
from workbench.rollback import rollback
from workbench.upgrade import upgrade


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """A clone of the template whose engine has changed: a module, a page, and the Procfile."""
    template = tmp_path / "newer"
    for part in ("src", "docs", "hooks", TEMPLATE.name):
        shutil.copytree(ROOT / part, template / part)
    shutil.copy(ROOT / "LICENSE", template)
    for name in ("__init__.py", "web/templates/form.html"):
        path = template / "src" / "model_service" / name
        path.write_text(path.read_text() + "\n")
    procfile = template / TEMPLATE.name / "Procfile"
    procfile.write_text(procfile.read_text() + "clock: python clock.py\n")
    return template


def engine(project: Path) -> vendor.Wheel:
    return vendor.require_engine(project)


def test_eject_puts_the_source_beside_app_py_and_takes_the_wheel_away(loan_copy: Path) -> None:
    before = files(loan_copy)
    wheel = engine(loan_copy)
    shown = eject(loan_copy)
    assert wheel.version in shown
    after = files(loan_copy)
    added = set(after) - set(before)
    assert added
    assert all(name.startswith("model_service/") for name in added)
    for name in added:
        assert after[name] == (ROOT / "src" / name).read_bytes()
    assert set(before) - set(after) == {f"vendor/{wheel.path.name}"}
    for name in FILES:
        assert wheel.path.name not in (loan_copy / name).read_text()
    assert vendor.altered(loan_copy) == []
    assert wheel.path.name not in (loan_copy / vendor.README).read_text()


def test_a_lock_stays_a_lock(loan_copy: Path) -> None:
    sha256 = engine(fake_lock(loan_copy)).sha256
    others = {
        entry.name
        for entry in parse_requirements((loan_copy / LOCK).read_text())
        if not entry.vendored
    }
    eject(loan_copy)
    assert lock.is_current(loan_copy)
    entries = parse_requirements((loan_copy / LOCK).read_text())
    assert {entry.name for entry in entries} == others
    assert all(entry.hashes for entry in entries)
    assert sha256 not in (loan_copy / LOCK).read_text()


def test_eject_refuses_twice_an_altered_wheel_and_a_folder_of_the_owners(loan_copy: Path) -> None:
    folder = loan_copy / "model_service"
    folder.mkdir()
    with pytest.raises(UserError, match="exists; move it away"):
        eject(loan_copy)
    folder.rmdir()
    wheel = engine(loan_copy)
    content = wheel.path.read_bytes()
    wheel.path.write_bytes(content + b"x")
    with pytest.raises(UserError, match=r"is not the file that vendor/README\.md lists"):
        eject(loan_copy)
    assert not folder.exists()
    wheel.path.write_bytes(content)
    eject(loan_copy)
    with pytest.raises(UserError, match="already here"):
        eject(loan_copy)


def test_upgrade_replaces_both_wheels_and_names_what_lags(loan_copy: Path, newer: Path) -> None:
    override.override(loan_copy, "form.html")
    override.override(loan_copy, "error.html")
    before = {wheel.name: wheel for wheel in vendor.wheels(loan_copy)}
    shown = upgrade(loan_copy, str(newer))
    after = {wheel.name: wheel for wheel in vendor.wheels(loan_copy)}
    assert set(after) == set(before)
    old, new = before[vendor.ENGINE], after[vendor.ENGINE]
    assert f"{vendor.ENGINE} {old.version} -> {new.version}" in shown
    assert f"{vendor.TOOLS} {before[vendor.TOOLS].version}: unchanged" in shown
    assert "Procfile differs from the template's; it lacks: clock: python" in shown
    assert "templates/form.html: the engine's own form.html has changed" in shown
    assert "error.html" not in shown
    assert "Makefile" not in shown
    for name in (SOURCE, LOCK):
        text = (loan_copy / name).read_text()
        assert new.line in text
        assert old.line not in text
    assert not old.path.exists()
    assert vendor.altered(loan_copy) == []


def test_upgrade_keeps_a_lock_a_lock(loan_copy: Path, newer: Path) -> None:
    upgrade(fake_lock(loan_copy), str(newer))
    assert lock.is_current(loan_copy)
    text = (loan_copy / LOCK).read_text()
    assert f"{engine(loan_copy).line} \\\n    --hash=sha256:{engine(loan_copy).sha256}" in text


def test_upgrade_to_the_same_template_changes_nothing(loan_copy: Path) -> None:
    before = files(loan_copy)
    shown = upgrade(loan_copy, str(ROOT))
    assert shown.count("unchanged") == 2
    assert files(loan_copy) == before


def test_upgrade_takes_a_git_url(loan_copy: Path, newer: Path) -> None:
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "new"]):
        git(newer, *arguments)
    assert " -> " in upgrade(loan_copy, f"file://{newer}")


@pytest.mark.parametrize(
    ("source", "message"),
    [("..", "is no clone of the template"), ("file:///nowhere", "Cloning file:///nowhere failed")],
)
def test_upgrade_refuses_what_is_no_template(source: str, message: str, loan_copy: Path) -> None:
    before = files(loan_copy)
    with pytest.raises(UserError, match=message):
        upgrade(loan_copy, source)
    assert files(loan_copy) == before


def test_upgrade_refuses_after_eject(loan_copy: Path, newer: Path) -> None:
    eject(loan_copy)
    with pytest.raises(UserError, match="The engine was ejected"):
        upgrade(loan_copy, str(newer))


def test_rollback_keeps_the_upgraded_wheels(loan_copy: Path, newer: Path) -> None:
    manifest = fake_lock(loan_copy) / "model" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"verified": false', '"verified": true'))
    git(loan_copy, "commit", "--quiet", "--all", "--message", "verified")
    manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 2'))
    git(loan_copy, "commit", "--quiet", "--all", "--message", "another model")
    upgrade(loan_copy, str(newer))
    git(loan_copy, "add", "--all")
    git(loan_copy, "commit", "--quiet", "--message", "upgraded")
    assert "Version 1 of " in rollback(loan_copy)
    assert lock.is_current(loan_copy)
    for name in (SOURCE, LOCK):
        (listed,) = (e for e in parse_requirements((loan_copy / name).read_text()) if e.vendored)
        assert (listed.name, listed.version) == (vendor.ENGINE, engine(loan_copy).version)
    assert listed.hashes == (engine(loan_copy).sha256,)
    assert git(loan_copy, "diff") == ""


def test_override_copies_a_page_once_and_names_the_others(loan_copy: Path) -> None:
    override.override(loan_copy, "form.html")
    head, _, rest = (loan_copy / "templates" / "form.html").read_text().partition("\n")
    assert head.startswith("{# Copied from the engine's form.html, sha256 ")
    original = ROOT / "src" / "model_service" / "web" / "templates" / "form.html"
    assert rest == original.read_text()
    assert list(override.outdated(loan_copy)) == []
    with pytest.raises(UserError, match="exists; delete it"):
        override.override(loan_copy, "form.html")
    with pytest.raises(UserError, match=r"none of the engine's: .*base\.html, .*form\.html"):
        override.override(loan_copy, "../app.py")


@pytest.mark.slow
def test_an_ejected_project_passes_its_tests_and_verify(verified: Bake, tmp_path: Path) -> None:
    project = tmp_path / "ejected"
    shutil.copytree(verified.project, project, ignore=shutil.ignore_patterns(".venv"))
    for command in ("eject", "verify", "test"):
        result = subprocess.run(
            [sys.executable, "manage.py", command],
            cwd=project,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
    python = project / ".venv" / "bin" / "python"
    found = subprocess.check_output(
        [python, "-c", "import model_service; print(model_service.__file__)"],
        cwd=project,
        text=True,
    )
    assert Path(found.strip()) == project / "model_service" / "__init__.py"
    installed = subprocess.run(
        [python, "-c", "from importlib.metadata import version as v; v('" + vendor.ENGINE + "')"],
        capture_output=True,
        check=False,
    )
    assert installed.returncode == 1
