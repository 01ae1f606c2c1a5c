"""What the platform would refuse, or suffer from: each check looks at one thing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from workbench import files, heroku, vendor
from workbench.doctor.findings import Finding, Result, error, ok, warning
from workbench.doctor.snapshot import Elsewhere, Memory, Snapshot
from workbench.errors import listing
from workbench.lock.pins import NOT_CPU_ONLY
from workbench.lock.requirements import LOCK, SOURCE, TEST_LOCK
from workbench.lock.table import HEROKU_PYTHONS
from workbench.platforms.plans import plans_of
from workbench.platforms.registry import Platform
from workbench.vendor import Wheel

# GitHub refuses larger files: https://docs.github.com/repositories/working-with-files
GITHUB_MEGABYTES = 100
# The memory is measured with a few small requests; a large request takes more.
MEMORY_SHARE = 0.8
# A dyno can be half as fast as the machine that measures.
TIME_SHARE = 0.5
COMMIT = "git add --all && git commit"

Check = Callable[[Snapshot], Result]


def run_checks(snapshot: Snapshot) -> tuple[Finding, ...]:
    """Return a finding for each check, in the order of CHECKS."""
    results = ((name, check(snapshot)) for name, check in _checks(snapshot.elsewhere).items())
    return tuple(Finding(name, r.verdict, r.found, r.advice) for name, r in results)


def _checks(elsewhere: Elsewhere | None) -> Mapping[str, Check]:
    """Return the checks for a platform: without those of Heroku's build, with its own file."""
    if elsewhere is None:
        return CHECKS
    left_out = {"app.json", "jobs", "slug"}
    if elsewhere.platform.builds_image:
        left_out.add("package manager")
    kept = {name: check for name, check in CHECKS.items() if name not in left_out}
    return {"platform file": lambda _: _platform_file(elsewhere), **kept}


def _platform_file(elsewhere: Elsewhere) -> Result:
    command = f"make platform NAME={elsewhere.platform.name}"
    if elsewhere.lacking:
        title = elsewhere.platform.title
        found = f"{listing(elsewhere.lacking)}: missing, or without the lines that {title} needs"
        return error(found, command)
    if elsewhere.edited:
        return warning(
            f"{listing(elsewhere.edited)} is not as {command} writes it",
            f"If you edited it: ok. {command} shows the difference.",
        )
    return ok(f"as {command} writes it")


def check_package_manager(snapshot: Snapshot) -> Result:
    found = [name for name in heroku.PACKAGE_MANAGERS if name in snapshot.tracked]
    if found == ["requirements.txt"]:
        return ok("requirements.txt")
    if "requirements.txt" not in found:
        return error(
            f"{listing(found) or 'none'}, no requirements.txt",
            "Restore requirements.txt from git, and delete the others.",
        )
    advice = "Heroku builds with exactly one: delete the others, and keep requirements.txt."
    return error(listing(found), advice)


def check_lock(snapshot: Snapshot) -> Result:
    advice = "make verify locks, and verifies the model with the locked versions."
    unhashed = []
    for name, entries in snapshot.requirements.items():
        if name == str(SOURCE):
            continue
        if entries is None:
            return error(f"{name} is missing", advice)
        in_file = [entry.name for entry in entries if not entry.hashes]
        unhashed += [name] if len(in_file) == len(entries) else in_file
    if unhashed == [str(LOCK), str(TEST_LOCK)]:
        return error("exact pins, but no hashes", advice)
    if unhashed:
        return error(f"no hashes in {listing(unhashed, 3)}; pip refuses", advice)
    if not snapshot.lock_is_current:
        return error(f"made for another {SOURCE} or {files.PYTHON_VERSION}", advice)
    locked = (snapshot.requirements[str(name)] or () for name in (LOCK, TEST_LOCK))
    return ok(f"{sum(map(len, locked))} packages with hashes")


