"""The vendored wheels: the same bytes everywhere, complete, and refused once they are altered."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT, environment

from wheels import ENGINE, TOOLS, VERSION, build
from workbench import vendor
from workbench.lock.environment import BIN, find_python

BUILDER = ROOT / "hooks" / "wheels.py"
# Of the first member, where the zip file's own checksums do not see a change.
TIME_IN_ZIP = 10
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


def hashes(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.whl")}


def copy_of_the_template(folder: Path) -> Path:
    for part in ("src", "docs"):
        shutil.copytree(ROOT / part, folder / part)
    shutil.copy(ROOT / "LICENSE", folder)
    return folder


@pytest.fixture
def template(tmp_path: Path) -> Path:
    return copy_of_the_template(tmp_path / "template")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vendor")
    build(ROOT, folder)
    return folder


@pytest.mark.parametrize("version", PYTHONS)
def test_every_python_builds_the_same_bytes(version: str, built: Path, tmp_path: Path) -> None:
    python = find_python(version)
    if python is None:
        pytest.skip(f"Python {version} is not on this machine")
    subprocess.run([python, "-I", BUILDER, tmp_path], env=environment(), check=True)
    assert hashes(tmp_path) == hashes(built)
    assert (tmp_path / "README.md").read_bytes() == (built / "README.md").read_bytes()


def test_several_pythons_are_compared() -> None:
    """CI has at least two: the comparison above must not shrink to nothing."""
    assert len([version for version in PYTHONS if find_python(version)]) >= 2


def test_line_ends_modes_times_and_caches_change_nothing(built: Path, template: Path) -> None:
    for path in (template / "src").rglob("*.py"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        path.chmod(0o755)
        os.utime(path, (1, 1))
    cache = template / "src" / "workbench" / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "files.cpython-311.pyc").write_bytes(b"x")
    (template / "src" / "model_service" / ".DS_Store").write_bytes(b"x")
    build(template, template / "vendor")
    assert hashes(template / "vendor") == hashes(built)


def test_changed_content_gets_another_version(built: Path, template: Path) -> None:
    """pip keeps an installed wheel of the same version, whatever is in it."""
    module = template / "src" / "model_service" / "__init__.py"
    module.write_text(module.read_text() + "\n# changed\n")
    build(template, built_again := template / "vendor")
    before = {wheel.name: wheel.version for wheel in vendor.wheels_in(built)}
    after = {wheel.name: wheel.version for wheel in vendor.wheels_in(built_again)}
    assert before[vendor.ENGINE] != after[vendor.ENGINE]
    assert before[vendor.TOOLS] == after[vendor.TOOLS]


def test_older_wheels_leave_and_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "cookiecutter_model_service_engine-0.9.0+00000000-py3-none-any.whl").touch()
    (tmp_path / "notes.txt").touch()
    made = build(ROOT, tmp_path)
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {*(path.name for path in made), "README.md", "notes.txt"}


@pytest.mark.parametrize("package", [ENGINE, TOOLS], ids=lambda package: package.module)
def test_a_wheel_is_complete_and_requires_nothing(package: object, built: Path) -> None:
    assert isinstance(package, type(ENGINE))
    (path,) = built.glob(f"{package.file_stem}-*.whl")
    with zipfile.ZipFile(path) as wheel:
        assert wheel.testzip() is None
        names = set(wheel.namelist())
        (metadata,) = (name for name in names if name.endswith("/METADATA"))
        assert "Requires-Dist" not in wheel.read(metadata).decode()
        assert any(name.endswith("/LICENSE") for name in names)
    tracked = subprocess.check_output(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT / "src",
        text=True,
    ).split("\0")
    sources = {name for name in tracked if name.startswith(f"{package.module}/")}
    in_wheel = {name for name in names if name.startswith(f"{package.module}/")}
    assert {n for n in sources if (ROOT / "src" / n).exists()} == {
        name for name in in_wheel if not name.startswith("workbench/docs/")
    }


def test_the_tools_hold_the_documentation(built: Path) -> None:
    (path,) = built.glob(f"{TOOLS.file_stem}-*.whl")
    with zipfile.ZipFile(path) as wheel:
        pages = {name for name in wheel.namelist() if name.startswith("workbench/docs/")}
    assert pages == {
        f"workbench/docs/{path.relative_to(ROOT / 'docs').as_posix()}"
        for path in (ROOT / "docs").rglob("*.md")
    }


def test_the_clone_has_the_same_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == VERSION


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Path:
    """A folder with the engine's wheel and a requirements.txt that names it with its hash."""
    project = tmp_path_factory.mktemp("locked")
    shutil.copytree(built, project / "vendor")
    (engine,) = (w for w in vendor.wheels(project) if w.name == vendor.ENGINE)
    (project / "requirements.txt").write_text(f"{engine.line} --hash=sha256:{engine.sha256}\n")
    return project


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    return folder / BIN / "python"


def installers(python: Path) -> Iterator[list[str]]:
    uv = shutil.which("uv")
    assert uv, "make puts the uv of .venv on PATH"
    options = ["--require-hashes", "--no-deps", "-r", "requirements.txt"]
    yield [str(python), "-m", "pip", "install", "--no-index", *options]
    yield [uv, "pip", "install", "--offline", "--python", str(python), *options]


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1], ids=["pip", "uv"])
def test_a_wheel_altered_by_one_byte_is_refused(
    number: int, locked: Path, interpreter: Path, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    shutil.copytree(locked, project)
    command = list(installers(interpreter))[number]
    good = subprocess.run(
        command, cwd=project, env=environment(), capture_output=True, text=True, check=False
    )
    assert good.returncode == 0, good.stderr
    (engine,) = (w for w in vendor.wheels(project) if w.name == vendor.ENGINE)
    content = bytearray(engine.path.read_bytes())
    content[TIME_IN_ZIP] ^= 1
    engine.path.write_bytes(bytes(content))
    again = [*command, "--force-reinstall"] if number == 0 else [*command, "--reinstall"]
    bad = subprocess.run(
        again, cwd=project, env=environment(), capture_output=True, text=True, check=False
    )
    assert bad.returncode != 0
    assert "hash" in (bad.stdout + bad.stderr).lower()


def altered(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


@pytest.mark.parametrize(
    ("pattern", "damage", "message"),
    [
        ("*_tools-*.whl", altered, "is not the file that vendor/README.md lists"),
        ("*_engine-*.whl", altered, "is not the file that vendor/README.md lists"),
        ("*_tools-*.whl", Path.unlink, "vendor/ lacks README.md or the wheel of the tools"),
        ("README.md", Path.unlink, "vendor/ lacks README.md or the wheel of the tools"),
    ],
)
def test_manage_refuses_a_damaged_vendor_folder(
    pattern: str, damage: Callable[[Path], None], message: str, loan_copy: Path
) -> None:
    (path,) = (loan_copy / "vendor").glob(pattern)
    damage(path)
    result = subprocess.run(
        [sys.executable, "manage.py", "help"],
        cwd=loan_copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert "git checkout -- vendor" in result.stderr
