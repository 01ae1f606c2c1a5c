"""Stages with transformers of the author's own, which say nothing about what they take and give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from model_service.columns.transformers import final_input, make_stages

FRAME = pd.DataFrame({"day": ["Mon", "Tue", "Mon"], "hours": [1.0, 4.0, 2.5]})


class DayCodes:
    """Takes a frame, and gives one with its columns in another order."""

    def transform(self, frame: Any) -> Any:
        return frame.assign(day=frame["day"].map({"Mon": 0.0, "Tue": 1.0}))[["hours", "day"]]


def test_a_class_of_the_authors_own_gets_the_frame_and_its_columns_keep_their_names() -> None:
    (stage,) = make_stages([(DayCodes(), None)], ("day", "hours"))
    made = final_input(stage.apply(FRAME), stage.after, ("day", "hours"))
    assert made.to_dict("list") == {"day": [0.0, 1.0, 0.0], "hours": [1.0, 4.0, 2.5]}


def test_a_scaler_behind_it_takes_its_columns_by_name() -> None:
    coded = DayCodes().transform(FRAME)[["day", "hours"]]
    scaler = StandardScaler().fit(coded)
    first, second = make_stages([(DayCodes(), None), (scaler, None)], ("day", "hours"))
    made = second.apply(first.apply(FRAME))
    assert np.array_equal(made, scaler.transform(coded))


def test_names_are_those_of_a_lightgbm_model_which_has_no_spaces_in_them() -> None:
    frame = pd.DataFrame({"size_One Size": [1.0], "size_XL": [0.0], "size_L": [2.0]})
    made = final_input(frame, tuple(frame), ("size_L", "size_One_Size"))
    assert made.to_dict("list") == {"size_L": [2.0], "size_One_Size": [1.0]}