def check_wheels(snapshot: Snapshot) -> Result:
    """Compare the wheels in vendor/ with its README, with git and with the requirements files."""
    wheels = {wheel.name: wheel for wheel in snapshot.vendor.wheels}
    expected = [vendor.TOOLS] if snapshot.vendor.ejected else [vendor.ENGINE, vendor.TOOLS]
    restore = f"git checkout -- {vendor.FOLDER}"
    if snapshot.vendor.altered:
        found = f"{listing(snapshot.vendor.altered)} is not the file that {vendor.README} lists"
        return error(found, f"{restore}, or delete a wheel that is not listed there.")
    if missing := [name for name in expected if name not in wheels]:
        return error(f"{vendor.FOLDER}/ has no wheel of {listing(missing)}", restore)
    if snapshot.repository is not None:
        paths = [wheel.relative_path for wheel in snapshot.vendor.wheels]
        if ignored := [path for path in paths if path not in snapshot.tracked]:
            advice = (
                f"git check-ignore --verbose {ignored[0]} shows the rule that ignores it: "
                f"delete it, then {COMMIT}."
            )
            return error(f"not in git: {listing(ignored)}", advice)
    for name, distribution in (
        (SOURCE, vendor.ENGINE),
        (LOCK, vendor.ENGINE),
        (TEST_LOCK, vendor.TOOLS),
    ):
        if mismatch := _wheel_mismatch(snapshot, str(name), wheels.get(distribution)):
            return error(mismatch, _mismatch_advice(str(name), wheels.get(distribution)))
    engine = wheels.get(vendor.ENGINE)
    own = f"engine {engine.version}" if engine else "ejected: model_service/ is yours"
    return ok(f"{own}, tools {wheels[vendor.TOOLS].version}")


def _wheel_mismatch(snapshot: Snapshot, name: str, wheel: Wheel | None) -> str:
    """Return how the wheels in a requirements file are not the one in vendor/; empty: they are."""
    entries = snapshot.requirements[name]
    if entries is None:
        return ""  # the check of the lock reports it
    listed = [entry for entry in entries if entry.vendored]
    expected = [] if wheel is None else [(wheel.name, wheel.version)]
    if [(entry.name, entry.version) for entry in listed] != expected:
        named = listing([f"{entry.name} {entry.version}" for entry in listed])
        has = listing([f"{name} {version}" for name, version in expected])
        return f"{name} lists {named or 'no wheel'}, {vendor.FOLDER}/ has {has or 'none'}"
    if wheel is not None and any(e.hashes and wheel.sha256 not in e.hashes for e in listed):
        return f"{name} has another SHA-256 for {wheel.path.name}"
    return ""


def _mismatch_advice(name: str, wheel: Wheel | None) -> str:
    if name != str(SOURCE):
        return "make lock"
    if wheel is None:
        return f"Delete the line of the wheel from {name}, then make lock."
    return f"Write {wheel.line} into {name}, in the place of any other wheel, then make lock."


def check_templates(snapshot: Snapshot) -> Result:
    """Report templates of the owner that were copied from an older page of the engine."""
    templates = snapshot.templates
    if isinstance(templates, Result):
        return templates
    if not templates.outdated:
        return ok(f"{templates.overridden} overridden" if templates.overridden else "none")
    path, page = next(iter(templates.outdated.items()))
    return warning(
        f"the engine's page has changed since it was copied: {listing([*templates.outdated], 3)}",
        f"Move {path} away, make override PAGE={page}, and repeat your changes in the new copy.",
    )


def check_xgboost(snapshot: Snapshot) -> Result:
    """Report what installs CUDA: it made a slug of 572 MB instead of 117."""
    entries = snapshot.requirements[str(LOCK)] or ()
    for entry in entries:
        if entry.name == "xgboost" and entry.marker != NOT_CPU_ONLY:
            if _numbers(entry.version) < (2, 1, 1):
                return ok(f"xgboost {entry.version} (has no xgboost-cpu)")
            return error(
                f"xgboost {entry.version}, with 450 MB for graphics cards",
                "Put xgboost-cpu into requirements.in instead, which is the same without them, and "
                "take out what needs xgboost itself; then make verify.",
            )
    cpu = any(entry.name == "xgboost-cpu" for entry in entries)
    return ok("xgboost-cpu" if cpu else "not used")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def check_python(snapshot: Snapshot) -> Result:
    python, expected = snapshot.python, snapshot.manifest.environment.python
    if "runtime.txt" in snapshot.tracked:
        advice = f"Delete it: it is deprecated, and outranks {files.PYTHON_VERSION}."
        return error("runtime.txt", advice)
    if python is None:
        advice = f"Write {expected} into it, else Heroku takes its newest."
        return error(f"no {files.PYTHON_VERSION}", advice)
    if python != expected:
        return error(
            f"{python}, and the model is for {expected}",
            f"Write {expected} into {files.PYTHON_VERSION}, or verify it with yours: make verify.",
        )
    if snapshot.elsewhere is not None:
        return _python_elsewhere(python, snapshot.elsewhere.platform)
    if python not in HEROKU_PYTHONS:
        return error(
            f"{python}, which Heroku does not build",
            f"Write one of {', '.join(HEROKU_PYTHONS)} into {files.PYTHON_VERSION}; make verify.",
        )
    if last_day := heroku.LEAVING_PYTHONS.get(python):
        found = f"{python}, which Heroku builds until {last_day}"
        return warning(found, "Retrain with a newer Python before that.")
    return ok(python)


