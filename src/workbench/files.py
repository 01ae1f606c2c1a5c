"""The files of the project that the tools read and write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_service.contract import schema
from model_service.contract.contract import Contract, ContractError
from model_service.errors import ModelError
from model_service.model.custom_code import read_files
from model_service.model.manifest import Manifest
from workbench.errors import UserError

MODEL = Path("model")
FEATURES = MODEL / "features.json"
MANIFEST = MODEL / "manifest.json"
GOLDEN = MODEL / "golden.json"
EXPLAIN = MODEL / "explain.npz"
QUALITY = MODEL / "quality.json"
EXPECTED = MODEL / "expected.json"
PROPOSED = MODEL / "features.proposed.json"
# What verify found out: members of the output with which all expected answers agree.
BETTER_OUTPUT = MODEL / "output.proposed.json"
CODE = MODEL / "custom_code.py"
CODE_FOLDER = MODEL / "custom_code"  # of several modules, instead of the one file
PYTHON_VERSION = Path(".python-version")
KEPT_SAMPLE = Path(".sample.csv")
KEPT_ANSWERS = Path(".tools") / "answers.json"


def dumps(document: Mapping[str, Any]) -> str:
    """Return JSON with one line for each feature or row, for people to edit and for diffs."""
    members = (f" {_dump(name)}: {_member(value)}" for name, value in document.items())
    return "{\n" + ",\n".join(members) + "\n}\n"


def _member(value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return "[\n" + ",\n".join(f"  {_dump(item)}" for item in value) + "\n ]"
    return _dump(value)


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of the project. Raises UserError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing. {_restore(path)}, or run make adopt.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}). {_restore(path)}") from None
    if not isinstance(document, dict):
        raise UserError(f"{path} is not a JSON object. {_restore(path)}")
    return document


def _restore(path: Path) -> str:
    return f"Restore it: git checkout -- {path}"


def write(path: Path, content: str | bytes) -> None:
    """Write a file atomically: whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.new")
    staged.write_bytes(content.encode() if isinstance(content, str) else content)
    staged.replace(path)


def read_manifest(project: Path) -> Manifest:
    """Read the manifest. Raises UserError."""
    try:
        return Manifest.read(project / MANIFEST)
    except ModelError as error:
        raise UserError(str(error).replace(str(project / MANIFEST), str(MANIFEST))) from None


def read_contract(project: Path) -> Contract:
    """Read features.json. Raises UserError."""
    try:
        return schema.read_contract(project / FEATURES)
    except ContractError as error:
        raise UserError([f"{FEATURES}: {problem}" for problem in error.problems]) from None


def read(path: Path) -> str:
    """Read a text file of the project. Raises UserError."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}). {_restore(path)}") from None


def read_if_present(path: Path) -> str | None:
    """Read a text file of the project, None if there is none. Raises UserError."""
    return read(path) if path.exists() else None


def code_files(project: Path, manifest: Manifest) -> list[Path]:
    """Return the files of the author's code: one, or those of a folder."""
    if manifest.code is None:
        return []
    path = MODEL / manifest.code.file
    if not manifest.code.is_folder:
        return [path]
    return [path / name for name in read_folder(project / path)]


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder of code by relative path, as the engine hashes them."""
    return read_files(folder)


def python_version(project: Path) -> str:
    """Return the project's Python, such as "3.13". Raises UserError."""
    return read(project / PYTHON_VERSION).strip()
