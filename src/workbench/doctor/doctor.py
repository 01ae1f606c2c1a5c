"""Doctor: what the platform would say after the push, as one table before it."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from model_service.contract.golden import GoldenError, read_golden
from workbench import files, heroku
from workbench.doctor import slug
from workbench.doctor.checks import CHECKS, Examination, Finding, Repository, Slug, Unmeasured
from workbench.doctor.measure import Measures, measure
from workbench.errors import UserError
from workbench.lock import lock
from workbench.lock.environment import REQUIREMENTS, run
from workbench.lock.lock import parse_requirements

POINTER = b"version https://git-lfs.github.com/spec/"
MISSING = "make setup, then make doctor"


@dataclass(frozen=True)
class Report:
    """What was found, in the order of the checks."""

    findings: tuple[Finding, ...]

    @property
    def failed(self) -> bool:
        """Tell whether the push would fail, or the service after it."""
        return any(finding.verdict == "error" for finding in self.findings)

    def to_json(self) -> str:
        """Return what the table says, for other programs."""
        return json.dumps([asdict(finding) for finding in self.findings], indent=1)

    def table(self, width: int) -> str:
        """Return the table for a terminal of so many columns."""
        head = ("verdict", "check", "found", "what to do")
        rows = [(f.verdict, f.check, f.found, f.advice) for f in self.findings]
        verdict, check, found, advice = (
            max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)
        )
        left = max(width - verdict - check - 6, 60)
        found = min(found, max(left // 2, left - advice))
        widths = (verdict, check, found, left - found)
        return "\n".join(line for row in (head, *rows) for line in _lines(row, widths))


def _lines(row: tuple[str, ...], widths: tuple[int, ...]) -> list[str]:
    cells = [textwrap.wrap(cell, size) or [""] for cell, size in zip(row, widths, strict=True)]
    return [
        "  ".join(part.ljust(size) for part, size in zip(parts, widths, strict=True)).rstrip()
        for parts in zip_longest(*cells, fillvalue="")
    ]


def examine(project: Path) -> Report:
    """Look at everything once, and at the service while it runs. Raises WorkbenchError."""
    seen = gather(project)
    return Report(tuple(check(seen) for check in CHECKS))


def show(report: Report) -> str:
    """Return the table as wide as the terminal."""
    return report.table(shutil.get_terminal_size((100, 24)).columns)


def gather(project: Path) -> Examination:
    """Read the project and git, and measure what can be measured. Raises WorkbenchError."""
    manifest = files.read_manifest(project)
    app = heroku.parse_app(_read(project / "app.json"))
    pushed, repository = _git(project)
    requirements = {
        str(name): None if (text := _read(project / name)) is None else parse_requirements(text)
        for name in REQUIREMENTS
    }
    locked = requirements[str(lock.LOCK)] or ()
    present = slug.installed(project)
    if different := slug.difference(locked, present):
        reason = Unmeasured(f"not measured: {different}", MISSING)
        size: Slug | Unmeasured = reason
        measures = Measures.none(reason)
    else:
        size = slug.estimate(project, locked, present, pushed)
        workers = (app or heroku.App()).workers
        procfile = _read(project / "Procfile") or ""
        measures = measure(project, procfile, workers, _rows(project, manifest))
    return Examination(
        pushed=pushed,
        repository=repository,
        pointers=tuple(name for name in pushed if _is_pointer(project / name)),
        served=_served(project, manifest),
        python=(_read(project / files.PYTHON_VERSION) or "").strip() or None,
        manifest=manifest,
        app=app,
        requirements=requirements,
        lock_is_current=_lock_is_current(project),
        slug=size,
        boot=measures.boot,
        memory=measures.memory,
        latency=measures.latency,
    )


def _lock_is_current(project: Path) -> bool:
    names = (*lock.FILES, files.PYTHON_VERSION)
    return all((project / name).exists() for name in names) and lock.is_current(project)


def _rows(project: Path, manifest: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return what to ask for: the recorded rows, or the examples of a model not verified yet."""
    golden = None
    with suppress(GoldenError):  # of which the service itself tells
        golden = read_golden(project / files.GOLDEN)
    return golden.rows if golden is not None else list(manifest["examples"])


def _read(path: Path) -> str | None:
    return files.read(path) if path.exists() else None


def _served(project: Path, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    entries = [manifest["model"], *manifest["transformers"]]
    names = [files.MANIFEST, files.FEATURES, *(files.MODEL / entry["file"] for entry in entries)]
    names += [files.CODE] if manifest["code"] else []
    names += [files.GOLDEN] if (project / files.GOLDEN).exists() else []
    return tuple(name.as_posix() for name in names)


def _git(project: Path) -> tuple[dict[str, int], Repository | None]:
    """Return the files that git has or would take, with their sizes, and what else git says."""

    def git(*arguments: str) -> str:
        return run(["git", *arguments], what=f"git {arguments[0]}", cwd=project)

    listed = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    try:
        names = _names(git(*listed))
        status = git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
        repository = Repository(
            prefix=git("rev-parse", "--show-prefix").strip(),
            uncommitted=frozenset(entry[3:] for entry in _names(status)),
            filtered=tuple(_names(git(*listed, "--", ":(attr:filter=lfs)"))),
            on_github="github.com" in git("remote", "--verbose"),
        )
    except (OSError, UserError):
        # What the platform looks for lies at the top.
        names, repository = [path.name for path in project.iterdir()], None
    paths = {name: project / name for name in sorted(set(names))}
    return {name: path.stat().st_size for name, path in paths.items() if path.is_file()}, repository


def _names(output: str) -> list[str]:
    return [name for name in output.split("\0") if name]


def _is_pointer(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(POINTER)) == POINTER
