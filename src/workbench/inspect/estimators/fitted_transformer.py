"""Describe a fitted transformer, to be applied before a model, from its pickled state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.inspect.estimators.composite import final_estimator
from workbench.inspect.estimators.encoders import encoded_texts, labels_of
from workbench.inspect.estimators.estimator_kind import kind_of
from workbench.inspect.estimators.input_features import input_features, takes_texts
from workbench.inspect.estimators.sklearn_classes import rules_of
from workbench.inspect.estimators.unusable import require_fitted
from workbench.inspect.facts import ClassLabel
from workbench.inspect.pickle.arrays import plain
from workbench.inspect.pickle.values import Array, Dict, Instance
from workbench.inspect.refused_file import RefusedFile

LABEL_ENCODER = "LabelEncoder"


@dataclass(frozen=True)
class Transformer:
    """The facts of a fitted transformer."""

    class_name: str  # such as "sklearn.preprocessing._data.StandardScaler"
    feature_names: tuple[str, ...] | None
    n_features: int | None
    n_outputs: int | None  # columns; None if the file does not have the number
    one_to_one: bool  # each input column becomes one output column, in the same order
    takes_texts: bool
    fitted_on_frame: bool
    # Of an encoder, by column; a label encoder has one.
    categories: tuple[tuple[ClassLabel, ...], ...] | None
    encoded: Mapping[str, tuple[ClassLabel, ...]]  # text categories of encoders in it, by column

    @property
    def name(self) -> str:
        return self.class_name.rsplit(".", 1)[-1]

    @property
    def encodes_labels(self) -> bool:
        return self.name == LABEL_ENCODER


def describe_transformer(value: object) -> Transformer:
    """Describe a fitted transformer. Raises RefusedFile for anything else."""
    if not isinstance(value, Instance) or kind_of(value) not in ("transformer", "unknown"):
        what = value.cls.name if isinstance(value, Instance) else "something else"
        raise RefusedFile(
            "not_a_transformer",
            f"It holds {what}, not a fitted transformer.",
            "Give a fitted scaler, encoder or vectorizer, saved by joblib.dump.",
        )
    final = final_estimator(value)
    require_fitted(final)
    features = input_features(value)
    return Transformer(
        class_name=value.cls.qualified,
        feature_names=features.names,
        n_features=1 if value.cls.name == LABEL_ENCODER else features.count,
        n_outputs=_n_outputs(final, features.count),
        one_to_one=rules_of(value.cls.name).one_to_one,
        takes_texts=takes_texts(value),
        fitted_on_frame=features.on_frame,
        categories=_categories(value),
        encoded=encoded_texts(value),
    )


def _n_outputs(final: Instance, n_features: int | None) -> int | None:
    if rules_of(final.cls.name).one_to_one:
        return n_features
    if final.cls.name == LABEL_ENCODER:
        return 1
    components = final.attribute("components_")
    if isinstance(components, Array) and len(components.shape) == 2:
        return components.shape[0]
    vocabulary = final.attribute("vocabulary_")
    if isinstance(vocabulary, Dict):
        return len(vocabulary) // 2
    # PolynomialFeatures and HashingVectorizer.
    count = plain(final.attribute("_n_output_features") or final.attribute("n_features"))
    return count if isinstance(count, int) else None


def _categories(value: Instance) -> tuple[tuple[ClassLabel, ...], ...] | None:
    if value.cls.name == LABEL_ENCODER:
        arrays: list[object] = [value.attribute("classes_")]
    else:
        found = value.attribute("categories_")
        arrays = found if isinstance(found, list) else []
    columns = [labels_of(array) for array in arrays]
    return tuple(c for c in columns if c is not None) if columns and None not in columns else None
