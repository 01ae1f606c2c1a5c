"""The distribution of a feature's values in the sample, as the manifest holds it.

Standard library only: adopt writes profiles, the service reads them for the model card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from model_service.contract.contract import Feature, FeatureType
from model_service.contract.json_values import Scalar


@dataclass(frozen=True)
class Profile:
    """All that is published about one feature's values in the sample: no row and no text.

    Shares are made of at least ten values and rounded to whole percents, so that a single row of
    the sample cannot be recovered from them. They belong to `values` (the contract's categories,
    or whole numbers or dates that lie close together), or to bins between round numbers.
    """

    name: str
    type: FeatureType
    missing: float  # the share of rows without a value
    shares: tuple[float, ...] = ()  # of the values that are not missing
    values: tuple[Scalar, ...] = ()  # one for each share, or empty if the shares belong to bins
    start: float | None = None  # of the first bin
    step: float | None = None  # the width of a bin

    def fits(self, feature: Feature) -> bool:
        """Return whether this can be the feature's profile: its contract can have been edited."""
        if (self.name, self.type) != (feature.name, feature.type):
            return False
        return feature.type != "category" or set(self.values) <= set(feature.categories or ())

    def to_json(self) -> dict[str, Any]:
        """Return the profile's entry in the manifest."""
        document = {f.name: getattr(self, f.name) for f in fields(self)}
        lists = {key: list(document[key]) for key in ("shares", "values")}
        return {k: v for k, v in (document | lists).items() if v not in (None, [])}


def read_profiles(entries: Sequence[Mapping[str, Any]] | None) -> dict[str, Profile]:
    """Return the profiles by feature name. Raises KeyError, TypeError or ValueError."""
    profiles: dict[str, Profile] = {}
    for entry in entries or ():
        members: dict[str, Any] = dict(entry)
        tuples = {key: tuple(value) for key, value in members.items() if isinstance(value, list)}
        profiles[members["name"]] = Profile(**members | tuples)
    return profiles
