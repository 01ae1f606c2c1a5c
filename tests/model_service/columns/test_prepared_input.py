"""What prepare() can return, and what the model gets of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from model_service.columns.frames import prepared_input

FRAME = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
TEXTS = ["x", "y"]


@pytest.mark.parametrize("returned", [FRAME[["b", "a"]], FRAME.to_numpy(), FRAME.values.tolist()])
def test_a_model_with_names_gets_a_frame(returned: Any) -> None:
    columns = ("b", "a") if isinstance(returned, pd.DataFrame) else ("a", "b")
    made = prepared_input(returned, "frame", columns)
    assert list(made.columns) == list(columns)
    assert made["a"].tolist() == [1, 2]


@pytest.mark.parametrize("returned", [FRAME, FRAME.to_numpy()])
def test_a_model_without_names_gets_an_array(returned: Any) -> None:
    assert prepared_input(returned, "array", None).tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize("returned", [FRAME["a"], np.array([1, 2]), [1, 2]])
def test_one_column_is_a_column(returned: Any) -> None:
    assert prepared_input(returned, "array", None).tolist() == [[1], [2]]


@pytest.mark.parametrize(
    "returned",
    [pd.DataFrame({"any": TEXTS}), pd.Series(TEXTS), np.array(TEXTS), np.array([TEXTS]).T, TEXTS],
)
def test_a_text_model_gets_the_only_column_as_a_list(returned: Any) -> None:
    assert prepared_input(returned, "texts", None) == TEXTS


def test_another_number_of_columns_is_an_error() -> None:
    with pytest.raises(ValueError, match="returns 2 columns, and the model takes one text"):
        prepared_input(pd.DataFrame({"a": TEXTS, "b": TEXTS}), "texts", None)
    with pytest.raises(ValueError, match="returns 2 columns, the model takes 3"):
        prepared_input(FRAME.to_numpy(), "frame", ("a", "b", "c"))
