"""The profile: how the values of the features are spread in the sample, as the manifest has it.

Standard library only: the workbench writes what the service shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from model_service.contract.contract import Feature, FeatureType, Scalar


@dataclass(frozen=True)
class Profile:
    """All that is published of one feature's values in the sample.

    No row is, and no text. `shares` are of ten values at least and in whole per cent, so that one
    of hundreds leaves no trace; they are of the contract's own categories, of whole numbers or
    dates that lie close together, or of bins between round numbers.
    """

    name: str
    type: FeatureType
    missing: float  # the share of rows without a value
    shares: tuple[float, ...] = ()  # of the values that are there
    values: tuple[Scalar, ...] = ()  # what the shares are of; else they are of bins,
    start: float | None = None  # the first of which begins here
    step: float | None = None  # and is so wide

    def fits(self, feature: Feature) -> bool:
        """Tell whether it can be the profile of the feature, which may have been edited."""
        if (self.name, self.type) != (feature.name, feature.type):
            return False
        return feature.type != "category" or set(self.values) <= set(feature.categories or ())

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in the manifest."""
        document = {f.name: getattr(self, f.name) for f in fields(self)}
        lists = {key: list(document[key]) for key in ("shares", "values")}
        return {k: v for k, v in (document | lists).items() if v not in (None, [])}


def read_profiles(document: Sequence[Mapping[str, Any]] | None) -> dict[str, Profile]:
    """Return the profiles by feature. Raises KeyError, TypeError or ValueError."""
    profiles: dict[str, Profile] = {}
    for entry in document or ():
        given: dict[str, Any] = dict(entry)
        lists = {k: tuple(v) for k, v in given.items() if isinstance(v, list)}
        profiles[given["name"]] = Profile(**given | lists)
    return profiles
