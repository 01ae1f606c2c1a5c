"""Find out which columns each fitted transformer is for."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace

from model_service.contract.contract import json_text
from model_service.contract.parsing import did_you_mean
from workbench.adopt.case import Case
from workbench.adopt.problems import AnswerError, Problem
from workbench.adopt.transformer_files import Fitted
from workbench.errors import listing

NAME = '["NAME"]'  # a column to fill in, in the example of a features file
MAX_LABELS = 8  # labels that a message lists
OTHER_DUMMIES = ("infrequent_sklearn", "nan", "None")  # dummy columns that are no category
TARGET_NAME = re.compile(r"(^|[\W_])(y|target|output)($|[\W_A-Z])|[a-z](Y|Target)($|[\W_])")


def place_transformer(fitted: Fitted, case: Case, known: Sequence[str]) -> Fitted | None:
    """Return a transformer with its columns; None for the encoder of the model's own classes.

    Raises AnswerError if it is not clear which columns those are.
    """
    last = (fitted.part.member or "").rpartition(".")[2]
    if fitted.columns is None and last in known:
        fitted = replace(fitted, columns=(last,))
    if fitted.columns is not None:
        _check_columns(fitted, fitted.columns)
        return fitted
    if fitted.facts.encodes_labels:
        return _place_label_encoder(fitted, case, known)
    _refuse_target_scaler(fitted, known)
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


def _refuse_target_scaler(fitted: Fitted, known: Sequence[str]) -> None:
    """Refuse a scaler of the target: it would fit before a model of one feature."""
    if not fitted.facts.one_to_one or fitted.facts.n_features != 1:
        return
    names = fitted.facts.feature_names or ()
    if TARGET_NAME.search(fitted.author_name) or not {*names} <= {*known}:
        message = (
            f"{fitted.name} was fitted on one column{f', {names[0]!r}' if names else ''}, which "
            "seems to be what the model predicts. The service does not scale predictions back: "
            "save the model as a TransformedTargetRegressor, which does, fitted on the unscaled "
            "target. If it is for a feature, name it in a features file: "
            f"{features_file(fitted, NAME)}"
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


def _place_label_encoder(fitted: Fitted, case: Case, known: Sequence[str]) -> Fitted | None:
    """Return a label encoder with its column; None if it encodes the model's classes."""
    (classes,) = fitted.facts.categories or ((),)
    codes = tuple(range(len(classes)))
    columns = [
        name
        for name, column in (case.sample.columns.items() if case.sample else ())
        if name in known and column.categories and set(column.categories) <= set(classes)
    ] or [name for name in known if _names_column(fitted, name)]
    if len(columns) == 1:
        return replace(fitted, columns=(columns[0],))
    if codes in (case.model.classes, case.model.binary) and not columns:
        return None
    shown = listing([json_text(label) for label in classes[:MAX_LABELS]])
    message = (
        f"{fitted.name} encodes {shown}, and it is not clear of which column. Name it in a "
        f"features file: {features_file(fitted, NAME)}; if they are what the model predicts, leave "
        'the file out and give "output": {"labels": {…}} there.'
    )
    raise AnswerError(Problem("transformers", message))


def _names_column(fitted: Fitted, column: str) -> bool:
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
        f"{column}_{label}"
        for column, labels in zip(one.columns, one.facts.categories, strict=True)
        for label in (*labels, *OTHER_DUMMIES)
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
