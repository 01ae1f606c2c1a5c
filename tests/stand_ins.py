"""Estimators of frames in the place of the loan example's, behind a contract of the test's own."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from conftest import in_json

from model_service.contract.schema import parse_contract
from model_service.model.model import Model


class Mirror:
    """A model whose prediction is the row that it met."""

    def predict(self, frame: pd.DataFrame) -> Any:
        met = [
            json.dumps({name: in_json(value) for name, value in row.items()}, default=str)
            for row in frame.astype(object).to_dict("records")
        ]
        return np.array(met, dtype=object)


def model_around(
    estimator: Any,
    adopted: Model,
    features: Sequence[Mapping[str, Any]],
    example: Mapping[str, Any],
) -> Model:
    """Return a model that answers what an estimator predicts; the rest is an adopted model's."""
    manifest = dataclasses.replace(
        adopted.manifest,
        columns=None,
        categories={},
        task=dataclasses.replace(adopted.manifest.task, probabilities=False, classes=None),
        examples=[dict(example)],
    )
    return Model(estimator, parse_contract({"features": list(features)}), manifest)
