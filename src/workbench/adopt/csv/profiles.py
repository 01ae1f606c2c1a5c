"""Profile the sample for the model card: missing share and distribution of each feature."""

from __future__ import annotations

import datetime
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from model_service.contract.contract import Contract, Feature
from model_service.contract.json_values import Value
from model_service.contract.parsing import parse_value
from model_service.contract.problems import Invalid
from model_service.contract.profile import Profile
from model_service.contract.typed_text import whole
from workbench.adopt.csv.sample import Sample
from workbench.adopt.csv.sample_rows import column_of, rows_of

# A distribution of fewer values would reveal single people.
MIN_VALUES = 10
MAX_BARS = 20
# Integers up to here are exact as floats.
EXACT = 2**53
# Tolerance in steps below the limit of a bin: 0.3 / 0.1 is 2.9999999999999996.
ROUNDING = 1e-9


def profiles(
    contract: Contract, sample: Sample | None, previous: Mapping[str, Profile]
) -> dict[str, Profile]:
    """Return the profiles of the sample, else those of the previous model that still fit."""
    if sample is not None:
        found = _of_sample(contract, sample)
    else:
        pairs = ((previous.get(feature.name), feature) for feature in contract.features)
        found = [profile for profile, feature in pairs if profile and profile.fits(feature)]
    return {profile.name: profile for profile in found}


def _of_sample(contract: Contract, sample: Sample) -> list[Profile]:
    rows = rows_of(contract, sample, sample.rows)
    found = []
    for feature in contract.features:
        column = column_of(feature.to_json(), sample)
        if column is None:  # a text model accepts a sample without its column
            continue
        values = [row[feature.name] for row in rows]
        present = [value for value in values if value is not None]
        # A feature with dummy columns only has no facts of its own.
        missing = column.missing / column.rows if column.rows else 1 - len(present) / len(values)
        valid = [parsed for value in present if (parsed := _parsed(feature, value)) is not None]
        distribution = _distribution(feature, valid) if len(valid) >= MIN_VALUES else {}
        share = whole(float(f"{missing:.3g}"))
        found.append(Profile(feature.name, feature.type, share, **distribution))
    return found


def _parsed(feature: Feature, value: Value) -> Value:
    try:
        return parse_value(feature, value)
    except Invalid:
        return None


def _distribution(feature: Feature, values: Sequence[Any]) -> dict[str, Any]:
    if feature.type in ("number", "integer"):
        return of_numbers(values)
    if feature.type == "date":
        return of_dates([datetime.date.fromisoformat(value) for value in values])
    if feature.type == "boolean":
        return _of_values([False, True], values)
    return _of_categories(feature, values) if feature.categories else {}


def _of_categories(feature: Feature, values: Sequence[Any]) -> dict[str, Any]:
    """Count the contract's categories, the most frequent ones if there are many."""
    counts = Counter((type(value), value) for value in values)  # 1 is not true
    known = [(type(category), category) for category in feature.categories or ()]
    frequent = set(sorted(known, key=lambda category: -counts[category])[:MAX_BARS])
    shown = [category for category in known if category in frequent]
    return {
        "values": tuple(value for _, value in shown),
        "shares": _shares([counts[category] for category in shown], len(values)),
    }


def _of_values(shown: Sequence[Any], values: Sequence[Any]) -> dict[str, Any]:
    counts = Counter(values)
    return {"values": tuple(shown), "shares": _shares([counts[v] for v in shown], len(values))}


def of_numbers(values: Sequence[float]) -> dict[str, Any]:
    """Return the share of each value of few integers, else the shares of bins of a round width.

    The result is empty if floats are too fine or too large for bins.
    """
    low, high = min(values), max(values)
    largest = max(abs(low), abs(high))
    if low == high:
        return _of_values([whole(low) if largest < EXACT else low], values)
    if high - low < MAX_BARS and largest < EXACT and all(v == math.floor(v) for v in values):
        return _of_values(range(int(low), int(high) + 1), values)
    low, high = _without_outliers(values)
    width = high / MAX_BARS - low / MAX_BARS  # high - low may be infinite
    if width < sys.float_info.min:
        return {}
    exponent = math.floor(math.log10(width))
    digit = next(d for d in (1, 2, 5, 10, 20) if _decimal(d, exponent) >= width)
    step = _decimal(digit, exponent)
    first = math.floor(low / step + ROUNDING)
    bins = max(1, math.ceil(high / step - ROUNDING) - first)
    start, end = _decimal(first * digit, exponent), _decimal((first + bins) * digit, exponent)
    if not math.isfinite(start) or not math.isfinite(end):
        return {}
    counts = Counter(
        min(math.floor(v / step + ROUNDING) - first, bins - 1) for v in values if low <= v <= high
    )
    return {
        "shares": _shares([counts[number] for number in range(bins)], len(values)),
        "start": whole(start),
        "step": whole(step),
    }


def _without_outliers(values: Sequence[float]) -> tuple[float, float]:
    """Return the limits without the outer hundredth, which would squeeze the rest into one bar."""
    outer = len(values) // 200
    inner = sorted(values)[outer : len(values) - outer]
    return (inner[0], inner[-1]) if inner[0] < inner[-1] else (min(values), max(values))


def _decimal(digits: int, exponent: int) -> float:
    """Return the float for a decimal number: 0.3, not 3 * 0.1."""
    return float(f"{digits}e{exponent}")


def of_dates(dates: Sequence[datetime.date]) -> dict[str, Any]:
    """Return the shares of days, months or years: the finest of which there are few."""
    first, last = min(dates), max(dates)
    if (last - first).days < MAX_BARS:
        days = [first + datetime.timedelta(n) for n in range((last - first).days + 1)]
        return _of_values([str(day) for day in days], [str(date) for date in dates])
    months = range(_month(first), _month(last) + 1)
    if len(months) <= MAX_BARS:
        named = [f"{month // 12:04}-{month % 12 + 1:02}" for month in months]
        return _of_values(named, [str(date)[:7] for date in dates])
    return of_numbers([date.year for date in dates])


def _month(date: datetime.date) -> int:
    return date.year * 12 + date.month - 1


def _shares(counts: Sequence[int], total: int) -> tuple[float, ...]:
    return tuple(whole(round(count / total, 2)) for count in counts)