def _python_elsewhere(python: str, platform: Platform) -> Result:
    oldest = platform.oldest_python
    if _numbers(python) < _numbers(oldest):
        return error(
            f"{python}; {platform.title} builds {oldest} and later",
            f"Retrain the model with Python {oldest} or later.",
        )
    return ok(python)


def check_app(snapshot: Snapshot) -> Result:
    app = snapshot.app
    if app is None:
        return error("Heroku cannot read it", "Correct it, or restore it from git.")
    if app.stack not in (None, *heroku.STACKS):
        advice = f'Set "stack" to one of {", ".join(heroku.STACKS)}.'
        return error(f"stack {app.stack}, which does not build this", advice)
    if app.stack in heroku.DEPRECATED_STACKS:
        advice = f'Set "stack" to {heroku.STACKS[0]}.'
        return warning(f"stack {app.stack}, which Heroku will drop", advice)
    if app.dyno is None:
        sizes = ", ".join(dyno.name for dyno in heroku.DYNOS)
        advice = f"The memory is compared with {heroku.BASIC.name}. Known are {sizes}."
        return warning(f"dyno {app.size}, which is not known here", advice)
    return ok(f"{app.stack or 'the default stack'}, dyno {app.dyno.name}")


def check_virtual_environment(snapshot: Snapshot) -> Result:
    for name in (".venv", "venv"):
        if f"{name}/pyvenv.cfg" in snapshot.tracked:
            advice = f"git rm -r --cached {name}, and a line {name}/ in .gitignore."
            return error(f"{name}/ is in the repository; the build fails", advice)
    return ok("not in the repository")


def check_git(snapshot: Snapshot) -> Result:
    if snapshot.repository is None:
        return error("no repository", f"git init && {COMMIT}")
    if absent := [name for name in snapshot.served if name not in snapshot.tracked]:
        advice = (
            f"git check-ignore --verbose {absent[0]} shows the rule that ignores it: delete it. "
            "Or restore the file from git."
        )
        return error(f"{listing(absent, 3)}: ignored or missing", advice)
    if prefix := snapshot.repository.prefix:
        found = "a folder of a larger repository, of which Heroku builds the top"
        return warning(found, f"git subtree push --prefix {prefix} heroku main")
    uncommitted = snapshot.repository.uncommitted
    needed = [*snapshot.served, *(wheel.relative_path for wheel in snapshot.vendor.wheels)]
    if changed := [name for name in needed if name in uncommitted]:
        found = f"not committed: {listing(changed, 3)}"
        return error(found, f"{COMMIT}; git pushes only what is committed.")
    if uncommitted:
        found = f"not committed: {listing(sorted(uncommitted), 3)}"
        return warning(found, f"{COMMIT}, if it is meant to be pushed.")
    return ok("everything is committed")


def check_lfs(snapshot: Snapshot) -> Result:
    filtered = snapshot.repository.lfs_filtered if snapshot.repository else ()
    if filtered:
        advice = (
            "Heroku gets the pointer only: delete filter=lfs from .gitattributes, then "
            "git add --renormalize . && git commit"
        )
        return error(listing(filtered, 3), advice)
    if pointers := snapshot.lfs_pointers:
        advice = "git lfs pull, git lfs untrack it, then git add --renormalize . && git commit"
        return error(f"a pointer only: {listing(pointers, 3)}", advice)
    return ok("not used")


def check_file_size(snapshot: Snapshot) -> Result:
    sizes = snapshot.tracked
    largest = max(sizes, key=lambda name: sizes[name], default="no file")
    megabytes = sizes.get(largest, 0) / heroku.MEGABYTE
    if megabytes <= GITHUB_MEGABYTES:
        return ok(f"{megabytes:.2f} MB at most")
    on_github = snapshot.repository is not None and snapshot.repository.on_github
    return Result(
        "error" if on_github else "warning",
        f"{largest} has {megabytes:.0f} MB; GitHub takes {GITHUB_MEGABYTES}",
        "Heroku takes it: push there only, or keep the repository elsewhere. Or save the model "
        "smaller (joblib.dump(model, path, compress=3)) and make adopt. Not with Git LFS.",
    )


