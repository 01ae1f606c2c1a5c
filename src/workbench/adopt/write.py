"""Write an adoption into a project: `model/`, the pins, and the Python version."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from workbench import files, vendor
from workbench.adopt.beside.transformer_files import FOLDER
from workbench.adopt.decide import Adoption
from workbench.lock.requirements import LOCK, SOURCE, TEST_LOCK
from workbench.lock.unlocked import requirements_in, unlocked


def write(adoption: Adoption, project: Path, golden: Mapping[str, Any] | None = None) -> None:
    """Write what was decided.

    `golden` is the content of golden.json if its predictions have to hold; it is deleted otherwise.
    Raises UserError, writing nothing.
    """
    # A file that cannot be read must not end an adoption half-way. The transformers can come from
    # the folder that is replaced.
    contents = _contents(adoption, project, golden)
    _write_model(adoption, project)
    for path, content in contents.items():
        files.write(project / path, content)
    _delete_former(project, {*contents, files.MODEL / adoption.manifest.model.file})


def _delete_former(project: Path, written: Collection[Path]) -> None:
    """Delete the files of the adoption before that this one did not write."""
    model = project / files.MODEL
    stale = {project / path for path in (files.GOLDEN, files.EXPECTED, files.PROPOSED, files.CODE)}
    below = [
        path
        for folder in (model / FOLDER, project / files.CODE_FOLDER)
        for path in (folder, *folder.rglob("*"))
    ]
    stale.update(model.glob("model.*"), (path for path in below if path.is_file()))
    for path in stale - {project / path for path in written}:
        path.unlink(missing_ok=True)
    for path in sorted(below, reverse=True):  # a folder after its files
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _write_model(adoption: Adoption, project: Path) -> None:
    name = adoption.manifest.model.file
    target = project / files.MODEL / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.resolve() != adoption.source.resolve():
        staged = target.with_name(f".{name}.new")
        shutil.copyfile(adoption.source, staged)
        staged.replace(target)


def _contents(
    adoption: Adoption, project: Path, golden: Mapping[str, Any] | None
) -> dict[Path, str | bytes]:
    """Return the files besides the model by path in the project. Raises UserError."""
    return {
        **{
            files.MODEL / name: source.read_bytes()
            for source, name in adoption.transformers.items()
        },
        **(adoption.code.files if adoption.code is not None else {}),
        **_texts(adoption, project),
        **({files.GOLDEN: files.dumps(golden)} if golden is not None else {}),
    }


def _texts(adoption: Adoption, project: Path) -> dict[Path, str]:
    """Return the text files of an adoption by path in the project."""
    pinned = adoption.pins
    requirements, engine = project / SOURCE, vendor.lines(project, vendor.ENGINE)
    kept = files.read_if_present(requirements) or ""
    texts: dict[Path, str] = {}
    if adoption.expected is not None:
        texts[files.EXPECTED] = files.dumps(adoption.expected)
    if adoption.kept_sample is not None:
        texts[files.KEPT_SAMPLE] = adoption.kept_sample
    if adoption.proposed is not None:
        texts[files.PROPOSED] = files.dumps(adoption.proposed.document)
    return {
        **texts,
        files.FEATURES: files.dumps(adoption.contract.to_json()),
        files.MANIFEST: files.dumps(adoption.manifest.to_json()),
        files.PYTHON_VERSION: f"{pinned.python}\n",
        SOURCE: requirements_in(pinned, kept, adoption.former, engine),
        LOCK: unlocked(pinned.exact, engine),
        TEST_LOCK: unlocked(
            (f"{name}=={version}" for name, version in pinned.tests.items()),
            vendor.lines(project, vendor.TOOLS),
        ),
    }
