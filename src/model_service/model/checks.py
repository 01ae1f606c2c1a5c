"""Check that the contract and this environment fit the manifest, before anything is unpickled."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from model_service.columns.categories import listed_categories
from model_service.contract.contract import Contract, ContractError
from model_service.contract.json_values import Scalar
from model_service.contract.schema import check_categories, check_output
from model_service.errors import ModelError
from model_service.model.manifest import Manifest, TransformerFile

MAX_SHOWN = 10
CORRECT_CONTRACT = "Correct features.json and start again."
RESTORE_MANIFEST = "Restore model/manifest.json from git, or run make adopt."


def check_contract(contract: Contract, manifest: Manifest) -> None:
    """Check an edited contract against the model. Raises ModelError."""
    task = manifest.task
    try:
        check_output(contract.output, task.kind, task.classes, task.outputs)
        if not manifest.prepares:
            check_categories(contract, _categories_of_features(contract, manifest))
    except ContractError as error:
        raise ModelError(f"features.json: {error}. {CORRECT_CONTRACT}") from None
    named = sorted(transformer.file for transformer in contract.transformers)
    if named != sorted(reference(entry, manifest) for entry in manifest.transformers):
        raise ModelError(
            "features.json: the transformers are not those that were adopted; "
            "run make adopt to take others in."
        )
    if manifest.columns is None or manifest.prepares:
        return
    if wrong := sorted(set(contract.column_kinds) ^ set(manifest.columns)):
        raise ModelError(
            "features.json: the features are not those of the model "
            f"({', '.join(wrong[:MAX_SHOWN])}); "
            "names cannot be edited, for the model knows its columns by them."
        )


def reference(entry: TransformerFile, manifest: Manifest) -> str:
    """Return the name of a transformer in features.json; #member is in the model's own file."""
    own = entry.file == manifest.model.file
    return entry.reference.removeprefix(entry.file) if own and entry.member else entry.reference


def _categories_of_features(contract: Contract, manifest: Manifest) -> dict[str, Sequence[Scalar]]:
    """Return the model's categories by feature, without those that a transformer makes."""
    chosen = [transformer.columns for transformer in contract.transformers]
    made = {name for columns in chosen for name in columns or manifest.categories}
    listed = listed_categories(manifest.categories)
    return {name: values for name, values in listed.items() if name not in made}


def check_estimator(estimator: Any, manifest: Manifest) -> None:
    """Compare the loaded model with the manifest, which can have been edited. Raises ModelError."""
    classes = _listed(getattr(estimator, "classes_", None))
    known = list(manifest.task.classes or ())
    # Under another order the names of the probabilities would be those of other classes.
    if (
        classes is not None
        and classes != known
        and sorted(map(repr, classes)) == sorted(map(repr, known))
    ):
        raise ModelError(
            f'manifest.json: "classes" must be {classes}, in the order of the model, not {known}. '
            f"{RESTORE_MANIFEST}"
        )
    names = getattr(estimator, "feature_names_in_", None)
    is_plain = not manifest.transformers and not manifest.prepares
    if manifest.columns is None and names is not None and is_plain and manifest.input == "frame":
        raise ModelError(
            'manifest.json: "columns" is null, and the model knows its columns by name. '
            f"{RESTORE_MANIFEST}"
        )


def _listed(classes: Any) -> list[Any] | None:
    """Return the classes of an estimator as Python values, None for those of several targets."""
    listed = classes.tolist() if hasattr(classes, "tolist") else classes
    flat = isinstance(listed, (list, tuple)) and all(
        isinstance(name, (str, int, float)) for name in listed
    )
    return list(listed) if flat else None


def check_environment(manifest: Manifest) -> None:
    """Compare the Python and the libraries with the manifest's. Raises ModelError."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    wanted_python = manifest.environment.python
    if running != wanted_python:
        raise ModelError(
            f"This is Python {running}, but the model was adopted for Python {wanted_python}; "
            "run make setup, and keep .python-version as it is."
        )
    wrong = []
    for name, wanted in manifest.environment.libraries.items():
        installed = _installed(name) or _installed(f"{name}-cpu") or "missing"
        if wanted not in (None, installed):  # None: not locked yet
            wrong.append(f"{name} is {installed} and should be {wanted}")
    if wrong:
        raise ModelError(
            f"The model needs other libraries: {', '.join(wrong)}; run make setup, "
            "or make verify if requirements.txt was changed on purpose."
        )


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