def check_verified(snapshot: Snapshot) -> Result:
    manifest = snapshot.manifest
    if not manifest.verified:
        return warning("not yet", "make verify loads the model and records its predictions.")
    by = "its fast path"
    if not manifest.serves_fast_path:
        # The model's own methods are slower than the fast path and answer the same.
        reason = manifest.served_by.reason or "it was verified before there was a fast path"
        by = f"its own methods: {reason}"
    return ok(f"version {manifest.about.version}, served by {by}")


def check_keys(snapshot: Snapshot) -> Result:
    """Ask the owner to decide: the config vars of the app itself are not known here."""
    required = (snapshot.app or heroku.App()).keys
    if required is None:
        return warning(
            "open, unless API_KEYS is set",
            "make key prints how to set it. Then write your decision into env of app.json: "
            '"API_KEYS": {"required": true}, or false.',
        )
    return ok(f"{'needed' if required else 'open to everyone'}, says app.json")


def check_jobs(snapshot: Snapshot) -> Result:
    """Compare JOBS in app.json with what jobs need; the config vars of the app are not known."""
    app = snapshot.app or heroku.App()
    if not app.jobs:
        if app.job_workers:
            return warning(
                "app.json starts a worker, and does not set JOBS: the worker ends immediately",
                'Write "JOBS": {"value": "on"} into env of app.json, or "quantity": 0 for worker.',
            )
        return ok("off, unless JOBS is set")
    if all(entry.name != "psycopg" for entry in snapshot.requirements[str(LOCK)] or ()):
        advice = f"Write psycopg[binary] into {SOURCE}, then make lock."
        return error("on, and psycopg is not installed: the service does not start", advice)
    if "worker" not in snapshot.processes:
        advice = "Write into the Procfile: worker: python -m model_service jobs"
        return error("on, and the Procfile has no worker: each job would wait for ever", advice)
    if not app.has_database:
        return warning(
            "on, and app.json names no database: without one the service does not start",
            "heroku addons:create heroku-postgresql:essential-0, and "
            '"addons": ["heroku-postgresql:essential-0"] in app.json.',
        )
    if not app.job_workers:
        return warning(
            "on, and app.json starts no worker: each job would wait",
            'heroku ps:scale worker=1, and "quantity": 1 for worker in app.json.',
        )
    return ok(f"on, {app.job_workers} x worker")


def check_slug(snapshot: Snapshot) -> Result:
    slug = snapshot.slug
    if isinstance(slug, Result):
        return slug
    found = f"about {slug.megabytes:.0f} of {heroku.SLUG_MEGABYTES} MB"
    if not slug.native:
        found += ", with the packages for this system"
    largest = ", ".join(f"{name} {size:.0f} MB" for name, size in slug.largest)
    if slug.megabytes > heroku.SLUG_MEGABYTES:
        advice = f"Take out of requirements.in what is not needed. The largest: {largest}."
        return error(found, advice)
    if slug.megabytes > heroku.SLOW_SLUG_MEGABYTES:
        limit = heroku.SLOW_SLUG_MEGABYTES
        return warning(found, f"Over {limit} MB it starts slower. The largest: {largest}.")
    return ok(found)


def check_boot(snapshot: Snapshot) -> Result:
    seconds = snapshot.boot_seconds
    if isinstance(seconds, Result):
        return seconds
    other = snapshot.elsewhere
    limit = other.platform.boot_seconds if other else heroku.BOOT_SECONDS
    advice = "A smaller model, or one saved without compression, loads faster."
    return _within(limit, seconds, f"ready after {seconds:.1f} of {limit} s", advice)


