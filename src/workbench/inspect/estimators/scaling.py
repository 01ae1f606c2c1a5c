"""From where to where a fitted scaler moves the values of each column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median, pstdev

from workbench.inspect.estimators.composite import final_estimator, first_estimator
from workbench.inspect.pickle.arrays import values_of
from workbench.inspect.pickle.values import Instance

FEW_VALUES = 5  # of which no spread is expected
WITHIN = 1.0 + 1e-6  # of a range that is known
ROUNDING = 1e-12
FAR, OFF_CENTRE, NARROW = 8.0, 4.0, 0.3  # in spreads


@dataclass(frozen=True)
class Scaling:
    """The usual place and spread of one column's values, before a scaler and after it.

    `reach` is how many spreads from the centre a value of the training can have been. A scaler that
    does not centre or does not scale may not know the place or the spread of the values: it can be
    undone, but says nothing about a column, and `is_evidence` is False.
    """

    centre: float
    spread: float
    new_centre: float = 0.0
    new_spread: float = 1.0
    reach: float = FAR
    is_evidence: bool = True

    @property
    def inverse(self) -> tuple[float, float]:
        """The factor, and the number to add after it, that undo the scaling of a value."""
        factor = self.spread / self.new_spread
        moved = self.new_centre * factor
        # A scaler that does not centre has nothing to add; rounding would leave a tiny number.
        is_moved = not math.isclose(self.centre, moved, rel_tol=ROUNDING)
        return factor, self.centre - moved if is_moved else 0.0

    def was_applied(self, seen: Sequence[float]) -> bool | None:
        """Return whether a model has seen scaled values, or None if that is not clear."""
        if not self.is_evidence:
            return None
        raw = self._is_plausible(seen, self.centre, self.spread)
        scaled = self._is_plausible(seen, self.new_centre, self.new_spread)
        if raw == scaled or not seen or (scaled and _are_of_codes(seen)):
            return None
        return scaled

    def is_of_others(self, seen: Sequence[float]) -> bool:
        """Return whether the values are neither those before the scaler nor those after it."""
        if not self.is_evidence:
            return False
        places = ((self.centre, self.spread), (self.new_centre, self.new_spread))
        return bool(seen) and not any(self._is_plausible(seen, *place) for place in places)

    def distance(self, values: Sequence[float]) -> float:
        """Return how far a column is from the one of the training, in its spreads."""
        if not values:
            return math.inf
        centre, spread = fmean(values), pstdev(values)
        if self.reach == WITHIN:
            centre, spread = (max(values) + min(values)) / 2, (max(values) - min(values)) / 2
        wider = abs(math.log(spread / self.spread)) if spread > 0 else 0.0
        return abs(centre - self.centre) / self.spread + wider

    def _is_plausible(self, seen: Sequence[float], centre: float, spread: float) -> bool:
        distances = [(value - centre) / spread for value in seen]
        if not distances or max(map(abs, distances)) > self.reach:
            return False
        few = len(set(distances)) < FEW_VALUES
        in_middle = abs(median(distances)) <= OFF_CENTRE
        return in_middle and (few or max(distances) - min(distances) >= NARROW)


def _are_of_codes(seen: Sequence[float]) -> bool:
    """Return whether values are codes, or half way between two: scaled ones are not that round."""
    return all((value * 2).is_integer() for value in seen)


def scalings_of(value: object) -> tuple[Scaling, ...]:
    """Return a scaling for each column of a scaler; none for any other transformer."""
    if not isinstance(value, Instance):
        return ()
    scaler = final_estimator(value)
    name = scaler.cls.name
    if name == "StandardScaler":
        return _of_standard_scaler(scaler)
    if name == "RobustScaler":
        return _of_robust_scaler(scaler)
    if name == "MinMaxScaler":
        low, high = (0.0, 1.0)
        feature_range = scaler.attribute("feature_range")
        if isinstance(feature_range, tuple) and len(feature_range) == 2:
            low, high = (float(v) if isinstance(v, int | float) else 0.0 for v in feature_range)
        return tuple(
            Scaling(
                *((a + b) / 2, (b - a) / 2 or 1.0, (low + high) / 2, (high - low) / 2 or 1.0),
                reach=WITHIN,
            )
            for a, b in zip(
                _numbers(scaler, "data_min_"), _numbers(scaler, "data_max_"), strict=False
            )
        )
    if name == "MaxAbsScaler":
        highs = _numbers(scaler, "max_abs_")
        return tuple(Scaling(0.0, high or 1.0, reach=WITHIN) for high in highs)
    return ()


def _of_standard_scaler(scaler: Instance) -> tuple[Scaling, ...]:
    """Return the scalings of a scaler that knows the means, whether it subtracts them or not."""
    means, spreads = _numbers(scaler, "mean_"), _numbers(scaler, "scale_")
    if scaler.attribute("with_mean") is not False:
        return _centred(means, spreads, scaler.attribute("with_std"))
    if not means:
        return _not_centred(spreads)
    pairs = zip(means, spreads, strict=False)
    return tuple(Scaling(mean, spread or 1.0, mean / (spread or 1.0)) for mean, spread in pairs)


def _of_robust_scaler(scaler: Instance) -> tuple[Scaling, ...]:
    """Return the scalings of a scaler that knows the medians only if it subtracts them."""
    centres, spreads = _numbers(scaler, "center_"), _numbers(scaler, "scale_")
    if scaler.attribute("with_centering") is False:
        return _not_centred(spreads)
    return _centred(centres, spreads, scaler.attribute("with_scaling"))


def _centred(
    centres: Sequence[float], spreads: Sequence[float], with_spread: object
) -> tuple[Scaling, ...]:
    if with_spread is False:
        return tuple(Scaling(centre, 1.0, is_evidence=False) for centre in centres)
    pairs = zip(centres, spreads, strict=False)
    return tuple(Scaling(centre, spread or 1.0) for centre, spread in pairs)


def _not_centred(spreads: Sequence[float]) -> tuple[Scaling, ...]:
    return tuple(Scaling(0.0, spread or 1.0, is_evidence=False) for spread in spreads)


def first_scalings(root: object) -> tuple[Scaling, ...]:
    """Return the scalings of the scaler that a model begins with, if it does."""
    return scalings_of(first_estimator(root)) if isinstance(root, Instance) else ()


def _numbers(scaler: Instance, attribute: str) -> list[float]:
    values = values_of(scaler.attribute(attribute)) or []
    return [float(v) for v in values if isinstance(v, int | float)]
