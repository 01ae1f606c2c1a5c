"""Describe a fitted transformer, to be applied before a model, from its pickled state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.inspect.estimators.composite import final_estimator
from workbench.inspect.estimators.encoders import encoded_texts, labels_of
from workbench.inspect.estimators.estimator_kind import kind_of
from workbench.inspect.estimators.input_features import input_features, takes_texts
from workbench.inspect.estimators.numeric_columns import numeric_columns
from workbench.inspect.estimators.output_columns import LABEL_ENCODER, n_outputs
from workbench.inspect.estimators.scaling import Scaling, scalings_of
from workbench.inspect.estimators.sklearn_classes import rules_of
from workbench.inspect.estimators.unusable import require_fitted, require_transform
from workbench.inspect.estimators.unused_columns import unused_columns
from workbench.inspect.estimators.user_classes import NO_CLASSES, UserClasses
from workbench.inspect.estimators.word_stems import word_stems
from workbench.inspect.facts import ClassLabel
from workbench.inspect.pickle.names import known_names
from workbench.inspect.pickle.values import Instance
from workbench.inspect.refused_file import RefusedFile

# Transformers of what a model predicts; scikit-learn knows no others for one column.
LABEL_ENCODERS = (LABEL_ENCODER, "LabelBinarizer", "MultiLabelBinarizer")


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
    of_user: bool  # its class is the user's own
    # Of an encoder, by column; a label encoder has one.
    categories: tuple[tuple[ClassLabel, ...], ...] | None
    encoded: Mapping[str, tuple[ClassLabel, ...]]  # text categories of encoders in it, by column
    numbers: frozenset[str] = frozenset()  # columns of which it takes numbers only
    unused: tuple[str, ...] = ()  # of the columns, those that it drops
    scalings: tuple[Scaling, ...] = ()  # of a scaler, by column
    stems: tuple[str, ...] = ()  # in the vocabulary of a vectorizer, if they are no words

    @property
    def name(self) -> str:
        return self.class_name.rsplit(".", 1)[-1]

    @property
    def encodes_labels(self) -> bool:
        """Whether it is made for labels: of the target, or of one feature at a time."""
        return self.name in LABEL_ENCODERS

    @property
    def is_of_target(self) -> bool:
        """Whether it can only be the target's: it makes several columns of labels."""
        return self.name in LABEL_ENCODERS[1:]

    @property
    def labels(self) -> tuple[ClassLabel, ...]:
        """The labels that a label encoder was fitted on."""
        (labels,) = self.categories or ((),)
        return labels


def label_encoder(classes: tuple[ClassLabel, ...]) -> Transformer:
    """Return the facts of a label encoder of these classes."""
    return Transformer(
        class_name=LABEL_ENCODER,
        feature_names=None,
        n_features=1,
        n_outputs=1,
        one_to_one=False,
        takes_texts=False,
        fitted_on_frame=False,
        of_user=False,
        categories=(classes,),
        encoded={},
    )


def describe_transformer(value: object, user_classes: UserClasses = NO_CLASSES) -> Transformer:
    """Describe a fitted transformer. Raises RefusedFile for anything else.

    `user_classes` are the classes in the user's own code.
    """
    if not isinstance(value, Instance) or kind_of(value) not in ("transformer", "unknown"):
        what = value.cls.name if isinstance(value, Instance) else "something else"
        raise RefusedFile(
            "not_a_transformer",
            f"It holds {what}, not a fitted transformer.",
            "Give a fitted scaler, encoder or vectorizer, saved by joblib.dump.",
        )
    final = final_estimator(value)
    of_user = not known_names().is_library(final.cls)
    if of_user:
        require_transform(final, user_classes)
    else:
        require_fitted(final)
    features = input_features(value)
    return Transformer(
        class_name=value.cls.qualified,
        feature_names=features.names,
        n_features=1 if value.cls.name in LABEL_ENCODERS else features.count,
        n_outputs=n_outputs(value, features.count),
        one_to_one=rules_of(value.cls.name).one_to_one,
        takes_texts=takes_texts(value),
        fitted_on_frame=features.on_frame,
        of_user=of_user,
        categories=_categories(value),
        encoded=encoded_texts(value),
        numbers=numeric_columns(value),
        unused=unused_columns(value),
        scalings=scalings_of(value),
        stems=word_stems(value),
    )


def _categories(value: Instance) -> tuple[tuple[ClassLabel, ...], ...] | None:
    if value.cls.name in LABEL_ENCODERS:
        arrays: list[object] = [value.attribute("classes_")]
    else:
        found = value.attribute("categories_")
        arrays = found if isinstance(found, list) else []
    columns = [labels_of(array) for array in arrays]
    return tuple(c for c in columns if c is not None) if columns and None not in columns else None
