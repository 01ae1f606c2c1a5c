"""Fitted models as subjects of explanations, and their rows as batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from conftest import rows_of

from model_service.columns.builder import InputBuilder
from model_service.columns.categories import ColumnCategories
from model_service.contract.batch import Batch
from model_service.contract.contract import Contract, InputKind
from model_service.contract.schema import parse_contract
from model_service.explain.blackbox import Budget
from model_service.explain.build import build_explainer
from model_service.explain.explainer import Explainer, Subject, read_explainer
from model_service.explain.parts import Explained
from workbench.verify.explain_file import write_explainer


def contract_of(frame: pd.DataFrame, targets: Sequence[str] | None = None) -> Contract:
    """Return the contract of a frame: text columns are categories."""
    features: list[dict[str, Any]] = []
    for name in frame:
        if frame[name].dtype.kind in "OUT" or isinstance(
            frame[name].dtype, (pd.CategoricalDtype, pd.StringDtype)
        ):
            known = sorted(set(frame[name].dropna()))
            features.append(
                {
                    "name": name,
                    "type": "category",
                    "categories": known,
                    "nullable": bool(frame[name].isna().any()),
                }
            )
        else:
            features.append({"name": name, "nullable": bool(frame[name].isna().any())})
    output = {"targets": list(targets)} if targets else {}
    return parse_contract({"features": features, "output": output})


def subject(
    model: Any,
    frame: pd.DataFrame,
    *,
    contract: Contract | None = None,
    kind: InputKind = "frame",
    targets: Sequence[str] | None = None,
    compiled: bool = True,
) -> Subject:
    """Return a fitted model with what the manifest would say about it."""
    contract = contract or contract_of(frame, targets)
    names = getattr(model, "feature_names_in_", None)
    categories = {
        str(name): ColumnCategories(tuple(frame[name].cat.categories))
        for name in frame
        if isinstance(frame[name].dtype, pd.CategoricalDtype)
    }
    classes = getattr(model, "classes_", None)
    if isinstance(classes, list):
        classes = [list(map(_plain, known)) for known in classes]
    elif classes is not None:
        classes = list(map(_plain, classes)) or None
    task = "classification" if classes is not None else "regression"
    return Subject(
        model,
        contract,
        InputBuilder(
            kind, tuple(names) if names is not None and kind == "frame" else None, categories
        ),
        task,
        classes,
        hasattr(model, "predict_proba"),
        compiled,
    )


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def batch_of(frame: pd.DataFrame) -> Batch:
    """Return the rows of a frame as a batch."""
    plain = frame.astype(
        {n: object for n in frame if isinstance(frame[n].dtype, pd.CategoricalDtype)}
    )
    return Batch.of_rows(rows_of(plain))


def explainer(of: Subject, background: pd.DataFrame, *, through_file: bool = True) -> Explainer:
    """Build the explanations of a model, and read them from a file as the service does."""
    batch = batch_of(background)
    built = build_explainer(of, "a fingerprint", batch, batch)
    if not through_file:
        return built
    return read_explainer(write_explainer(built), of, "a fingerprint", batch)


def explain(built: Explainer, row: pd.DataFrame, column: int = 0) -> Explained:
    """Explain a frame of one row."""
    return built.explain(batch_of(row), [[column]], Budget(None))[0][column]
