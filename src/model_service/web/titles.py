"""The titles of features for people: the contract's own, else made from the name."""

from __future__ import annotations

import re
from collections import Counter

from model_service.contract.contract import Contract, Feature

# A name that a programmer wrote; any other is shown as it is.
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_.\- ]+[A-Za-z0-9]+)*")
# A dot before a space ends an abbreviation, which keeps it: "No rooms" is not "No. rooms".
_SEPARATOR = re.compile(r"[_\- ]+|\.(?![0-9 ])")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])")
# The last word of a name, if it is a unit: bill_length_mm.
_UNITS = {
    **{unit: unit for unit in ("mm", "cm", "m", "km", "m2", "m3", "g", "kg", "mg", "ml", "l")},
    **{unit: unit for unit in ("ms", "min", "days", "weeks", "months", "years", "hours")},
    "usd": "USD",
    "eur": "EUR",
    "gbp": "GBP",
    "inr": "INR",
    "kwh": "kWh",
    "kw": "kW",
    "pct": "%",
    "percent": "%",
    "sqft": "sq ft",
    "ft": "ft",
    "mph": "mph",
    "kmh": "km/h",
}


def feature_title(feature: Feature) -> str:
    """Return the feature's title, or its name in words: bill_length_mm is "Bill length (mm)"."""
    if feature.title:
        return feature.title
    if not _IDENTIFIER.fullmatch(feature.name):
        return feature.name
    words = [word for word in _SEPARATOR.split(_CAMEL.sub("_", feature.name)) if word]
    unit = _UNITS.get(words[-1].lower()) if len(words) > 1 else None
    if unit is not None:
        words = words[:-1]
    text = " ".join(
        word if word.isupper() or i == 0 else _small(word) for i, word in enumerate(words)
    )
    text = text[0].upper() + text[1:]
    return f"{text} ({unit})" if unit is not None and not feature.unit else text


def _small(word: str) -> str:
    return word[0].lower() + word[1:]


def feature_titles(contract: Contract) -> dict[str, str]:
    """Return the title of each feature by name; a title that two would share is the name."""
    titles = {feature.name: feature_title(feature) for feature in contract.features}
    counts = Counter(titles.values())
    return {name: title if counts[title] == 1 else name for name, title in titles.items()}