def check_prediction(snapshot: Snapshot) -> Result:
    latency = snapshot.latency
    if isinstance(latency, Result):
        return latency
    timeout = (snapshot.app or heroku.App()).predict_seconds
    other = snapshot.elsewhere
    allowed = other.platform.request_seconds if other else heroku.REQUEST_SECONDS
    limit = min(timeout, allowed)
    found = f"p95 {_duration(latency.seconds)} of {limit} s ({latency.requests} requests)"
    advice = f"The router gives up after {limit} s: make the model smaller."
    if timeout == limit:  # the service gives up before the router
        advice = (
            f"With PREDICT_SECONDS={limit} callers get 503 after {limit} s: make the model smaller "
            f"or raise it, to {allowed - 1} at most, before the router gives up."
        )
    return _within(limit, latency.seconds, found, advice)


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def _within(limit: float, seconds: float, found: str, advice: str) -> Result:
    """Judge a time that was measured on this machine against a limit of the platform."""
    if seconds > limit:
        return error(found, advice)
    if seconds > TIME_SHARE * limit:
        return warning(found, f"A dyno may be slower than this machine. {advice}")
    return ok(found)


def check_memory(snapshot: Snapshot) -> Result:
    memory = snapshot.memory
    if isinstance(memory, Result):
        return memory
    if snapshot.elsewhere is not None:
        return _memory_elsewhere(memory, snapshot.elsewhere.platform)
    dyno = (snapshot.app or heroku.App()).dyno or heroku.BASIC
    megabytes = memory.megabytes(memory.workers)
    noun = "worker" if memory.workers == 1 else "workers"
    found = (
        f"{'' if memory.exact else 'at most '}{megabytes:.0f} of {dyno.megabytes} MB "
        f"({memory.workers} {noun} in {dyno.name})"
    )
    if megabytes <= MEMORY_SHARE * dyno.megabytes:
        return ok(found)
    too_much = megabytes > dyno.megabytes and memory.exact
    advice = "; or ".join(_ways_to_fit(memory, dyno))
    return Result(
        "error" if too_much else "warning",
        found,
        f"{advice}." if advice else "No dyno is large enough: make the model smaller.",
    )


def _memory_elsewhere(memory: Memory, platform: Platform) -> Result:
    megabytes = memory.megabytes(1)
    if platform.megabytes is None:
        return ok(f"{megabytes:.0f} MB with one worker, on a server of your own")
    found = f"{megabytes:.0f} of {platform.megabytes} MB (one worker)"
    if megabytes <= MEMORY_SHARE * platform.megabytes:
        return ok(found)
    larger = next(
        (p for p in plans_of(platform.name) if MEMORY_SHARE * p.megabytes >= megabytes), None
    )
    advice = "Take a larger size in the platform's file, or make the model smaller."
    if larger is not None:
        price = f"{larger.megabytes} MB, ${larger.dollars:g} a {larger.unit}"
        advice = f"Take {larger.name} ({price})."
    too_much = megabytes > platform.megabytes and memory.exact
    return Result("error" if too_much else "warning", found, advice)


def _ways_to_fit(memory: Memory, dyno: heroku.Dyno) -> Iterator[str]:
    """Yield the fewer workers, and the smallest larger dyno, with which the service fits."""
    if workers := _fitting_workers(memory, dyno, range(1, memory.workers)):
        yield f"heroku config:set WEB_CONCURRENCY={workers}, and the same under env in app.json"
    for larger in heroku.DYNOS:
        if larger.megabytes > dyno.megabytes and (
            workers := _fitting_workers(memory, larger, range(1, larger.workers + 1))
        ):
            fewer = f" with WEB_CONCURRENCY={workers}" if workers < larger.workers else ""
            yield (
                f"heroku ps:scale web=1:{larger.name}{fewer} ({larger.megabytes} MB, "
                f"${larger.dollars} a month), and the same size in app.json"
            )
            return


def _fitting_workers(memory: Memory, dyno: heroku.Dyno, counts: Iterable[int]) -> int:
    """Return the largest of some worker counts with which the service fits; 0 for none."""
    room = MEMORY_SHARE * dyno.megabytes
    return max((count for count in counts if memory.megabytes(count) <= room), default=0)


CHECKS: dict[str, Check] = {
    "package manager": check_package_manager,
    "lock": check_lock,
    "wheels": check_wheels,
    "templates": check_templates,
    "xgboost": check_xgboost,
    "Python": check_python,
    "app.json": check_app,
    "virtual environment": check_virtual_environment,
    "git": check_git,
    "Git LFS": check_lfs,
    "file size": check_file_size,
    "verified": check_verified,
    "API keys": check_keys,
    "jobs": check_jobs,
    "slug": check_slug,
    "boot": check_boot,
    "memory": check_memory,
    "prediction": check_prediction,
}
