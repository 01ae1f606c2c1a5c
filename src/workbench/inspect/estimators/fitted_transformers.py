"""Read a fitted transformer, which belongs before a model, from its pickled state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.inspect.errors import Refused
from workbench.inspect.estimators.encoders import fitted_texts, labels_of
from workbench.inspect.estimators.fitted import (
    final_step,
    fitted_on,
    kind_of,
    require_fitted,
    takes_texts,
)
from workbench.inspect.facts import ClassLabel
from workbench.inspect.pickle.arrays import plain
from workbench.inspect.pickle.values import Array, Dict, Instance

LABELS = "LabelEncoder"
# One column out for each column in, in the same order.
ONE_TO_ONE = frozenset(
    """
    Binarizer FunctionTransformer IterativeImputer KNNImputer MaxAbsScaler MinMaxScaler Normalizer
    OrdinalEncoder PowerTransformer QuantileTransformer RobustScaler StandardScaler
    """.split()
)


@dataclass(frozen=True)
class Transformer:
    """What a fitted transformer says about itself."""

    class_name: str  # such as "sklearn.preprocessing._data.StandardScaler"
    feature_names: tuple[str, ...] | None
    n_features: int | None
    n_outputs: int | None  # columns; None where it does not tell
    one_to_one: bool
    takes_texts: bool
    fitted_on_frame: bool
    # What an encoder was fitted on, for each of its columns; of labels there is one.
    categories: tuple[tuple[ClassLabel, ...], ...] | None
    encoded: Mapping[str, tuple[ClassLabel, ...]]  # of text, by encoders among its own parts

    @property
    def name(self) -> str:
        return self.class_name.rsplit(".", 1)[-1]

    @property
    def encodes_labels(self) -> bool:
        return self.name == LABELS


def describe_transformer(value: object) -> Transformer:
    """Describe a fitted transformer. Raises Refused for anything else."""
    if not isinstance(value, Instance) or kind_of(value) not in ("transformer", "unknown"):
        what = value.cls.name if isinstance(value, Instance) else "something else"
        raise Refused(
            "not_a_transformer",
            f"It holds {what}, not a fitted transformer.",
            "Give a fitted scaler, encoder or vectorizer, saved by joblib.dump.",
        )
    final = final_step(value)
    require_fitted(final)
    features = fitted_on(value)
    return Transformer(
        class_name=value.cls.qualified,
        feature_names=features.names,
        n_features=1 if value.cls.name == LABELS else features.count,
        n_outputs=_n_outputs(final, features.count),
        one_to_one=value.cls.name in ONE_TO_ONE,
        takes_texts=takes_texts(value),
        fitted_on_frame=features.frame,
        categories=_categories(value),
        encoded=fitted_texts(value),
    )


def _n_outputs(final: Instance, n_features: int | None) -> int | None:
    if final.cls.name in ONE_TO_ONE:
        return n_features
    if final.cls.name == LABELS:
        return 1
    components = final.attribute("components_")
    if isinstance(components, Array) and len(components.shape) == 2:
        return components.shape[0]
    vocabulary = final.attribute("vocabulary_")
    if isinstance(vocabulary, Dict):
        return len(vocabulary) // 2
    # TfidfVectorizer holds it; HashingVectorizer and PolynomialFeatures say the number.
    count = plain(final.attribute("_n_output_features") or final.attribute("n_features"))
    return count if isinstance(count, int) else None


def _categories(value: Instance) -> tuple[tuple[ClassLabel, ...], ...] | None:
    if value.cls.name == LABELS:
        arrays: list[object] = [value.attribute("classes_")]
    else:
        found = value.attribute("categories_")
        arrays = found if isinstance(found, list) else []
    columns = [labels_of(array) for array in arrays]
    return tuple(c for c in columns if c is not None) if columns and None not in columns else None
