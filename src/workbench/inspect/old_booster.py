"""Files of an XGBoost whose binary format newer releases gave up, and which can be converted.

XGBoost 2.1 is the last set of the table that reads the format of 0.x to 1.4 and predicts the same
with it: tests/convert/test_old_xgboost.py. A model that is alone in a pickle is taken out of it
without loading it. One in a Pipeline or a dict is converted while that is loaded, see `old_file`.
"""

from __future__ import annotations

from dataclasses import dataclass

from workbench.inspect.formats import pickled_boosters
from workbench.inspect.pickle.arrays import plain, values_of
from workbench.inspect.pickle.values import Instance
from workbench.inspect.refused_file import OldFile

CONVERTED_BY = "2.1.4"
FIT_AGAIN = "Fit it again with XGBoost 1.6 or later."
WRAPPERS = ("XGBClassifier", "XGBRegressor")


@dataclass(frozen=True)
class OldBooster:
    """A model in the old binary format, and what the pickle holds besides."""

    content: bytes
    wrapper: str | None  # the scikit-learn class that it was saved as
    feature_names: list[str] | None


def old_booster(root: object) -> OldBooster | None:
    """Return the model of a file in the old binary format, or None."""
    found = pickled_boosters.binary_booster(root)
    if found is None:
        return None
    booster = found.attribute("_Booster")
    names = (booster if isinstance(booster, Instance) else found).attribute("feature_names")
    wrapper = found.cls.name if found.cls.name != "Booster" else None
    return OldBooster(pickled_boosters.binary_content(found), wrapper, own_names(names))


def own_names(names: object) -> list[str] | None:
    """Return the names of a model's features, None if XGBoost made them for columns without."""
    texts = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    made = [f"f{number}" for number in range(len(texts))]
    return texts if texts != made else None


def refusal_of_old_booster(root: object, version: str | None) -> OldFile | None:
    """Return the refusal of a file in the old binary format, or None. `version` is XGBoost's."""
    old = old_booster(root)
    if old is None or not isinstance(root, Instance):
        return None
    what = written_by(version)
    if (obstacle := obstacle_of(root)) is not None:
        return OldFile(what, f"{obstacle} {FIT_AGAIN}", None)
    return OldFile.convertible(what, frozenset(), {"xgboost": CONVERTED_BY})


def written_by(version: str | None) -> str:
    """Return the sentence that says what wrote the model."""
    wrote = f"XGBoost {version}" if version != pickled_boosters.BEFORE_VERSIONS else "XGBoost 0.x"
    return (
        f"The model was saved by {'an old XGBoost' if version is None else wrote} in the binary "
        "format that XGBoost 3.1 gave up."
    )


def obstacle_of(root: Instance) -> str | None:
    """Return why a converted model would not answer as the old one did, or None."""
    if root.cls.name != "Booster" and root.cls.name not in WRAPPERS:
        return f"It cannot be converted, because its class is {root.cls.name}."
    missing = plain(root.attribute("missing"))
    if missing is not None and missing == missing:
        return f"It cannot be converted, because it takes {missing} for a missing value."
    encoder = root.attribute("_le")
    classes = encoder.attribute("classes_") if isinstance(encoder, Instance) else None
    if root.cls.name == "XGBClassifier":
        codes = [plain(value) for value in values_of(classes) or ()]
        if codes != list(range(len(codes))):
            return "It cannot be converted, because its classes are not the numbers 0, 1, …"
    return None
