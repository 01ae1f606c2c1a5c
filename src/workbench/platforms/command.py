"""make platform NAME=…: write the file that another platform wants, never over an edited one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from workbench import files
from workbench.errors import UserError
from workbench.platforms.registry import PLATFORMS, Platform
from workbench.platforms.renderers import Facts

# Files that have another purpose too: a platform's lines are added to them.
SHARED = ("README.md", "app.json", "Procfile", "Dockerfile")
_READ = (*SHARED, ".slugignore")


def platform(project: Path, name: str, *, jobs: bool = False, overwrite: bool = False) -> str:
    """Write the platform's files and return what was written and what to type next.

    Raises UserError for an unknown platform, for one that cannot run the worker of `jobs`, and for
    a file that its owner has edited.
    """
    chosen = find(name)
    if jobs and chosen.jobs.impossible:
        raise UserError(
            f"{chosen.title} runs no worker for jobs from its file: {chosen.jobs.impossible}.",
            ["Nothing was written. Without jobs:", f"make platform NAME={name}"],
        )
    wanted, other = (render_files(project, chosen, jobs=choice) for choice in (jobs, not jobs))
    present = _texts(project, wanted)
    edited = [
        path
        for path, text in present.items()
        if path not in SHARED and text not in (wanted[path], other[path])
    ]
    if edited and not overwrite:
        raise UserError(
            [
                f"{path} exists, and differs:\n{_diff(path, present[path], wanted[path])}"
                for path in edited
            ],
            [
                "Nothing was written. Keep it as it is, or let it be replaced:",
                f"make platform NAME={name}{' JOBS=on' if jobs else ''} OVERWRITE=1",
            ],
        )
    changed = {path: text for path, text in wanted.items() if present.get(path) != text}
    for path, text in changed.items():
        files.write(project / path, text)
    return "\n".join(_report(project, chosen, wanted, changed, present, chosen.steps(jobs=jobs)))


def find(name: str) -> Platform:
    """Return a platform by its name. Raises UserError."""
    if name in PLATFORMS:
        return PLATFORMS[name]
    nearest = difflib.get_close_matches(name.lower(), PLATFORMS, 1)
    hint = f"; did you mean {nearest[0]}?" if nearest else "."
    raise UserError(
        f"NAME={name!r} is no platform that is known here{hint}",
        [f"Known are {', '.join(PLATFORMS)}.", f"make platform NAME={(nearest or ['render'])[0]}"],
    )


def render_files(project: Path, chosen: Platform, *, jobs: bool = False) -> dict[str, str]:
    """Return the platform's files as they are written into this project. Raises UserError."""
    about = files.read_manifest(project).about
    texts = _texts(project, _READ)
    facts = Facts(about.name, about.title, about.description, chosen.proxies, texts, jobs)
    try:
        return chosen.render(facts)
    except (ValueError, AttributeError) as error:
        raise UserError(
            f"app.json cannot be read ({error}). Correct it, or: git checkout -- app.json"
        ) from None


def _report(
    project: Path,
    chosen: Platform,
    wanted: Mapping[str, str],
    changed: Mapping[str, str],
    present: Mapping[str, str],
    steps: Sequence[str],
) -> list[str]:
    name = files.read_manifest(project).about.name
    lines = []
    for path in wanted:
        if path not in changed:
            lines.append(f"{path} is already as {chosen.title} wants it.")
        elif path in present:
            lines += [f"{path} is changed:", _diff(path, present[path], changed[path])]
        else:
            lines.append(f"{path} is written.")
    addresses = "address" if chosen.proxies == 1 else "addresses"
    by_hand = [f"Not in the file: {chosen.by_hand}"] if chosen.by_hand else []
    return [
        *lines,
        f"{chosen.title} adds {chosen.proxies} {addresses} to X-Forwarded-For (TRUSTED_PROXIES); "
        "this was not tried on the platform itself.",
        *by_hand,
        "",
        "Next:",
        f"  make doctor PLATFORM={chosen.name}",
        *(f"  {line.format(name=name, title=chosen.title)}" for line in steps),
    ]


def _diff(path: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{path} (yours)", path, lineterm="", n=1
    )
    return "\n".join(f"    {line}" for line in lines)


def _texts(project: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the content of those of the files that exist."""
    texts = {name: files.read_if_present(project / name) for name in names}
    return {name: text for name, text in texts.items() if text is not None}
