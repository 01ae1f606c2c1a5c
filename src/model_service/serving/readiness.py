"""Whether the model still says what it said when it was verified."""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timezone

from model_service.contract.golden import golden_differences
from model_service.model.model import Model
from model_service.serving.queue import PredictionQueue, Unavailable

logger = logging.getLogger(__name__)


class Readiness:
    """The check of the goldens, made once a process and after the fork.

    It runs in the thread of whoever asks first. Predicting in the main thread before gunicorn
    forks would hang XGBoost and LightGBM in the workers for ever.
    """

    def __init__(self, model: Model, predictor: PredictionQueue) -> None:
        self._model, self._predictor = model, predictor
        self._lock = threading.Lock()
        self._checked = False
        self._reason: str | None = None
        self._reproduced: datetime | None = None

    def begin(self) -> None:
        """Check in a thread, as a request has one."""
        threading.Thread(target=self.reason, name="goldens", daemon=True).start()

    def reason(self) -> str | None:
        """Return why the service must not predict, or None when it may."""
        if not self._checked:
            with self._lock:
                if not self._checked:
                    self._reason = self._check()
                    self._checked = True
                    if self._reason:
                        logger.error("not ready: %s", self._reason)
        return self._reason

    @property
    def reproduced(self) -> datetime | None:
        """When this process reproduced the goldens, in UTC; None if it has not, or has none."""
        return self._reproduced

    def _check(self) -> str | None:
        golden = self._model.golden
        if golden is None:
            if self._model.manifest.verified:
                return "Its recorded predictions are gone; restore golden.json."
            logger.warning("the model was never verified: run make verify before the push")
            return None
        rows, problems = self._model.contract.parse_rows(golden.rows)
        if problems:
            return "The contract does not take its own recorded rows any more; run make verify."
        try:
            found = [self._predictor.predict(rows)]
            if self._model.predicts_rows_alone:
                found.append([self._predictor.predict([row])[0] for row in rows])
        except Unavailable as problem:
            return f"{problem.title}. {problem.detail}"
        except Exception:
            logger.exception("the model failed on its recorded rows")
            return "The model fails on its recorded rows; run make verify."
        if any(golden_differences(golden, predictions) for predictions in found):
            return "The model does not reproduce its recorded predictions; run make verify."
        self._reproduced = datetime.now(timezone.utc)
        return None
