"""Write an adoption into a project: `model/`, the pins, and the Python version."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
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
    """
    _write_model(adoption, project)
    _write_transformers(adoption, project)
    for stale in (files.GOLDEN, files.EXPECTED, files.PROPOSED, files.CODE):
        (project / stale).unlink(missing_ok=True)
    if (folder := project / files.CODE_FOLDER).exists():
        shutil.rmtree(folder)
    for path, content in (adoption.code.files if adoption.code is not None else {}).items():
        files.write(project / path, content)
    for path, text in _texts(adoption, project).items():
        files.write(project / path, text)
    if golden is not None:
        files.write(project / files.GOLDEN, files.dumps(golden))


def _write_model(adoption: Adoption, project: Path) -> None:
    name = adoption.manifest.model.file
    target = project / files.MODEL / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.resolve() != adoption.source.resolve():
        staged = target.with_name(f".{name}.new")
        shutil.copyfile(adoption.source, staged)
        staged.replace(target)
    for old in target.parent.glob("model.*"):
        if old != target:
            old.unlink()


def _write_transformers(adoption: Adoption, project: Path) -> None:
    """Copy the fitted files, which can come from the folder that is replaced."""
    folder = project / files.MODEL / FOLDER
    contents = {name: source.read_bytes() for source, name in adoption.transformers.items()}
    if folder.exists():
        shutil.rmtree(folder)
    for name, content in contents.items():
        files.write(project / files.MODEL / name, content)


def _texts(adoption: Adoption, project: Path) -> dict[Path, str]:
    """Return the text files of an adoption by path in the project."""
    pinned = adoption.pins
    requirements, engine = project / SOURCE, vendor.lines(project, vendor.ENGINE)
    kept = requirements.read_text(encoding="utf-8") if requirements.exists() else ""
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
