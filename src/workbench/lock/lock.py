"""Requirements: what adopt writes offline, and the locks with hashes that uv makes of it."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from workbench import files, vendor
from workbench.errors import UserError
from workbench.inspect.pickle.names import DISTRIBUTIONS
from workbench.lock.environment import REQUIREMENTS, find_python, find_uv, install_uv, run
from workbench.lock.pins import Pins, imported_as
from workbench.vendor import Wheel

SOURCE = Path("requirements.in")
LOCK, TEST_LOCK = REQUIREMENTS
FILES = (SOURCE, LOCK, TEST_LOCK)
# What Heroku's stacks are: x86_64 and a glibc of 2.28 or later.
PLATFORM = "x86_64-manylinux_2_28"
MODEL_LIBRARIES = frozenset(
    """
    catboost imbalanced-learn joblib lightgbm numpy pandas scikit-learn scipy skops statsmodels
    xgboost xgboost-cpu
    """.split()
)

_HEAD = """\
# What the service needs: the model's libraries as its file says, Flask, gunicorn, Swagger UI.
# Lines of your own are kept. `make lock` turns this file into requirements.txt.
"""


def requirements_in(
    pins: Pins, previous: str = "", former: Collection[str] = (), engine: Iterable[str] = ()
) -> str:
    """Return requirements.in; lines that a person added to the previous one stay.

    `engine` is the line of the vendored engine, if the project has one. A library that only the
    model before needed leaves with it: `former` names that model's libraries.
    """
    written = {*pins.bounds, *pins.unpinned, *MODEL_LIBRARIES}
    written |= set(DISTRIBUTIONS.values()) & set(former)
    own = [
        line
        for line in previous.splitlines()
        if line.strip()
        and line not in _HEAD.splitlines()
        and _name(line) not in written
        and vendor.parse_line(line.strip()) is None
    ]
    return _HEAD + "".join(f"{line}\n" for line in [*engine, *pins.requirements, *own])


def _name(line: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", line.strip())
    return re.sub(r"[-_.]+", "-", found.group().lower()) if found else ""


def unlocked(pins: Iterable[str], wheels: Iterable[str] = ()) -> str:
    """Return exact pins without hashes: what is known without the network.

    The vendored wheels carry no hash here either: with one, pip demands hashes for every line.
    """
    head = "# Exact, but not locked yet: run `make lock` before the push.\n"
    return head + "".join(f"{line}\n" for line in [*wheels, *sorted(pins)])


def is_current(project: Path) -> bool:
    """Tell whether both locks were made from requirements.in and for the Python as they are now."""
    head = _head(project)
    return all(files.read(project / name).startswith(head) for name in REQUIREMENTS)


def _head(project: Path) -> str:
    digest = hashlib.sha256(files.read(project / SOURCE).encode()).hexdigest()
    version = files.python_version(project)
    return (
        f"# Locked by `make lock` for Python {version} on {PLATFORM}.\n"
        f"# requirements.in sha256: {digest}\n"
    )


def lock(project: Path) -> None:
    """Replace both requirements files by full locks with hashes. Raises WorkbenchError.

    The versions that stand there now are kept wherever they still fit, so a lock adds hashes and
    what is missing, and moves nothing without a reason.
    """
    version = files.python_version(project)
    python = find_python(version)
    uv = find_uv(project)
    if uv is None:
        helper = python or find_python("3.12") or find_python("3.11")
        if helper is None:
            raise UserError(f"Locking needs uv, or Python {version} to install it with.")
        uv = install_uv(project, helper)
    tests = files.read(project / TEST_LOCK)
    with tempfile.TemporaryDirectory() as folder:
        target, test_target = Path(folder) / LOCK, Path(folder) / TEST_LOCK
        shutil.copyfile(project / LOCK, target)
        shutil.copyfile(project / TEST_LOCK, test_target)
        test_source = Path(folder) / "tests.in"
        compile_ = [
            *(str(uv), "pip", "compile", "--quiet", "--no-header", "--no-annotate"),
            *("--generate-hashes", "--only-binary", ":all:"),
            *("--python-version", version, "--python-platform", PLATFORM),
            *(("--python", str(python)) if python else ()),
        ]
        # In the project: the lines of the vendored wheels are relative to the working directory.
        what = "Resolving requirements.in"
        run([*compile_, "--output-file", target, SOURCE], what=what, cwd=project)
        text = files.read(target)
        settled = {entry.name for entry in parse_requirements(text)}
        lines = [*vendor.lines(project, vendor.TOOLS), *_direct(tests, settled)]
        test_source.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text(_without_wheels(text), encoding="utf-8")
        compile_ += ["--constraint", str(constraints), "--output-file", str(test_target)]
        run([*compile_, test_source], what="Resolving the test requirements", cwd=project)
        head = _head(project)
        for name, made in ((LOCK, target), (TEST_LOCK, test_target)):
            files.write(project / name, head + made.read_text(encoding="utf-8"))


def replace_wheel(project: Path, old: Wheel | None, new: Wheel | None) -> None:
    """Put a vendored wheel's line in the place of another's in all requirements files.

    `new` is None when the wheel leaves the project. Locks stay locks: their line carries the new
    wheel's hash, their head that of the new requirements.in. Nothing is resolved anew, for our
    wheels require nothing. Raises UserError.
    """
    current = is_current(project)
    for name in FILES:
        files.write(project / name, _with_wheel(files.read(project / name), old, new))
    if current:
        head = _head(project)
        for name in REQUIREMENTS:
            body = files.read(project / name).split("\n", head.count("\n"))[-1]
            files.write(project / name, head + body)


def _with_wheel(text: str, old: Wheel | None, new: Wheel | None) -> str:
    """Return a requirements file with one wheel's entry replaced; the text if it has none."""
    entry = ""
    if new is not None:
        hashed = any(requirement.hashed for requirement in parse_requirements(text))
        entry = f"{new.line} \\\n    --hash=sha256:{new.sha256}\n" if hashed else f"{new.line}\n"
    if old is None:
        return text
    pattern = rf"^{re.escape(old.line)}(?:[^\n]*\\\n)*[^\n]*\n"
    return re.sub(pattern, lambda _: entry, text, flags=re.M)


