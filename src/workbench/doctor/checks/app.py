"""What app.json and the manifest say of the application."""

from __future__ import annotations

from workbench import heroku
from workbench.doctor.findings import Result, error, ok, warning
from workbench.doctor.snapshot import Snapshot
from workbench.lock.requirements import LOCK, SOURCE


def check_app(snapshot: Snapshot) -> Result:
    app = snapshot.app
    if app is None:
        return error("Heroku cannot read it", "Correct it, or: git checkout -- app.json")
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
        return error("on, and the Procfile has no worker: no job would ever be scored", advice)
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
