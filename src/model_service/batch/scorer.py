"""A model that predicts files: loaded once in a process, without a server around it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from model_service.batch.parsed import Parsed
from model_service.contract.contract import Batch
from model_service.model.loading import load_model
from model_service.model.model import Model
from model_service.model.predictions import Prediction
from model_service.serving.predictor import MODEL_FAILS, Predictor
from model_service.serving.queue import PredictionQueue
from model_service.serving.readiness import Readiness

# A machine that scores files has more memory for a chunk than a dyno.
CHUNK_ROWS = 8192


class Scorer:
    """The model of a project, checked as at the start of the service.

    Raises ModelError if it cannot be loaded here, and NotReady if it does not reproduce its
    golden predictions.
    """

    def __init__(self, directory: Path) -> None:
        self.model = _with_larger_chunks(load_model(directory))
        queue = PredictionQueue(
            self.model.predict,
            timeout_seconds=math.inf,
            max_in_flight=1,
            batches=False,
            inline=True,
        )
        self._predictor = Predictor(self.model, queue, Readiness(self.model, queue))
        self._predictor.require_ready()

    @cached_property
    def example(self) -> Prediction:
        """A prediction, which shows the shape of all."""
        return self._predictor.predict(Batch.of_rows([self.model.manifest.example()]))[0]

    def predict(self, parsed: Parsed) -> tuple[Parsed, Sequence[Prediction]]:
        """Predict the valid rows; those on which the model fails are rejected in the result."""
        predictions, failing = self._predictor.predict_valid(parsed.batch)
        return parsed.without(failing, MODEL_FAILS) if failing else parsed, predictions


def _with_larger_chunks(model: Model) -> Model:
    if model.fast_path is None:
        return model
    return model.with_fast_path(dataclasses.replace(model.fast_path, chunk_rows=CHUNK_ROWS))
