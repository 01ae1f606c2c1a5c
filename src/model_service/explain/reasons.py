"""Reasons for a decision against a row: the features that pushed most against it, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model_service.contract.contract import Contract, Feature
from model_service.contract.json_values import Value, json_text
from model_service.explain.parts import Explained

# Reasons below this share of all that pushed against a row are left out.
MIN_SHARE = 0.05
MAX_REASONS = 4


def reasons_of(
    contract: Contract,
    row: Sequence[Value],
    explained: Explained,
    medians: Mapping[str, float],
    count: int,
) -> list[dict[str, Any]]:
    """Return the features that pushed most against a row, the largest first.

    `row` has the values of the features in the order of the contract.
    """
    contributions = explained.contributions
    against = sum(-c for c in contributions if c < 0)
    found = [
        (contribution, feature, value)
        for contribution, feature, value in zip(contributions, contract.features, row, strict=True)
        if contribution < -MIN_SHARE * against and feature.explain is not False
    ]
    found.sort(key=lambda entry: (entry[0], entry[1].name))
    return [
        {
            "feature": feature.name,
            **_reason(feature, value, medians.get(feature.name)),
            "contribution": contribution,
        }
        for contribution, feature, value in found[: min(count, MAX_REASONS)]
    ]


def _reason(feature: Feature, value: Value, median: float | None) -> dict[str, str]:
    """Return the text of a reason, and its code if the contract has one."""
    declared = feature.reason
    if value != value:  # NaN, as a CSV's missing numbers are
        value = None
    if isinstance(declared, str):
        return {"reason": declared}
    declared = declared or {}
    number = number_of(feature, value)
    side = None
    if number is not None and median is not None:
        side = "low" if number < median else "high" if number > median else None
    text = declared.get(side or "") or declared.get("text")
    if text is None and side is None:
        text = declared.get("low") or declared.get("high")
    text = text or _default_reason(feature, value, side)
    return {"reason": text, **({"code": declared["code"]} if "code" in declared else {})}


def _default_reason(feature: Feature, value: Value, side: str | None) -> str:
    title = feature.title or feature.name
    if value is None:
        return f"{title} is missing"
    if feature.type == "text":
        return title
    if side and feature.type in ("number", "integer"):
        return f"{title} is {side}"
    return f"{title} is {json_text(as_typed(value))}"


def as_typed(value: Value) -> Value:
    """Return a value as people type it: 5000, not 5000.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def number_of(feature: Feature, value: Value) -> float | None:
    """Return what a value is compared by: itself, or the code of its category."""
    if value is None:
        return None
    if feature.encode is not None:
        return float(feature.encode[json_text(value)])
    return float(value) if isinstance(value, (int, float)) else None
