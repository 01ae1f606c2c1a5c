"""Static inspection: read the facts of a model file without loading it.

It uses the standard library only, because it runs under cookiecutter's own Python.
"""

from __future__ import annotations

from pathlib import Path

from workbench.inspect.document import Document, read_document, read_saved_texts
from workbench.inspect.estimators import statsmodels_results
from workbench.inspect.estimators.bundles import (
    Bundle,
    bundle_of,
    find_member,
    saved_texts,
    texts_in,
)
from workbench.inspect.estimators.composite import final_estimator, step_names
from workbench.inspect.estimators.encoders import encoded_texts
from workbench.inspect.estimators.estimator_kind import kind_of
from workbench.inspect.estimators.explainable_boosting import check_ebms
from workbench.inspect.estimators.fitted_model import describe_model
from workbench.inspect.estimators.fitted_transformer import (
    Transformer,
    describe_transformer,
    label_encoder,
)
from workbench.inspect.estimators.input_features import input_features
from workbench.inspect.estimators.library_versions import (
    library_versions,
    numpy_major,
    pandas_format,
)
from workbench.inspect.estimators.linear_weights import LinearWeights, linear_weights
from workbench.inspect.estimators.numeric_columns import numeric_columns
from workbench.inspect.estimators.same_fit import same_fit
from workbench.inspect.estimators.scaling import Scaling, first_scalings
from workbench.inspect.estimators.seen_values import SeenValues, seen_values
from workbench.inspect.estimators.unused_columns import unused_columns
from workbench.inspect.estimators.user_classes import NO_CLASSES, ClassDefinition, UserClasses
from workbench.inspect.estimators.word_stems import word_stems
from workbench.inspect.facts import NO_FILE, Categories, FileFacts, ModelFacts, Step
from workbench.inspect.formats.pickled_boosters import formats_of
from workbench.inspect.old_booster import refusal_of_old_booster
from workbench.inspect.old_file import refusal_of_old
from workbench.inspect.pickle.names import distributions_of
from workbench.inspect.pickle.names_check import check_names
from workbench.inspect.pickle.pickled_code import modules_of, pythons_of, uses_of
from workbench.inspect.pickle.values import Instance, walk
from workbench.inspect.refused_file import OldFile, RefusedFile, malformed

__all__ = [
    "NO_FILE",
    "Bundle",
    "Categories",
    "ClassDefinition",
    "Document",
    "FileFacts",
    "LinearWeights",
    "ModelFacts",
    "OldFile",
    "RefusedFile",
    "Scaling",
    "SeenValues",
    "Step",
    "Transformer",
    "UserClasses",
    "bundle_of",
    "columns_of_model",
    "describe_transformer",
    "file_facts",
    "final_estimator",
    "find_member",
    "first_scalings",
    "inspect",
    "label_encoder",
    "linear_weights",
    "model_facts",
    "read_document",
    "read_saved_texts",
    "same_fit",
    "saved_texts",
    "seen_values",
    "step_names",
    "texts_in",
    "word_stems",
]


def inspect(path: Path, member: str | None = None) -> ModelFacts:
    """Read the facts of the model file at `path`; execute and import nothing from it.

    Raises RefusedFile for a file that cannot be adopted.
    """
    document = read_document(path)
    file = file_facts(document)
    if file.too_old is not None:
        raise file.too_old
    return model_facts(document, file, member)


def file_facts(document: Document) -> FileFacts:
    """Return the facts of the file itself. Raises RefusedFile if it is not safe to load."""
    effects = document.effects
    unlisted = check_names(effects, document.root)
    check_ebms(walk(document.root))
    modules = {*(name.module for name in effects.names), *modules_of(effects.by_value)}
    distributions = set(distributions_of(modules))
    libraries = library_versions(document.root)
    by_skops = document.container == "skops"
    if by_skops:
        distributions.add("skops")  # loads the file, which does not refer to it
    return FileFacts(
        container=document.container,
        suffix=document.suffix,
        compression=document.compression,
        protocol=effects.protocol,
        size=document.size,
        sha256=document.sha256,
        libraries=libraries,
        formats={
            **formats_of(walk(document.root)),
            **pandas_format(effects.names),
            **statsmodels_results.formats_of(effects.names),
        },
        distributions=tuple(sorted(distributions)),
        numpy_major=numpy_major(effects.names),
        unknown_names=unlisted.unknown,
        custom_names=unlisted.custom,
        pickled_names=unlisted.by_value,
        code_uses=uses_of(effects.by_value),
        code_pythons=pythons_of(effects.by_value),
        trusted=tuple(sorted(name.qualified for name in effects.names)) if by_skops else (),
        too_old=refusal_of_old_booster(document.root, libraries.get("xgboost"))
        or refusal_of_old(document, libraries, unlisted),
    )


def columns_of_model(root: object) -> int | None:
    """Return how many columns a model in a file takes; None if the file holds none, as it seems."""
    models = bundle_of(root).models
    value = models[0].value if models else root
    if not isinstance(value, Instance) or kind_of(value) != "model":
        return None
    return input_features(value).count


def model_facts(
    document: Document,
    file: FileFacts,
    member: str | None = None,
    user_classes: UserClasses = NO_CLASSES,
) -> ModelFacts:
    """Return the facts of the model in a file, or of one member. Raises RefusedFile.

    `user_classes` are the classes in the user's own code.
    """
    root = document.root if member is None else find_member(document.root, member)
    model = describe_model(root, user_classes)
    if document.trailing:
        raise malformed("there are bytes after its end")
    return ModelFacts(
        member=member,
        encoded=encoded_texts(root),
        numbers=numeric_columns(root),
        unused=unused_columns(root),
        **vars(file),
        **vars(model),
    )
