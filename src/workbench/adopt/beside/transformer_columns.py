"""Find out which columns each fitted transformer is for."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace

from model_service.columns.spelling import without_spaces
from model_service.contract.json_values import json_text
from model_service.contract.parsing import did_you_mean
from workbench.adopt.beside.transformer_files import LISTS, Fitted
from workbench.adopt.case import Case
from workbench.adopt.problems import AnswerError, Problem
from workbench.errors import listing

NAME = '["NAME"]'  # a column to fill in, in the example of a features file
MAX_LABELS = 8  # labels that a message lists
OTHER_DUMMIES = ("infrequent_sklearn", "nan", "None")  # dummy columns that are no category
TARGET_NAME = re.compile(
    r"(^|[\W_])(y|target|output|outcome|class|classes)($|[\W_A-Z])|[a-z](Y|Target)($|[\W_])"
)


def place_transformer(fitted: Fitted, case: Case, known: Sequence[str]) -> Fitted | None:
    """Return a transformer with its columns; None for what encodes or scales the target.

    Raises AnswerError if it is not clear which columns those are.
    """
    if is_of_target(fitted, case, known):
        return None
    if scales_target(fitted, case, known):
        _check_target_scaler(fitted)
        return None
    last = (fitted.part.member or "").rpartition(".")[2]
    if fitted.columns is None and last in known:
        fitted = replace(fitted, columns=(last,))
    if fitted.columns is not None:
        _check_columns(fitted, fitted.columns)
        return fitted
    if fitted.facts.encodes_labels:
        return _place_label_encoder(fitted, case, known)
    names = fitted.facts.feature_names
    if names is None:
        return fitted
    placed = replace(fitted, columns=names)
    if without_dummies(placed, case.model.feature_names) is not None:
        return placed
    if not set(names) < set(known):
        return fitted
    # It was fitted on some of the columns and knows which.
    if not fitted.facts.one_to_one and case.model.feature_names is None:
        shown = json.dumps(list(names), ensure_ascii=False)
        message = (
            f"{fitted.name} turns {listing(names)} into other columns, and the model file does not "
            "say at which positions they were in training. Name the columns in a features file: "
            f"{features_file(fitted, shown)}; its output then takes the place of the first of them."
        )
        raise AnswerError(Problem("transformers", message))
    return placed


def is_of_target(fitted: Fitted, case: Case, known: Sequence[str]) -> bool:
    """Return whether a transformer encodes what the model predicts, and no feature."""
    facts, model = fitted.facts, case.model
    if fitted.columns is not None or not facts.categories or len(facts.categories) != 1:
        return False
    labels = facts.categories[0]
    several = model.n_outputs > 1 and len(labels) == model.n_outputs
    codes = tuple(range(len(labels)))
    of_classes = several or any(
        classes is not None and _as_codes(classes) == codes
        for classes in (model.classes, model.binary)
    )
    if not of_classes:
        return False
    if facts.is_of_target:
        return True
    if facts.feature_names is not None:  # an OrdinalEncoder
        return not set(facts.feature_names) & set(known)
    if not facts.encodes_labels and (facts.name != "OrdinalEncoder" or facts.n_features != 1):
        return False
    last = (fitted.part.member or "").rpartition(".")[2]
    if fitted.part.member is not None and last in known:
        return False
    if TARGET_NAME.search(fitted.author_name) or (fitted.part.path.suffix in LISTS):
        return True
    if any(names_column(fitted, name) for name in known):
        return False
    # In a dict of encoders by column, the one whose name is no feature.
    in_dict = fitted.part.member is not None and any(
        (one.part.member or "").rpartition(".")[2] in known
        for one in case.transformers.fitted
        if one.part.path == fitted.part.path
    )
    return in_dict or not columns_by_values(fitted, case, known)


def _as_codes(classes: Sequence[object]) -> tuple[object, ...]:
    """Return the classes with 1 in place of 1.0; booleans are no codes."""
    numbers = (c for c in classes if isinstance(c, int | float) and not isinstance(c, bool))
    return tuple(int(number) if number == int(number) else number for number in numbers)


def encoded_columns(case: Case) -> frozenset[str]:
    """Return the features that a transformer of the answers encodes."""
    found: set[str] = set()
    for one in case.transformers.fitted:
        last = (one.part.member or "").rpartition(".")[2]
        if one.columns is not None and (one.facts.categories or one.facts.encodes_labels):
            found |= set(one.columns)
        elif one.facts.encodes_labels and last in case.feature_names:
            found.add(last)
        elif one.facts.encodes_labels:
            found |= {name for name in case.feature_names if names_column(one, name)}
        elif one.facts.categories:
            found |= set(one.facts.feature_names or ())
        found |= set(one.facts.encoded)
    return frozenset(found)


def columns_by_values(fitted: Fitted, case: Case, known: Sequence[str]) -> list[str]:
    """Return the features of the sample that have no encoder, and whose values this one knows."""
    taken = encoded_columns(case)
    labels = set(fitted.facts.categories[0]) if fitted.facts.categories else set()
    return [
        name
        for name, column in (case.sample.columns.items() if case.sample else ())
        if name in known and name not in taken
        if column.categories and set(column.categories) <= labels
    ]


def scales_target(fitted: Fitted, case: Case, known: Sequence[str]) -> bool:
    """Return whether a scaler is of what the model predicts: it was fitted on that column only."""
    facts = fitted.facts
    if not facts.one_to_one or facts.n_features != 1 or fitted.columns is not None:
        return False
    if facts.categories is not None or case.model.task not in ("regression", None):
        return False
    names = facts.feature_names or ()
    return bool(TARGET_NAME.search(fitted.author_name)) or not {*names} <= {*known}


def _check_target_scaler(fitted: Fitted) -> None:
    """Refuse a transformer of the target that the output of the contract cannot undo."""
    if len(fitted.facts.scalings) == 1:
        return
    names = fitted.facts.feature_names or ()
    message = (
        f"{fitted.name} was fitted on one column{f', {names[0]!r}' if names else ''}, which seems "
        "to be what the model predicts. The service undoes a StandardScaler, MinMaxScaler, "
        f"RobustScaler or MaxAbsScaler of the target, and no {fitted.facts.name}: save the model "
        "as a TransformedTargetRegressor, which does, fitted on the unscaled target. If it is for "
        f"a feature, name it in a features file: {features_file(fitted, NAME)}"
    )
    raise AnswerError(Problem("transformers", message))


def features_file(fitted: Fitted, columns: str) -> str:
    """Return a features file with an entry for a transformer, to be copied."""
    transformer = f'"file": "{fitted.name}", "columns": {columns}'
    return '{"features": […], "transformers": [{' + transformer + "}]}"


def _check_columns(fitted: Fitted, columns: Sequence[str]) -> None:
    names, count = fitted.facts.feature_names, fitted.facts.n_features
    if count is not None and len(columns) != count:
        message = (
            f"{fitted.name} was fitted on {show_count(count)}, and {len(columns)} are named for it "
            f"({listing(columns)})."
        )
        raise AnswerError(Problem("transformers", message))
    for column in columns:
        if names is not None and column not in names:
            message = (
                f"{fitted.name} was not fitted on {column!r}{did_you_mean(column, names)}; its "
                f"columns are {listing(names)}."
            )
            raise AnswerError(Problem("transformers", message))


def _place_label_encoder(fitted: Fitted, case: Case, known: Sequence[str]) -> Fitted:
    """Return a label encoder with its column."""
    labels = fitted.facts.labels
    columns = [name for name in known if names_column(fitted, name)]
    columns = columns or columns_by_values(fitted, case, known)
    if len(columns) == 1 and not fitted.facts.is_of_target:
        return replace(fitted, columns=(columns[0],))
    shown = listing([json_text(label) for label in labels[:MAX_LABELS]])
    message = (
        f"{fitted.name} encodes {shown}, and it is not clear of which column. Name it in a "
        f"features file: {features_file(fitted, NAME)}; if they are what the model predicts, leave "
        'the file out and give "output": {"labels": {…}} there.'
    )
    raise AnswerError(Problem("transformers", message))


def names_column(fitted: Fitted, column: str) -> bool:
    """Return whether an encoder's name contains a column's: le_gender, gender-encoder."""
    pattern = rf"(^|[\W_]){re.escape(column)}($|[\W_])"
    return re.search(pattern, fitted.author_name, re.IGNORECASE) is not None


def without_dummies(one: Fitted, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return the names with an encoder's input columns in place of its dummy columns.

    Returns None if no name is one of its dummy columns.
    """
    if names is None or one.columns is None or one.facts.categories is None:
        return None
    dummies = {
        spelled(f"{column}_{label}")
        for column, labels in zip(one.columns, one.facts.categories, strict=True)
        for label in (*labels, *OTHER_DUMMIES)
        for spelled in (str, without_spaces)
    }
    if not dummies & set(names):
        return None
    position = next(number for number, name in enumerate(names) if name in dummies)
    others = [name for name in names if name not in dummies]
    before = sum(name not in dummies for name in names[:position])
    return (*others[:before], *one.columns, *others[before:])


def show_count(count: int | None) -> str:
    """Return a number of columns for a message."""
    return "1 column" if count == 1 else f"{count} columns"
