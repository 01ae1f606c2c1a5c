"""What the build installs: package manager, lock, wheels, Python."""

from __future__ import annotations

import re

from workbench import files, heroku, vendor
from workbench.doctor.checks.repository import COMMIT
from workbench.doctor.findings import Result, error, ok, warning
from workbench.doctor.snapshot import Snapshot
from workbench.errors import listing
from workbench.lock.pins import NOT_CPU_ONLY
from workbench.lock.requirements import LOCK, SOURCE, TEST_LOCK
from workbench.lock.table import HEROKU_PYTHONS
from workbench.platforms.registry import Platform
from workbench.vendor import Wheel


def check_package_manager(snapshot: Snapshot) -> Result:
    found = [name for name in heroku.PACKAGE_MANAGERS if name in snapshot.tracked]
    if found == ["requirements.txt"]:
        return ok("requirements.txt")
    if "requirements.txt" not in found:
        return error(
            f"{listing(found) or 'none'}, no requirements.txt",
            "git checkout -- requirements.txt, and delete the others.",
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


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
