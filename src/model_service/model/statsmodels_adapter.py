"""Results of statsmodels behind the methods of an estimator."""

from __future__ import annotations

from typing import Any

import numpy as np


class StatsmodelsAdapter:
    """A result whose model has a column of ones that nobody types, as sm.add_constant adds it."""

    def __init__(self, results: Any, constant: int) -> None:
        self._results, self._constant = results, constant

    def predict(self, rows: Any) -> Any:
        """Return the native number of each row, of an array or a frame."""
        if isinstance(rows, np.ndarray):
            return self._results.predict(np.insert(rows, self._constant, 1.0, axis=1))
        complete = rows.copy()
        complete.insert(self._constant, "const", 1.0)
        return self._results.predict(complete)
