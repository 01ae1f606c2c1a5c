"""Rows that the model fails on, and the hint that its categories have to be numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from stand_ins import model_around

from model_service.errors import ModelError
from model_service.model.loading import load_model
from workbench.verify import prove
from workbench.verify.trial import ProofFailed, predictable_rows

AREA = {"name": "Area", "categories": ["Rural", "Urban"]}
HINT = "The model takes numbers, and Area are text."


class OfNumbers:
    """A model that refuses text in words of its own."""

    def predict(self, frame: pd.DataFrame) -> Any:
        if not all(map(pd.api.types.is_numeric_dtype, frame.dtypes)):
            raise TypeError("no words, please")
        return np.zeros(len(frame))


class OfNothing:
    """A model that fails on every row."""

    def predict(self, frame: pd.DataFrame) -> Any:
        raise ValueError("could not convert string to float: 'Rural'")


@pytest.mark.parametrize(("estimator", "hinted"), [(OfNumbers(), True), (OfNothing(), False)])
def test_the_hint_depends_on_what_the_model_accepts_not_on_its_message(
    estimator: Any, hinted: bool, loan: Path
) -> None:
    model = model_around(estimator, load_model(loan / "model"), [AREA], {"Area": "Rural"})
    with pytest.raises(ProofFailed, match=r'The model fails on \{"Area": "Rural"\}') as caught:
        predictable_rows(model)
    assert (HINT in str(caught.value)) == hinted
    assert ('"encode": {"Rural": 0, "Urban": 1}' in str(caught.value)) == hinted


# What fails, and the message.
FAILURES = [
    ("load_model", ValueError("bad"), "The model cannot be loaded: ValueError: bad"),
    ("load_model", ModelError("The Python is another."), "The Python is another."),
    (
        "check_encoders",
        ValueError("bad"),
        "The verification failed after the model was loaded: ValueError: bad",
    ),
    ("check_encoders", ProofFailed("The model fails."), "The model fails."),
]


@pytest.mark.parametrize(("function", "error", "message"), FAILURES)
def test_a_failure_names_its_step(
    function: str,
    error: Exception,
    message: str,
    loan_copy: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.chdir(loan_copy)
    monkeypatch.setattr(prove, function, fail)
    assert list(prove.reasons_of_failure()) == [message]


def test_memory_that_ran_out_while_loading_is_named(
    loan_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.chdir(loan_copy)
    monkeypatch.setattr(prove, "load_model", fail)
    (message,) = prove.reasons_of_failure()
    assert message.startswith("The model needs more than")
