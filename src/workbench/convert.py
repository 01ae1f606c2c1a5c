"""Convert a model file of an old scikit-learn or XGBoost: load it in a newer one, save it again.

The file is inspected first and refused if its conversion was never tested. It is then loaded in the
sandbox of the verification, where it has no network, no other file and no other program.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import workbench
from workbench.errors import UserError
from workbench.inspect import OldFile, RefusedFile, file_facts, read_document
from workbench.inspect.old_booster import old_booster
from workbench.inspect.refused_file import versions_listed
from workbench.lock.conversion import python_of, uv_run
from workbench.lock.environment import (
    environ,
    environ_without_secrets,
    find_python,
    find_uv,
    install_uv,
    run,
)
from workbench.verify.resource_limits import Limits
from workbench.verify.results import read_result

# As the children, workbench.resave and workbench.resave_booster, know them.
OLD, NEW, NAMES = "old", "new.joblib", "names.json"
SOURCE = Path(workbench.__file__).parents[1]  # a folder, or the tools' wheel


def convert(project: Path, source: Path, target: Path) -> str:
    """Convert a file in an environment that uv makes; return what was done. Raises UserError."""
    adopt = f"make adopt MODEL={shlex.quote(str(target))}"
    _check_target(target, f"{adopt}. Else give another OUT=, or delete it.")
    old = _checked(source)
    version = python_of(old)
    python = find_python(version)
    if python is None:
        raise UserError(
            f"Python {version} does not run here; install it (uv python install {version}, or "
            "pyenv) and try again."
        )
    uv = find_uv(project) or install_uv(project, python)
    _, *arguments = uv_run(old, python)
    code = "import sys; from workbench.convert import main; sys.exit(main(sys.argv[1:]))"
    return run(
        [uv, *arguments, "python", "-c", code, source, target],
        what="The conversion",
        env={**environ(), "PYTHONPATH": str(SOURCE)},
    ).strip()


def main(arguments: list[str]) -> int:
    """Convert a file in this environment, which has the library for it."""
    if len(arguments) != 2:
        print("Give two paths: the old file and the new one.", file=sys.stderr)
        return 2
    source, target = map(Path, arguments)
    try:
        _check_target(
            target,
            f"type what follows `&&` alone, or model_path={target}. Else delete it, or give "
            "another path.",
        )
        old = _checked(source)
        with tempfile.TemporaryDirectory(prefix="convert-") as folder:
            _save_again(source, target, old, Path(folder).resolve())
    except UserError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return 1
    by = versions_listed(old.converted_by)
    print(
        f"{target} holds the model as {by} {'save' if len(old.converted_by) > 1 else 'saves'} it. "
        "Compare its answers with those that you know: a sample with a column `expected` does that."
    )
    return 0


def _check_target(target: Path, how_to_adopt: str) -> None:
    """Refuse a target that cannot be written or holds something. Raises UserError."""
    if target.exists():
        raise UserError(
            f"{target} exists already and is kept. If it is this conversion, adopt it: "
            f"{how_to_adopt}"
        )
    if not target.parent.is_dir():
        raise UserError(
            f"{target}: there is no folder {target.parent}; make it, or give another path."
        )


def _checked(source: Path) -> OldFile:
    """Return the names and versions of a file that can be converted. Raises UserError."""
    try:
        old = file_facts(read_document(source)).too_old
    except RefusedFile as error:
        raise UserError(f"{source}: {error}") from None
    if old is None:
        raise UserError(f"{source} needs no conversion: its libraries can be installed.")
    if not old.can_be_converted:
        raise UserError(f"{source}: {old}")
    return old


def _save_again(source: Path, target: Path, old: OldFile, folder: Path) -> None:
    """Load and save the file in the sandbox, and inspect the result. Raises UserError."""
    booster = old_booster(read_document(source).root)
    about: object
    if booster is not None:
        (folder / OLD).write_bytes(booster.content)
        about = {"wrapper": booster.wrapper, "feature_names": booster.feature_names}
        child = "workbench.resave_booster"
    else:
        shutil.copyfile(source, folder / OLD)
        about, child = sorted(old.names or ()), "workbench.resave"
    (folder / NAMES).write_text(json.dumps(about), encoding="utf-8")
    limits = Limits.from_environment()
    run(
        [
            sys.executable,
            *("-m", "workbench.verify.resource_limits", str(limits.megabytes), child),
        ],
        what="Loading the file",
        cwd=folder,
        env={**environ_without_secrets(folder), "PYTHONPATH": os.pathsep.join(_import_path())},
        timeout_seconds=limits.seconds,
    )
    _keep(read_result(folder, Path(NEW)) or b"", target)


def _keep(content: bytes, target: Path) -> None:
    """Inspect a file that was saved again, and write it. Raises UserError."""
    with tempfile.TemporaryDirectory(prefix="converted-") as name:
        converted = Path(name) / NEW  # where no code of the old file can change it any more
        converted.write_bytes(content)
        try:
            again = file_facts(read_document(converted)).too_old
        except RefusedFile as error:
            raise UserError(f"The converted file cannot be used: {error}") from None
        if again is not None:
            raise UserError(f"The converted file cannot be used: {again}")
        shutil.copyfile(converted, target)


def _import_path() -> list[str]:
    """Return where this process finds the tools, for one that uv did not start."""
    return [str(SOURCE), *(path for path in sys.path if path.endswith("site-packages"))]
