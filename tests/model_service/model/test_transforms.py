"""Predictions on the scale of the target before its transformation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from model_service.contract.contract import ContractError, Output
from model_service.contract.schema import parse_output
from model_service.model.predictions import PredictionFormat

VALUES = [-1.5, 0.25, 3.0, 12.5]
# The notebook's own calls, which the service must match to the last bit.
NOTEBOOK: list[tuple[Any, Callable[[Any], Any]]] = [
    ("exp", np.exp),
    ("expm1", np.expm1),
    ("pow10", lambda values: 10**values),
    ("square", lambda values: values**2),
    ({"multiply": 2.5, "add": 10}, lambda values: values * 2.5 + 10),
]


@pytest.mark.parametrize(("transform", "notebook"), NOTEBOOK)
def test_a_transform_is_undone_as_in_the_notebook(
    transform: Any, notebook: Callable[[Any], Any]
) -> None:
    output: Output = parse_output({"transform": transform})
    assert parse_output(output.to_json()) == output
    formatter = PredictionFormat(output, None)
    made = [row["prediction"] for row in formatter.format(np.array(VALUES), None)]
    alone = [formatter.format_row(value, None)["prediction"] for value in VALUES]
    assert made == alone == notebook(np.array(VALUES)).tolist()


@pytest.mark.parametrize(
    "transform", [{}, {"multiply": 2}, {"multiply": 2, "add": "1"}, {"multiply": 2, "by": 1}, 3]
)
def test_an_incomplete_transform_is_refused(transform: Any) -> None:
    with pytest.raises(
        ContractError, match=r"\"transform\" must be one of exp, expm1, pow10, square"
    ):
        parse_output({"transform": transform})
