"""How a worker scores a file: as `POST /predict` does, without its limits of rows and of time."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from model_service.contract.batch import Batch
from model_service.csv.stream import CsvJob, Progress
from model_service.model.predictions import Prediction
from model_service.serving.predictor import OnSearchStep, Predictor


@dataclass(frozen=True, eq=False)
class JobScorer:
    """What is the same for each file."""

    predictor: Predictor
    max_line_characters: int

    def csv_job(
        self,
        on_progress: Callable[[Progress], None],
        on_search_step: OnSearchStep = lambda: None,
        *,
        keep_bad_rows: bool,
    ) -> CsvJob:
        """Return how a file is scored. Raises what the model raises for an example row.

        `on_search_step` is called between two calls of the model that look for the rows on which
        it fails: in a part of the file there can be hundreds.
        """
        model, predictor = self.predictor.model, self.predictor

        def predict_all(batch: Batch) -> tuple[Sequence[Prediction], Sequence[int]]:
            return predictor.predict(batch, part=True, on_search_step=on_search_step), ()

        return CsvJob(
            contract=model.contract,
            example=predictor.predict(Batch.of_rows([model.manifest.example()]))[0],
            predict=(
                partial(predictor.predict_valid, on_search_step=on_search_step)
                if keep_bad_rows
                else predict_all
            ),
            max_rows=sys.maxsize,
            max_line_characters=self.max_line_characters,
            check_seconds=math.inf,
            keep_bad_rows=keep_bad_rows,
            find_warnings=model.unusual.find if model.unusual.can_warn else None,
            on_progress=on_progress,
        )
