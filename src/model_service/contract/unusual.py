"""Valid values that are unlike the sample: the prediction for them comes with a warning.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_service.contract.batch import Batch, Coded, Values, listed
from model_service.contract.contract import Contract, Feature
from model_service.contract.json_values import Value, json_text
from model_service.contract.profile import Profile

# A value may be beyond an end of the range by so much of its width.
MARGIN = 0.1
MAX_SHOWN_CATEGORIES, MAX_SHOWN_CHARACTERS = 10, 40
# Missing values are None and NaN: so many codes are looked for by comparing arrays.
MAX_COMPARED_CODES = 2
# Of fewer features, one without a value is no sign of a row that is mostly unknown.
MIN_FEATURES = 3


@dataclass(frozen=True)
class RowWarning:
    """What is unusual in a row; `feature` is None if it is the row as a whole."""

    feature: str | None
    message: str

    def to_json(self) -> dict[str, str | None]:
        """Return the member of `warnings` beside a prediction."""
        return {"feature": self.feature, "message": self.message}

    @property
    def text(self) -> str:
        """The warning for a cell of a CSV."""
        return self.message if self.feature is None else f"{self.feature}: {self.message}"


# By position of the row in its batch, from 0; rows without warnings are left out.
BatchWarnings = Mapping[int, Sequence[RowWarning]]


@dataclass(frozen=True)
class _Range:
    name: str
    low: float
    high: float
    usual: str

    def takes(self, value: Any) -> bool:
        """Return whether a value is in the range, or missing."""
        # An array has NaN in the place of None.
        return value is None or self.low <= value <= self.high or value != value

    def find(self, values: Values) -> Iterable[tuple[int, Any]]:
        """Yield the values that it does not take, with their positions."""
        if not hasattr(values, "dtype"):
            return _find_each(self, values)
        # An array, which is compared as a whole; NaN is on neither side.
        array: Any = values
        positions = ((array < self.low) | (array > self.high)).nonzero()[0]
        return zip(positions.tolist(), array[positions].tolist(), strict=True)

    def message(self, value: Any) -> str:
        return f"{value:.12g} is outside {self.usual}"


@dataclass(frozen=True)
class _Categories:
    name: str
    known: frozenset[Value]
    usual: str

    def takes(self, value: Value) -> bool:
        """Return whether a value is a known category, or missing."""
        return value in self.known

    def find(self, values: Values) -> Iterable[tuple[int, Any]]:
        """Yield the values that it does not take, with their positions."""
        return _find_each(self, values)

    def message(self, value: Any) -> str:
        text = json_text(value)
        shown = text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}…"
        quoted = f'"{shown}"' if isinstance(value, str) else shown
        return f"{quoted} is not one of {self.usual}"


def _find_each(check: _Range | _Categories, values: Values) -> Iterable[tuple[int, Any]]:
    """Yield the values that a check does not take; each distinct one of codes is judged once."""
    if not isinstance(values, Coded):
        return [(place, v) for place, v in enumerate(listed(values)) if not check.takes(v)]
    is_unusual = [not check.takes(value) for value in values.distinct]
    if not any(is_unusual):
        return ()
    codes = enumerate(values.codes.tolist())
    return [(place, values.distinct[code]) for place, code in codes if is_unusual[code]]


class UnusualValues:
    """What is usual for each feature, and the search for what is not.

    `derived` holds the members that adopt derived from the sample, `profiles` the shares of missing
    values in it: both are the manifest's.
    """

    def __init__(
        self,
        contract: Contract,
        derived: Mapping[str, Mapping[str, Any]],
        profiles: Mapping[str, Profile],
    ) -> None:
        features = [feature for feature in contract.features if feature.warn is not False]
        self._checks = [
            check
            for feature in features
            if (check := _check(feature, derived.get(feature.name, {}))) is not None
        ]
        shares = [profiles[f.name].missing for f in features if f.name in profiles]
        self._count, self._max_missing = len(features), len(features) // 2
        nullable = [feature.name for feature in features if feature.nullable]
        can_be_unknown = (
            len(features) >= MIN_FEATURES
            and len(nullable) > self._max_missing
            and sum(shares) <= self._max_missing  # else such rows are usual
        )
        self._nullable = nullable if can_be_unknown else []
        self.can_warn = bool(self._checks or self._nullable)

    def find(self, batch: Batch) -> BatchWarnings:
        """Return the warnings of each row that has some, in the order of the contract."""
        columns = batch.columns
        if len(batch) == 1:
            return self._find_in_row({name: values[0] for name, values in columns.items()})
        found: dict[int, list[RowWarning]] = {}
        for position, message in self._mostly_missing(columns):
            found[position] = [RowWarning(None, message)]
        for check in self._checks:
            for position, value in check.find(columns[check.name]):
                warning = RowWarning(check.name, check.message(value))
                found.setdefault(position, []).append(warning)
        return found

    def _find_in_row(self, row: Mapping[str, Value]) -> BatchWarnings:
        """Find the same without a list for each feature: it is done for each request."""
        warnings = [
            RowWarning(check.name, check.message(row[check.name]))
            for check in self._checks
            if not check.takes(row[check.name])
        ]
        if self._nullable:
            count = sum(row[n] is None or row[n] != row[n] for n in self._nullable)
            if count > self._max_missing:
                warnings.insert(0, RowWarning(None, self._missing_message(count)))
        return {0: warnings} if warnings else {}

    def _missing_message(self, count: int) -> str:
        return f"{count} of {self._count} features are missing"

    def _mostly_missing(self, columns: Mapping[str, Values]) -> Iterator[tuple[int, str]]:
        nullable = {name: columns[name] for name in self._nullable}
        missing = [flags for flags in map(_missing, nullable.values()) if True in flags]
        if len(missing) <= self._max_missing:
            return
        for position, count in _above(self._max_missing, missing):
            yield position, self._missing_message(count)


def _missing(values: Values) -> Any:
    """Return whether each value is missing: as an array, or of a list as a list."""
    if isinstance(values, Coded):
        codes = {code for code, v in enumerate(values.distinct) if v is None or v != v}
        if len(codes) > MAX_COMPARED_CODES:  # rejected values, which no row has any more
            return [code in codes for code in values.codes.tolist()]
        found: Any = values.codes < 0  # all False: no code is negative
        for code in codes:
            found = found | (values.codes == code)
        return found
    array: Any = values
    return array != array if hasattr(array, "dtype") else [v is None or v != v for v in values]


def _above(limit: int, missing: Sequence[Any]) -> Iterable[tuple[int, int]]:
    """Yield the rows of which more values are missing, with the number of these."""
    if all(hasattr(flags, "dtype") for flags in missing):
        array: Any = sum(flags * 1 for flags in missing)
        positions = (array > limit).nonzero()[0]
        return zip(positions.tolist(), array[positions].tolist(), strict=True)
    counts = (row.count(True) for row in zip(*map(list, missing), strict=True))
    return [(position, count) for position, count in enumerate(counts) if count > limit]


def _check(feature: Feature, derived: Mapping[str, Any]) -> _Range | _Categories | None:
    """Return what can be unusual in a feature; None if it takes only what the contract lists."""
    low, high = feature.minimum, feature.maximum
    if feature.type in ("number", "integer"):
        if feature.strict or low is None or high is None:
            return None
        from_sample = (derived.get("minimum"), derived.get("maximum")) == (low, high)
        whose = "the range of the sample" if from_sample else "the usual range"
        margin = (high - low) * MARGIN
        return _Range(
            feature.name, low - margin, high + margin, f"{low:.12g} to {high:.12g}, {whose}"
        )
    if feature.categories is None or feature.closed:
        return None
    shown = ", ".join(map(json_text, feature.categories[:MAX_SHOWN_CATEGORIES]))
    more = ", …" if len(feature.categories) > MAX_SHOWN_CATEGORIES else ""
    return _Categories(
        feature.name, frozenset((*feature.categories, None)), f"{shown}{more}, the known categories"
    )
