"""Load the adopted model: the only module that unpickles.

A file is opened only if its SHA-256, the Python and the libraries are the manifest's: other
versions can fail to read a pickle, or read it and predict differently without any error.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import joblib

from model_service.columns.builder import Prepare
from model_service.columns.transformers import make_stages
from model_service.contract.contract import ContractError
from model_service.contract.golden import GoldenError, read_golden
from model_service.contract.schema import read_contract
from model_service.errors import ModelError
from model_service.fast_path import NotCompiled
from model_service.model.adapters import adapted
from model_service.model.checks import (
    CORRECT_CONTRACT,
    RESTORE_MANIFEST,
    check_contract,
    check_environment,
    check_estimator,
    reference,
)
from model_service.model.custom_code import load_custom_code, load_custom_modules, read_files
from model_service.model.explanations import with_explanations
from model_service.model.guard import MUST_ONLY_COMPUTE, Guard, ModelActed
from model_service.model.manifest import CustomCode, FittedFile, Manifest
from model_service.model.model import Model

logger = logging.getLogger(__name__)


def load_model(directory: Path) -> Model:
    """Load the model of a project from its folder `model/`. Raises ModelError."""
    try:
        with Guard("it was loaded", directory):
            return _load_model(directory)
    except ModelActed as act:
        raise ModelError(f"{act}. {MUST_ONLY_COMPUTE}") from act


def _load_model(directory: Path) -> Model:
    try:
        contract = read_contract(directory / "features.json")
    except ContractError as error:
        raise ModelError(f"{directory / 'features.json'}: {error}. {CORRECT_CONTRACT}") from None
    manifest = Manifest.read(directory / "manifest.json").for_output(contract.output)
    check_contract(contract, manifest)
    check_environment(manifest)
    try:
        golden = read_golden(directory / "golden.json")
    except GoldenError as error:
        raise ModelError(str(error)) from None
    prepare = _load_code(directory, manifest.code) if manifest.code is not None else None
    loaded: dict[str, Any] = {}
    for entry in (manifest.model, *manifest.transformers):
        if entry.file not in loaded:
            loaded[entry.file] = _load(directory / entry.file, entry, manifest.task.kind)
    by_reference = {
        reference(entry, manifest): _object_of(entry, loaded[entry.file])
        for entry in manifest.transformers
    }
    columns = manifest.columns or tuple(contract.column_kinds)
    before = make_stages(
        ((by_reference[t.file], t.columns) for t in contract.transformers), columns
    )
    own = _object_of(manifest.model, loaded[manifest.model.file])
    estimator = adapted(own, manifest.task.classes, manifest.model.constant)
    check_estimator(estimator, manifest)
    model = Model(estimator, contract, manifest, golden, prepare, before)
    if manifest.serves_fast_path:
        try:
            model = model.with_fast_path(model.compile_fast_path())
        except NotCompiled as reason:
            logger.warning(
                "the fast path that verify proved cannot be compiled: %s; run make verify", reason
            )
    return with_explanations(model, directory)


def _object_of(entry: FittedFile, content: Any) -> Any:
    try:
        return member_of(content, entry.member)
    except Exception:  # what is no dict or tuple can raise anything when it is iterated
        raise ModelError(
            f'manifest.json: {entry.file} has no member "{entry.member}". {RESTORE_MANIFEST}'
        ) from None


def member_of(value: Any, member: str | None) -> Any:
    """Return a member of a dict or tuple that was saved as one file; `a.b` is b of a."""
    if member is None:
        return value
    if isinstance(value, Mapping):
        by_name = {str(key): inner for key, inner in value.items()}
    else:
        by_name = {str(number): inner for number, inner in enumerate(value)}
    if member in by_name:
        return by_name[member]
    outer, _, inner = member.partition(".")
    return member_of(by_name[outer], inner)


def _load_code(directory: Path, code: CustomCode) -> Prepare | None:
    path = directory / code.file
    if code.is_folder:
        if code.digest(read_files(path)) != code.sha256:
            raise ModelError(
                f"{path} does not hold the files that were adopted (their SHA-256 differs); "
                "restore it from git, or run make adopt with the new files."
            )
        return _prepare_of(path, code)
    with _opened(path, code.sha256):
        return _prepare_of(path, code)


def _prepare_of(path: Path, code: CustomCode) -> Prepare | None:
    try:
        if code.defined_in is not None:
            names = load_custom_modules(path, code.modules, code.defined_in)
        else:
            names = load_custom_code(path, code.modules)
        prepare: Prepare | None = names["prepare"] if code.prepare else None
    except Exception as error:  # the author's code can raise anything
        raise ModelError(f"{path} fails: {type(error).__name__}: {error}.") from error
    return prepare


def _load(path: Path, entry: FittedFile, task: str) -> Any:
    with _opened(path, entry.sha256) as file:
        if entry.loader == "joblib":
            return joblib.load(file)
        if entry.loader == "pickles":
            return list(_objects(file))
        if entry.loader == "skops":
            import skops.io  # noqa: PLC0415  # only a project with such files installs it

            # It refuses every name outside its own list and those that adopt judged.
            return skops.io.load(file, trusted=entry.trusted)
        return _load_booster(entry.loader, file.read(), task)


def _objects(file: BinaryIO) -> Iterator[Any]:
    """Yield the objects that were saved into one file, one after the other."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    while file.tell() < size:
        yield joblib.load(file)


def _load_booster(library: str, content: bytes, task: str) -> Any:
    """Return the model in a file of the library's own format."""
    # Each is imported only for its own models: the others need not be installed.
    if library == "xgboost":
        import xgboost  # noqa: PLC0415

        # Loading takes one thread too: threads that exist before a fork hang after it.
        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(bytearray(content))
        return booster
    if library == "lightgbm":
        import lightgbm  # noqa: PLC0415

        return lightgbm.Booster(model_str=content.decode("utf-8"))
    import catboost  # noqa: PLC0415

    kind = catboost.CatBoostClassifier if task == "classification" else catboost.CatBoost
    return kind().load_model(blob=content)


@contextmanager
def _opened(path: Path, sha256: str) -> Iterator[BinaryIO]:
    """Open a file if it is, byte for byte, the one that was adopted. Raises ModelError."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise ModelError(f"{path} is missing; is it ignored by git? Add it and push.") from None
    with file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
        if digest.hexdigest() != sha256:
            raise ModelError(
                f"{path} is not the file that was adopted (its SHA-256 differs); "
                "restore it from git, or run make adopt with the new file."
            )
        file.seek(0)
        yield file
