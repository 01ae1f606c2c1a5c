"""Readiness: whether the model reproduces the golden predictions that verify recorded."""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timezone

from model_service.contract.golden import golden_differences
from model_service.contract.parsing import parse_rows
from model_service.model.model import Model
from model_service.serving.queue import PredictionQueue, Unavailable

logger = logging.getLogger(__name__)


class Readiness:
    """The check of the golden predictions, made once in each process, after the fork.

    It runs in the thread that first asks for it. A prediction in the main thread before gunicorn
    forks would make XGBoost and LightGBM hang in the workers.
    """

    def __init__(self, model: Model, queue: PredictionQueue) -> None:
        self._model, self._queue = model, queue
        self._lock = threading.Lock()
        self._is_checked = False
        self._reason: str | None = None
        self._reproduced_at: datetime | None = None

    def begin(self) -> None:
        """Start the check in a thread."""
        threading.Thread(target=self.reason, name="goldens", daemon=True).start()

    def reason(self) -> str | None:
        """Return why the model must not predict, or None if it can. Blocks until it is checked."""
        if not self._is_checked:
            with self._lock:
                if not self._is_checked:
                    self._reason = self._check()
                    self._is_checked = True
                    if self._reason:
                        logger.error("not ready: %s", self._reason)
        return self._reason

    @property
    def reproduced_at(self) -> datetime | None:
        """When this process reproduced the golden predictions, in UTC; None if it did not."""
        return self._reproduced_at

    def _check(self) -> str | None:
        golden = self._model.golden
        if golden is None:
            if self._model.manifest.verified:
                return "Its recorded predictions are gone; restore golden.json."
            logger.warning("the model was never verified: run make verify before the push")
            return None
        batch = parse_rows(self._model.contract, golden.rows)
        if batch.problems:
            return "The contract does not take its own recorded rows any more; run make verify."
        try:
            found = [list(self._queue.submit(batch))]
            if self._model.has_single_row_path:
                rows = (batch[n : n + 1] for n in range(len(batch)))
                found.append([self._queue.submit(row)[0] for row in rows])
        except Unavailable as error:
            return f"{error.summary}. {error}"
        except Exception:
            logger.exception("the model failed on its recorded rows")
            return "The model fails on its recorded rows; run make verify."
        if any(golden_differences(golden, predictions) for predictions in found):
            return "The model does not reproduce its recorded predictions; run make verify."
        self._reproduced_at = datetime.now(timezone.utc)
        return None
