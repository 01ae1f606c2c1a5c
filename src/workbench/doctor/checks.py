"""What the platform would refuse or suffer from: each check looks and says one thing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from workbench import files, heroku
from workbench.errors import listing
from workbench.lock.lock import Requirement
from workbench.lock.pins import HEROKU_PYTHONS, NOT_CPU_ONLY

Verdict = Literal["ok", "warning", "error"]
# GitHub refuses a larger file: https://docs.github.com/repositories/working-with-files
GITHUB_MEGABYTES = 100
# A few small requests do not show how much a large one takes.
ROOM = 0.8
# A dyno is slower than the machine of most engineers.
SLOWER = 0.5
COMMIT = "git add --all && git commit"


@dataclass(frozen=True)
class Finding:
    """One row of the table; of what is in order there is nothing to do."""

    check: str
    verdict: Verdict
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Unmeasured:
    """Why there is no figure, and what to do about it."""

    found: str
    advice: str
    verdict: Verdict = "warning"


@dataclass(frozen=True)
class Repository:
    """What git says; names are relative to the project."""

    prefix: str  # of the project's folder in the repository; usually none
    uncommitted: frozenset[str]
    filtered: tuple[str, ...]  # by Git LFS, says .gitattributes
    on_github: bool


@dataclass(frozen=True)
class Slug:
    """An estimate of the compressed size, and the largest packages in it, in MB."""

    megabytes: float
    largest: tuple[tuple[str, float], ...]
    native: bool  # the packages are those for Linux on x86_64


@dataclass(frozen=True)
class Memory:
    """What all processes of the service hold together; each more worker takes `worker` bytes."""

    total: int
    worker: int
    workers: int
    exact: bool  # otherwise what processes share is counted for each of them

    def megabytes(self, workers: int) -> float:
        """Return what another number of workers would take."""
        return (self.total + (workers - self.workers) * self.worker) / heroku.MEGABYTE


@dataclass(frozen=True)
class Latency:
    """The time within which 19 of 20 predictions of one row were answered."""

    seconds: float
    requests: int


@dataclass(frozen=True)
class Examination:
    """All that the checks look at."""

    pushed: Mapping[str, int]  # bytes by name: what git has, or would have after `git add --all`
    repository: Repository | None
    pointers: tuple[str, ...]
    served: tuple[str, ...]  # the files of model/ without which nothing is served
    python: str | None  # .python-version
    manifest: Mapping[str, Any]
    app: heroku.App | None  # None: app.json is not readable
    requirements: Mapping[str, tuple[Requirement, ...] | None]
    lock_is_current: bool
    slug: Slug | Unmeasured
    boot: float | Unmeasured
    memory: Memory | Unmeasured
    latency: Latency | Unmeasured


def check_package_manager(seen: Examination) -> Finding:
    check = "package manager"
    found = [name for name in heroku.PACKAGE_MANAGERS if name in seen.pushed]
    if found == ["requirements.txt"]:
        return Finding(check, "ok", "requirements.txt")
    if "requirements.txt" not in found:
        return Finding(
            check,
            "error",
            f"{listing(found) or 'none'}, no requirements.txt",
            "Restore requirements.txt from git, and delete the others.",
        )
    advice = "Heroku builds with exactly one: delete the others, and keep requirements.txt."
    return Finding(check, "error", listing(found), advice)


def check_lock(seen: Examination) -> Finding:
    check, advice = "lock", "make verify locks, and proves the model with what is locked."
    bare = []
    for name, entries in seen.requirements.items():
        if entries is None:
            return Finding(check, "error", f"{name} is missing", advice)
        unhashed = [entry.name for entry in entries if not entry.hashed]
        bare += [name] if len(unhashed) == len(entries) else unhashed
    if bare == list(seen.requirements):
        return Finding(check, "error", "exact pins, but no hashes", advice)
    if bare:
        return Finding(check, "error", f"no hashes in {listing(bare, 3)}; pip refuses", advice)
    if not seen.lock_is_current:
        found = f"made for another requirements.in or {files.PYTHON_VERSION}"
        return Finding(check, "error", found, advice)
    number = sum(len(entries or ()) for entries in seen.requirements.values())
    return Finding(check, "ok", f"{number} packages with hashes")


def check_xgboost(seen: Examination) -> Finding:
    """Find what pulls CUDA in: 572 MB in a real build, instead of 117."""
    check = "xgboost"
    entries = seen.requirements["requirements.txt"] or ()
    for entry in entries:
        if entry.name == "xgboost" and entry.marker != NOT_CPU_ONLY:
            if _numbers(entry.version) < (2, 1, 1):
                return Finding(check, "ok", f"xgboost {entry.version} (has no xgboost-cpu)")
            return Finding(
                check,
                "error",
                f"xgboost {entry.version}, with 450 MB for graphics cards",
                "Put xgboost-cpu into requirements.in instead, which is the same without them, and "
                "take out what needs xgboost itself; then make verify.",
            )
    cpu = any(entry.name == "xgboost-cpu" for entry in entries)
    return Finding(check, "ok", "xgboost-cpu" if cpu else "not used")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def check_python(seen: Examination) -> Finding:
    check, wanted = "Python", seen.manifest["python"]
    if "runtime.txt" in seen.pushed:
        advice = f"Delete it: it is deprecated, and outranks {files.PYTHON_VERSION}."
        return Finding(check, "error", "runtime.txt", advice)
    if seen.python is None:
        advice = f"Write {wanted} into it, else Heroku takes its newest."
        return Finding(check, "error", f"no {files.PYTHON_VERSION}", advice)
    if seen.python != wanted:
        found = f"{seen.python}, and the model is for {wanted}"
        advice = f"Write {wanted} into {files.PYTHON_VERSION}, or make verify proves it with yours."
        return Finding(check, "error", found, advice)
    if seen.python not in HEROKU_PYTHONS:
        return Finding(
            check,
            "error",
            f"{seen.python}, which Heroku does not build",
            f"Write one of {', '.join(HEROKU_PYTHONS)} into {files.PYTHON_VERSION}; make verify.",
        )
    if leaving := heroku.LEAVING_PYTHONS.get(seen.python):
        found = f"{seen.python}, which Heroku builds until {leaving}"
        return Finding(check, "warning", found, "Retrain with a newer Python before that.")
    return Finding(check, "ok", seen.python)


def check_app(seen: Examination) -> Finding:
    check, app = "app.json", seen.app
    if app is None:
        found = "Heroku cannot read it"
        return Finding(check, "error", found, "Mend it, or restore it from git.")
    if app.stack not in (None, *heroku.STACKS):
        advice = f'Set "stack" to one of {", ".join(heroku.STACKS)}.'
        return Finding(check, "error", f"stack {app.stack}, which does not build this", advice)
    if app.dyno is None:
        sizes = ", ".join(dyno.name for dyno in heroku.DYNOS)
        found = f"dyno {app.size}, which is not known here"
        advice = f"The memory is compared with {heroku.BASIC.name}. Known are {sizes}."
        return Finding(check, "warning", found, advice)
    return Finding(check, "ok", f"{app.stack or 'the default stack'}, dyno {app.dyno.name}")


def check_virtual_environment(seen: Examination) -> Finding:
    check = "virtual environment"
    for name in (".venv", "venv"):
        if f"{name}/pyvenv.cfg" in seen.pushed:
            found = f"{name}/ is in the repository; the build fails"
            advice = f"git rm -r --cached {name}, and a line {name}/ in .gitignore."
            return Finding(check, "error", found, advice)
    return Finding(check, "ok", "not in the repository")


def check_git(seen: Examination) -> Finding:
    check = "git"
    if seen.repository is None:
        return Finding(check, "error", "no repository", f"git init && {COMMIT}")
    if absent := [name for name in seen.served if name not in seen.pushed]:
        found = f"{listing(absent, 3)}: ignored or missing"
        advice = (
            f"git check-ignore --verbose {absent[0]} says which rule ignores it: take it out. "
            "Or restore the file from git."
        )
        return Finding(check, "error", found, advice)
    if prefix := seen.repository.prefix:
        found = "a folder of a larger repository, of which Heroku builds the top"
        return Finding(check, "warning", found, f"git subtree push --prefix {prefix} heroku main")
    uncommitted = seen.repository.uncommitted
    if changed := [name for name in seen.served if name in uncommitted]:
        found = f"not committed: {listing(changed, 3)}"
        return Finding(check, "error", found, f"{COMMIT}; git pushes only what is committed.")
    if uncommitted:
        found = f"not committed: {listing(sorted(uncommitted), 3)}"
        return Finding(check, "warning", found, f"{COMMIT}, if it shall be pushed.")
    return Finding(check, "ok", "all is committed")


def check_lfs(seen: Examination) -> Finding:
    check = "Git LFS"
    filtered = seen.repository.filtered if seen.repository else ()
    if filtered:
        advice = (
            "Heroku gets the pointer only: take filter=lfs out of .gitattributes, then "
            "git add --renormalize . && git commit"
        )
        return Finding(check, "error", listing(filtered, 3), advice)
    if seen.pointers:
        advice = "git lfs pull, git lfs untrack it, then git add --renormalize . && git commit"
        return Finding(check, "error", f"a pointer only: {listing(seen.pointers, 3)}", advice)
    return Finding(check, "ok", "not used")


def check_file_size(seen: Examination) -> Finding:
    check = "file size"
    largest = max(seen.pushed, key=lambda name: seen.pushed[name], default="no file")
    megabytes = seen.pushed.get(largest, 0) / heroku.MEGABYTE
    if megabytes <= GITHUB_MEGABYTES:
        return Finding(check, "ok", f"{megabytes:.2f} MB at most")
    on_github = seen.repository is not None and seen.repository.on_github
    return Finding(
        check,
        "error" if on_github else "warning",
        f"{largest} has {megabytes:.0f} MB; GitHub takes {GITHUB_MEGABYTES}",
        "Heroku takes it: push there only, or keep the repository elsewhere. Or save the model "
        "smaller (joblib.dump(model, path, compress=3)) and make adopt. Not with Git LFS.",
    )


def check_verified(seen: Examination) -> Finding:
    check, plan = "verified", seen.manifest.get("plan", {})
    if seen.manifest["verified"]:
        by = "its plan"
        if plan.get("serves") != "plan":
            # As right as a plan, and slower; there is nothing to do about it.
            by = f"its own methods: {plan.get('reason', 'it was proven before there were plans')}"
        return Finding(check, "ok", f"version {seen.manifest['version']}, served by {by}")
    return Finding(check, "warning", "not yet", "make verify proves that the model predicts.")


def check_keys(seen: Examination) -> Finding:
    """Ask for a decision: what is set on the app itself cannot be seen from here."""
    check, needed = "API keys", (seen.app or heroku.App()).keys
    if needed is None:
        return Finding(
            check,
            "warning",
            "open, unless API_KEYS is set",
            'make key says how. Then write what is meant into env of app.json: "API_KEYS": '
            '{"required": true}, or false.',
        )
    return Finding(check, "ok", f"{'needed' if needed else 'open to everyone'}, says app.json")


def check_slug(seen: Examination) -> Finding:
    check, slug = "slug", seen.slug
    if isinstance(slug, Unmeasured):
        return Finding(check, slug.verdict, slug.found, slug.advice)
    found = f"about {slug.megabytes:.0f} of {heroku.SLUG_MEGABYTES} MB"
    if not slug.native:
        found += ", with the packages for this system"
    largest = ", ".join(f"{name} {size:.0f} MB" for name, size in slug.largest)
    if slug.megabytes > heroku.SLUG_MEGABYTES:
        advice = f"Take out of requirements.in what is not needed. The largest: {largest}."
        return Finding(check, "error", found, advice)
    if slug.megabytes > heroku.SLOW_SLUG_MEGABYTES:
        limit = heroku.SLOW_SLUG_MEGABYTES
        advice = f"Over {limit} MB it starts slower. The largest: {largest}."
        return Finding(check, "warning", found, advice)
    return Finding(check, "ok", found)


def check_boot(seen: Examination) -> Finding:
    check, boot = "boot", seen.boot
    if isinstance(boot, Unmeasured):
        return Finding(check, boot.verdict, boot.found, boot.advice)
    limit = heroku.BOOT_SECONDS
    advice = "A smaller model, or one saved without compression, loads faster."
    return Finding(*_timed(check, f"ready after {boot:.1f} of {limit} s", boot, limit, advice))


def check_prediction(seen: Examination) -> Finding:
    check, latency = "prediction", seen.latency
    if isinstance(latency, Unmeasured):
        return Finding(check, latency.verdict, latency.found, latency.advice)
    given_up = (seen.app or heroku.App()).predict_seconds
    limit = min(given_up, heroku.REQUEST_SECONDS)
    found = f"p95 {_time(latency.seconds)} of {limit} s ({latency.requests} requests)"
    advice = f"The router gives up after {limit} s: make the model smaller."
    if given_up == limit:  # the service does, before the router
        advice = (
            f"With PREDICT_SECONDS={limit} callers get 503 after {limit} s: make the model smaller"
        )
        advice += f", or give it up to {heroku.REQUEST_SECONDS - 1}, when the router gives up."
    return Finding(*_timed(check, found, latency.seconds, limit, advice))


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def _timed(
    check: str, found: str, seconds: float, limit: float, advice: str
) -> tuple[str, Verdict, str, str]:
    if seconds > limit:
        return check, "error", found, advice
    if seconds > SLOWER * limit:
        return check, "warning", found, f"A dyno may be slower than this machine. {advice}"
    return check, "ok", found, ""


def check_memory(seen: Examination) -> Finding:
    check, memory = "memory", seen.memory
    if isinstance(memory, Unmeasured):
        return Finding(check, memory.verdict, memory.found, memory.advice)
    dyno = (seen.app or heroku.App()).dyno or heroku.BASIC
    taken = memory.megabytes(memory.workers)
    noun = "worker" if memory.workers == 1 else "workers"
    found = (
        f"{'' if memory.exact else 'at most '}{taken:.0f} of {dyno.megabytes} MB "
        f"({memory.workers} {noun} in {dyno.name})"
    )
    if taken <= ROOM * dyno.megabytes:
        return Finding(check, "ok", found)
    over = taken > dyno.megabytes and memory.exact
    return Finding(check, "error" if over else "warning", found, _larger(memory, dyno))


def _larger(memory: Memory, dyno: heroku.Dyno) -> str:
    """Say with how many workers, and in which dyno, the service fits."""
    ways = []
    if workers := _fitting(memory, dyno, memory.workers - 1):
        ways.append(
            f"heroku config:set WEB_CONCURRENCY={workers}, and the same under env in app.json"
        )
    for larger in heroku.DYNOS:
        if larger.megabytes > dyno.megabytes and (
            workers := _fitting(memory, larger, larger.workers)
        ):
            fewer = f" with WEB_CONCURRENCY={workers}" if workers < larger.workers else ""
            ways.append(
                f"heroku ps:scale web=1:{larger.name}{fewer} ({larger.megabytes} MB, "
                f"${larger.dollars} a month), and the same size in app.json"
            )
            break
    return "; or ".join(ways) + "." if ways else "No dyno is large enough: make the model smaller."


def _fitting(memory: Memory, dyno: heroku.Dyno, most: int) -> int:
    """Return with how many workers, `most` at most, the service fits into a dyno; 0 for none."""
    room = ROOM * dyno.megabytes
    return next((n for n in range(most, 0, -1) if memory.megabytes(n) <= room), 0)


CHECKS: tuple[Callable[[Examination], Finding], ...] = (
    check_package_manager,
    check_lock,
    check_xgboost,
    check_python,
    check_app,
    check_virtual_environment,
    check_git,
    check_lfs,
    check_file_size,
    check_verified,
    check_keys,
    check_slug,
    check_boot,
    check_memory,
    check_prediction,
)
