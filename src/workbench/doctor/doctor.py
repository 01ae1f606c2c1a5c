"""Doctor: report before the push what the platform would report after it, as one table."""

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
from model_service.model.manifest import Manifest
from workbench import files, heroku, override, vendor
from workbench.doctor import slug
from workbench.doctor.checks import run_checks
from workbench.doctor.findings import Finding, Result, warning
from workbench.doctor.measure import Measurements, measure
from workbench.doctor.snapshot import (
    Elsewhere,
    Repository,
    Slug,
    Snapshot,
    Templates,
    Vendor,
)
from workbench.errors import UserError
from workbench.lock import lock
from workbench.lock.environment import run
from workbench.lock.requirements import FILES, LOCK, parse_requirements
from workbench.platforms import command

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
MIN_TABLE_WIDTH = 60  # of the columns "found" and "what to do" together


@dataclass(frozen=True)
class Report:
    """The findings, in the order of the checks."""

    findings: tuple[Finding, ...]

    @property
    def failed(self) -> bool:
        """Return whether the push would fail, or the service after it."""
        return any(finding.verdict == "error" for finding in self.findings)

    def to_json(self) -> str:
        """Return the findings for other programs."""
        return json.dumps([asdict(finding) for finding in self.findings], indent=1)

    def table(self, width: int) -> str:
        """Return the findings as a table for a terminal with `width` columns."""
        head = ("verdict", "check", "found", "what to do")
        rows = [(f.verdict, f.check, f.found, f.advice) for f in self.findings]
        verdict, check, found, advice = (
            max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)
        )
        rest = max(width - verdict - check - 6, MIN_TABLE_WIDTH)
        found = min(found, max(rest // 2, rest - advice))
        widths = (verdict, check, found, rest - found)
        return "\n".join(line for row in (head, *rows) for line in _lines(row, widths))


def _lines(row: tuple[str, ...], widths: tuple[int, ...]) -> list[str]:
    cells = [textwrap.wrap(cell, size) or [""] for cell, size in zip(row, widths, strict=True)]
    return [
        "  ".join(part.ljust(size) for part, size in zip(parts, widths, strict=True)).rstrip()
        for parts in zip_longest(*cells, fillvalue="")
    ]


def examine(project: Path, platform: str | None = None) -> Report:
    """Read the project, measure the running service and run all checks. Raises UserError.

    `platform` is the name of another platform than Heroku.
    """
    elsewhere = _elsewhere(project, platform) if platform else None
    return Report(run_checks(take_snapshot(project, elsewhere)))


def show(report: Report) -> str:
    """Return the table as wide as the terminal."""
    return report.table(shutil.get_terminal_size((100, 24)).columns)


def _elsewhere(project: Path, name: str) -> Elsewhere:
    """Compare the platform's files with those that make platform writes. Raises UserError."""
    platform = command.find(name)
    both = [command.render_files(project, platform, jobs=jobs) for jobs in (False, True)]
    present = {path: files.read_if_present(project / path) for path in both[0]}
    different = min(
        ([path for path, text in present.items() if text != wanted[path]] for wanted in both),
        key=len,
    )
    # A file that has another purpose too keeps its owner's lines, so it lacks the platform's.
    lacking = [path for path in different if present[path] is None or path in command.SHARED]
    edited = [path for path in different if path not in lacking]
    return Elsewhere(platform, tuple(lacking), tuple(edited))


def take_snapshot(project: Path, elsewhere: Elsewhere | None = None) -> Snapshot:
    """Read the project and git, and measure what can be measured. Raises UserError."""
    manifest = files.read_manifest(project)
    app = heroku.parse_app(files.read_if_present(project / "app.json"))
    tracked, repository = _git(project)
    texts = {str(name): files.read_if_present(project / name) for name in FILES}
    requirements = {
        name: None if text is None else parse_requirements(text) for name, text in texts.items()
    }
    locked = requirements[str(LOCK)] or ()
    procfile = heroku.parse_procfile(files.read_if_present(project / "Procfile"))
    installed = slug.installed(project)
    if different := slug.difference(locked, installed):
        reason = warning(f"not measured: {different}", "make setup, then make doctor")
        size: Slug | Result = reason
        measurements = Measurements.none(reason)
    else:
        size = slug.estimate(project, locked, installed, tracked)
        # Only Heroku sets WEB_CONCURRENCY; gunicorn.conf.py takes one worker without it.
        workers = 1 if elsewhere else (app or heroku.App()).workers
        boot_limit = elsewhere.platform.boot_seconds if elsewhere else heroku.BOOT_SECONDS
        measurements = measure(
            project, procfile.get("web"), workers, rows_to_predict(project, manifest), boot_limit
        )
    return Snapshot(
        tracked=tracked,
        repository=repository,
        lfs_pointers=tuple(name for name in tracked if _is_lfs_pointer(project / name)),
        served=_served(project, manifest),
        python=(files.read_if_present(project / files.PYTHON_VERSION) or "").strip() or None,
        manifest=manifest,
        app=app,
        processes=frozenset(procfile),
        requirements=requirements,
        lock_is_current=_lock_is_current(project),
        vendor=_vendor(project),
        templates=_templates(project),
        slug=size,
        boot_seconds=measurements.boot_seconds,
        memory=measurements.memory,
        latency=measurements.latency,
        elsewhere=elsewhere,
    )


def _lock_is_current(project: Path) -> bool:
    names = (*FILES, files.PYTHON_VERSION)
    return all((project / name).exists() for name in names) and lock.is_current(project)


def _vendor(project: Path) -> Vendor:
    wheels = tuple(vendor.wheels(project))
    try:
        altered = tuple(vendor.altered(project))
    except UserError:  # without its README all are unknown
        altered = tuple(wheel.path.name for wheel in wheels)
    return Vendor(wheels, altered, vendor.is_ejected(project))


def _templates(project: Path) -> Templates | Result:
    try:
        outdated = {str(found.path): found.page for found in override.outdated(project)}
        return Templates(len(override.overridden(project)), outdated)
    except UserError as problem:
        return warning(f"not compared: {problem}", "First correct the wheels.")


def rows_to_predict(project: Path, manifest: Manifest) -> Sequence[Mapping[str, Any]]:
    """Return rows to predict: the golden rows, or the examples of a model not verified yet."""
    golden = None
    with suppress(GoldenError):  # /ready reports it
        golden = read_golden(project / files.GOLDEN)
    return golden.rows if golden is not None else manifest.examples


def _served(project: Path, manifest: Manifest) -> tuple[str, ...]:
    entries = [manifest.model, *manifest.transformers]
    names = [files.MANIFEST, files.FEATURES, *(files.MODEL / entry.file for entry in entries)]
    names += files.code_files(project, manifest)
    names += [files.GOLDEN] if (project / files.GOLDEN).exists() else []
    return tuple(name.as_posix() for name in names)


def _git(project: Path) -> tuple[dict[str, int], Repository | None]:
    """Return the files that git has or would add, with their sizes, and what else git reports."""

    def git(*arguments: str) -> str:
        return run(["git", *arguments], what=f"git {arguments[0]}", cwd=project)

    listed = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    try:
        names = _names(git(*listed))
        status = git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
        repository = Repository(
            prefix=git("rev-parse", "--show-prefix").strip(),
            uncommitted=frozenset(entry[3:] for entry in _names(status)),
            lfs_filtered=tuple(_names(git(*listed, "--", ":(attr:filter=lfs)"))),
            on_github="github.com" in git("remote", "--verbose"),
        )
    except (OSError, UserError):
        # The files that the platform looks for are at the top.
        names, repository = [path.name for path in project.iterdir()], None
    paths = {name: project / name for name in sorted(set(names))}
    return {name: path.stat().st_size for name, path in paths.items() if path.is_file()}, repository


def _names(output: str) -> list[str]:
    return [name for name in output.split("\0") if name]


def _is_lfs_pointer(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(LFS_POINTER)) == LFS_POINTER
