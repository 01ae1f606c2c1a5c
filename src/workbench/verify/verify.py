"""Verify: run on this machine what the dyno will run, with exactly the locked requirements."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_service.model.manifest import Environment
from workbench import files, vendor
from workbench.adopt.csv.kept_sample import kept_sample_text, read_truths
from workbench.errors import CannotVerify, UserError
from workbench.inspect.pickle.names import DISTRIBUTIONS
from workbench.lock import lock
from workbench.lock.environment import (
    CommandError,
    TimedOut,
    environ_without_secrets,
    find_python,
    make_environment,
    run,
)
from workbench.progress import step
from workbench.verify.resource_limits import Limits
from workbench.verify.results import read_json_result, read_result

# What the proof completes and records.
PROVEN = (
    *(files.FEATURES, files.MANIFEST, files.GOLDEN, files.EXPECTED, files.EXPLAIN),
    *(files.QUALITY, files.KEPT_ANSWERS),
)
# pytest's arguments: the owner's tests with the whole selftest, and with those tests of it whose
# result depends on the model. The engine's own do not change with the model; CI runs all of them.
TESTS = ("tests", "--pyargs", "workbench.selftest")
MODEL_TESTS = ("tests", "--pyargs", "workbench.selftest.model")


def setup(project: Path) -> Path:
    """Make `.venv` from the requirements files; return its interpreter. Raises CannotVerify."""
    version = files.python_version(project)
    python = find_python(version)
    if python is None:
        raise CannotVerify(
            f"Python {version} does not run here; install it (uv python install {version}, or "
            "pyenv) and type the command again."
        )
    try:
        return make_environment(project, python)
    except CommandError as error:
        raise CannotVerify(error.problems) from None


@dataclass(frozen=True)
class VerifyOptions:
    """The options of `make verify`.

    SAMPLE=… takes the place of `.sample.csv`; with ACCEPT=answers the model's answers are recorded
    anew.
    """

    sample: str = ""
    accept: str = ""

    def __post_init__(self) -> None:
        if self.accept not in ("", "answers"):
            raise UserError(
                f"ACCEPT={self.accept!r} is unknown; leave it out, or give ACCEPT=answers to "
                "record the answers of this model anew."
            )


def verify(
    project: Path, limits: Limits | None = None, options: VerifyOptions = VerifyOptions()
) -> str:
    """Lock if needed, install, prove the model and run the tests; return a report.

    Raises CannotVerify if it cannot be tried here, and UserError if the model or a test fails. The
    files in `model/` are then as they were.
    """
    limits = limits or Limits.from_environment()
    sample = _sample(project, options)
    if not lock.is_current(project):
        try:
            with step("Locking the libraries"):
                lock.lock(project)
        except UserError as error:
            raise CannotVerify(error.problems) from None
    with step("Installing them"):
        python = setup(project)
        _write_bytecode(project, python)
    with _restored_on_failure(project):
        _write_locked_versions(project)
        with step("Predicting in a sandbox"):
            proof = prove(project, python, limits, sample, options.accept)
        with step("Testing"), tempfile.TemporaryDirectory(prefix="tests-") as home:
            tests = run(
                [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *MODEL_TESTS],
                what="make test",
                cwd=project,
                env=environ_without_secrets(Path(home)),
            )
    return f"{proof.strip()}\nThe project's tests: {tests.strip().splitlines()[-1].strip('= ')}."


def doubt_of(project: Path) -> str | None:
    """Return why the verified predictions are doubtful, as quality.json has it, or None."""
    path = project / files.QUALITY
    return files.read_json(path).get("doubt") if path.exists() else None


def _sample(project: Path, options: VerifyOptions) -> str | None:
    """Return the text of the rows from which the proof computes. Raises UserError."""
    if options.sample:
        contract = files.read_contract(project)
        kept = read_truths(contract, project)
        target = kept.target if kept is not None else None
        return kept_sample_text(contract, Path(options.sample).expanduser(), target)
    path = project / files.KEPT_SAMPLE
    return files.read(path) if path.exists() else None


def prove(
    project: Path, python: Path, limits: Limits, sample: str | None = None, accept: str = ""
) -> str:
    """Run workbench.verify.prove in a process with limits; return what it printed.

    It has a copy of `model/`, the rows of `sample` and the answers that were kept of the model
    before, and nothing else of the user's. Raises UserError.
    """
    with tempfile.TemporaryDirectory(prefix="proof-") as name:
        copy = Path(name).resolve()
        shutil.copytree(project / files.MODEL, copy / files.MODEL)
        if sample is not None:
            files.write(copy / files.KEPT_SAMPLE, sample)
        if (kept := project / files.KEPT_ANSWERS).exists():
            files.write(copy / files.KEPT_ANSWERS, kept.read_bytes())
        if vendor.is_ejected(project):
            shutil.copytree(project / "model_service", copy / "model_service")
        try:
            report = _prove(copy, python, limits, accept)
        except UserError as error:
            if (better := read_json_result(copy, files.BETTER_OUTPUT)) is not None:
                raise AnswersDiffer(error.problems, better) from None
            raise
        results = {path: read_result(copy, path) for path in PROVEN}
    for path, content in results.items():
        if content is not None:
            files.write(project / path, content)
        else:
            (project / path).unlink(missing_ok=True)
    return report


def _prove(copy: Path, python: Path, limits: Limits, accept: str) -> str:
    limited = [
        *("-m", "workbench.verify.resource_limits", str(limits.megabytes)),
        "workbench.verify.prove",
    ]
    try:
        return run(
            [python, *limited],
            what="The proof",
            cwd=copy,
            env={**environ_without_secrets(copy), "ACCEPT": accept},
            timeout_seconds=limits.seconds,
        )
    except TimedOut as error:
        raise UserError(
            f"{error} The model hangs, or is too slow to be tried with every feature: then put "
            f"PROOF_SECONDS={2 * limits.seconds} before the command."
        ) from None


def _write_bytecode(project: Path, python: Path) -> None:
    """Import the known libraries once, so that Python keeps their bytecode in `.venv`.

    The sandbox of the proof cannot write it: it would take seconds to compile them for itself, and
    the tests as many again.
    """
    libraries = files.read_manifest(project).environment.libraries
    roots = [root for root, name in DISTRIBUTIONS.items() if name in libraries and root[0] != "_"]
    code = f"import {', '.join(['model_service.web.app', *roots])}"
    # A library that cannot be imported fails in the proof, too, which says why.
    with suppress(CommandError), tempfile.TemporaryDirectory(prefix="imports-") as home:
        env = environ_without_secrets(Path(home))
        run([python, "-c", code], what="Importing the libraries", cwd=project, env=env)


def _write_locked_versions(project: Path) -> None:
    """Write the versions of the lock and the Python into the manifest, to be proven."""
    manifest = files.read_manifest(project)
    locked = lock.locked_versions(project)
    libraries = {
        name: locked.get(name, old) for name, old in manifest.environment.libraries.items()
    }
    environment = Environment(python=files.python_version(project), libraries=libraries)
    manifest = dataclasses.replace(manifest, environment=environment)
    files.write(project / files.MANIFEST, files.dumps(manifest.to_json()))


class AnswersDiffer(UserError):
    """The model's answers are not the expected ones; with other members of `output` they are."""

    def __init__(self, problems: Sequence[str], output: Mapping[str, Any]) -> None:
        super().__init__(problems)
        self.output = output


@contextmanager
def _restored_on_failure(project: Path) -> Iterator[None]:
    paths = [project / path for path in PROVEN]
    before = {path: path.read_bytes() if path.exists() else None for path in paths}
    try:
        yield
    except BaseException:
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                files.write(path, content)
        raise
