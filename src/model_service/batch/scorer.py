"""A model that predicts files: loaded once in a process, without a server around it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from model_service.batch.parsed import Parsed, PlacedWarnings
from model_service.contract.batch import Batch
from model_service.errors import ModelError
from model_service.explain.answer import ExplainRequest
from model_service.explain.blackbox import Budget
from model_service.explain.reason_columns import reason_columns, reason_names
from model_service.model.loading import load_model
from model_service.model.model import Model
from model_service.model.predictions import Prediction, with_columns
from model_service.serving.predictor import MODEL_FAILS, Predictor
from model_service.serving.queue import PredictionQueue

# A machine that scores files has more memory for a chunk than a dyno.
CHUNK_ROWS = 8192
# So many rows are explained at a time: what is known of a row takes kilobytes.
EXPLAINED_ROWS = 1024


@dataclass(frozen=True)
class Scored:
    """The rows of a part: the valid ones with their predictions and what is unusual in some."""

    parsed: Parsed
    predictions: Sequence[Prediction]
    warnings: PlacedWarnings


class Scorer:
    """The model of a project, checked as at the start of the service.

    With `reasons`, predictions have so many members reason_1, reason_2, … beside them. Raises
    ModelError if the model cannot be loaded here or has no explanations, and NotReady if it does
    not reproduce its golden predictions.
    """

    def __init__(self, directory: Path, reasons: int = 0) -> None:
        self.model = _with_larger_chunks(load_model(directory))
        self.reasons = reasons
        if reasons and (why := self.model.why_unexplained) is not None:
            raise ModelError(f"There are no explanations: {why}")
        queue = PredictionQueue(
            self.model.predict,
            timeout_seconds=math.inf,
            max_in_flight=1,
            batches=False,
            inline=True,
        )
        self._predictor = Predictor.of_model(self.model, queue)
        self._predictor.require_ready()

    @cached_property
    def example(self) -> Prediction:
        """A prediction, which shows the shape of all."""
        example = self._predictor.predict(Batch.of_rows([self.model.manifest.example()]))[0]
        return {**example, **dict.fromkeys(reason_names(self.reasons), "")}

    @property
    def can_warn(self) -> bool:
        """Whether there can be warnings at all."""
        return self.model.unusual.can_warn

    def score(self, parsed: Parsed) -> Scored:
        """Predict the valid rows; those on which the model fails are rejected in the result."""
        batch = parsed.batch
        predictions, failing = self._predictor.predict_valid(batch)
        warnings = parsed.placed(self.model.unusual.find(batch) if self.can_warn else {})
        if failing:
            batch, parsed = batch.without(set(failing)), parsed.without(failing, MODEL_FAILS)
            warnings = {place: w for place, w in warnings.items() if place not in parsed.rejections}
        if self.reasons and len(batch):
            predictions = with_columns(predictions, self._reason_columns(batch, predictions))
        return Scored(parsed, predictions, warnings)

    def _reason_columns(
        self, batch: Batch, predictions: Sequence[Prediction]
    ) -> dict[str, list[str]]:
        wanted = ExplainRequest(explanation=False, reasons=self.reasons)
        columns: dict[str, list[str]] = {name: [] for name in reason_names(self.reasons)}
        for start in range(0, len(batch), EXPLAINED_ROWS):
            rows = slice(start, start + EXPLAINED_ROWS)
            explained = self._predictor.explain(
                batch[rows], predictions[rows], wanted, Budget(None)
            )
            for name, texts in reason_columns(explained, self.reasons).items():
                columns[name] += texts
        return columns


def _with_larger_chunks(model: Model) -> Model:
    if model.fast_path is None:
        return model
    return model.with_fast_path(dataclasses.replace(model.fast_path, chunk_rows=CHUNK_ROWS))
