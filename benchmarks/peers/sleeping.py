"""A model that waits instead of computing: what it takes does not depend on other programs."""

from __future__ import annotations

import math
import random
import time
from typing import Any

from sklearn.base import BaseEstimator, RegressorMixin

# Seconds of a call, and of each of its rows.
CALL_SECONDS, ROW_SECONDS = 0.008, 0.002
# The standard deviation of the time of a call, as a share of its mean.
VARIATION = 0.5
_SIGMA = math.sqrt(math.log(1 + VARIATION**2))


class Sleeper(RegressorMixin, BaseEstimator):
    """Sleeps for a random (lognormal) time, and predicts the first column."""

    def fit(self, rows: Any, target: Any = None) -> Sleeper:
        """Learn the number of columns."""
        self.n_features_in_ = len(rows[0])
        return self

    def predict(self, rows: Any) -> Any:
        """Return the first column as it is, later."""
        mean = CALL_SECONDS + ROW_SECONDS * len(rows)
        time.sleep(mean * random.lognormvariate(-(_SIGMA**2) / 2, _SIGMA))
        return rows[:, 0]