def _without_wheels(lock_text: str) -> str:
    """Return a lock without vendored wheels: uv takes no unnamed requirement as a constraint."""
    return re.sub(r"^\./(?:.*\\\n)*.*\n?", "", lock_text, flags=re.M)


@dataclass(frozen=True)
class Requirement:
    """One entry of a requirements file; a line that is no exact pin has no version."""

    name: str
    version: str
    marker: str
    hashed: bool
    vendored: bool = False


def parse_requirements(text: str) -> tuple[Requirement, ...]:
    """Return the entries of a requirements file."""
    lines = (line.strip() for line in text.replace("\\\n", " ").splitlines())
    return tuple(_requirement(line) for line in lines if line and not line.startswith("#"))


def _requirement(line: str) -> Requirement:
    entry, *hashes = line.split("--hash=")
    if wheel := vendor.parse_line(entry.strip()):
        return Requirement(*wheel, marker="", hashed=bool(hashes), vendored=True)
    pin, _, marker = entry.partition(";")
    name, _, version = pin.partition("==")
    return Requirement(_name(name), version.strip(), marker.strip(), bool(hashes))


def _direct(lock_text: str, settled: Collection[str]) -> list[str]:
    """Return the exact pins of a requirements file, without hashes.

    What is settled, because the service has it too, goes without a version: that may be another.
    """
    return [
        (entry.name if entry.name in settled else f"{entry.name}=={entry.version}")
        + (f" ; {entry.marker}" if entry.marker else "")
        for entry in parse_requirements(lock_text)
        if entry.version and not entry.vendored
    ]


def versions(project: Path) -> dict[str, str]:
    """Return the exact version of each library in requirements.txt, named as it is imported."""
    entries = parse_requirements(files.read(project / LOCK))
    return {imported_as(e.name): e.version for e in entries if e.version and not e.vendored}
