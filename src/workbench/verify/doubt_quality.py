"""Doubt predictions that are no better than a guess on the rows that the model was trained on.

That is no weak model but a forgotten step: a logarithm that the app undoes, a scaler, other codes.
Or a step too many: a scaler that was made for another model.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model_service.model.quality import ClassQuality, Quality
from workbench import files
from workbench.errors import listing
from workbench.verify.explain_difference import INVERSE

MUCH_BETTER = 0.5  # of the error of always answering the median
LITTLE_BETTER = 0.02  # mean recall of the classes, above that of a guess
COMPARE = (
    "The model was probably trained on other values than those of the sample (scaled, encoded in "
    "another way, in another order), or it predicts something else. Compare the answers with your "
    "app's before you use them."
)


@dataclass(frozen=True)
class Doubt:
    """Why predictions are doubtful, and whether a transform of the output explains it."""

    sentence: str
    is_explained: bool = False


def doubt_numbers(
    pairs: Sequence[tuple[float, float]], target: str, *, transformed: bool
) -> Doubt | None:
    """Return why predicted numbers are doubtful; pairs are of truth and prediction.

    `transformed` is whether the contract transforms what the model predicts already.
    """
    truths = [truth for truth, _ in pairs]
    centre, mean = statistics.median(truths), statistics.fmean(truths)
    of_median = statistics.fmean(abs(truth - centre) for truth in truths)
    off = _error(pairs)
    if off <= of_median or _squared(pairs) <= statistics.fmean((t - mean) ** 2 for t in truths):
        return None
    sentence = (
        f"The predictions are not those of {target}: they are off by {off:.4g} on average, "
        f"and always answering {centre:.4g} by {of_median:.4g}."
    )
    errors = {name: _error(pairs, function) for name, function in INVERSE.items()}
    best = min(errors, key=lambda name: errors[name])
    if transformed or errors[best] > MUCH_BETTER * of_median:
        return Doubt(f"{sentence} {COMPARE}")
    name, other = best, ""
    if best in ("exp", "expm1"):  # of large numbers np.log and np.log1p are nearly the same
        name, other = "expm1", ' ("exp" if your code has log, not log1p)'
    return Doubt(
        f'{sentence} With "transform": "{name}" they are off by {errors[best]:.4g}. If your app '
        f'does that, write "transform": "{name}" into "output" of {files.FEATURES}{other}, '
        "and run: make verify ACCEPT=answers",
        is_explained=True,
    )


def doubt_classes(quality: ClassQuality, target: str) -> Doubt | None:
    """Return why predicted classes are doubtful, or None."""
    recalls = _recalls(quality)
    guess = 1 / len(recalls)
    found = statistics.fmean(recalls)
    if len(recalls) < 2 or found > guess + LITTLE_BETTER:
        return None
    return Doubt(
        f"The predictions are no better than a guess at {target}: their balanced accuracy "
        f"is {found:.2f}, and guessing has {guess:.2f}. {COMPARE}"
    )


def doubt_transformers(measured: Quality, without: Quality, names: Sequence[str]) -> Doubt | None:
    """Return why transformers are doubtful, if the model predicts better without them, or None."""
    if measured.classes is not None and without.classes is not None:
        found = statistics.fmean(_recalls(measured.classes))
        better = statistics.fmean(_recalls(without.classes))
        if better <= found + LITTLE_BETTER:
            return None
        figures = f"the balanced accuracy is {better:.2f}, and {found:.2f} with it"
    elif measured.numbers is not None and without.numbers is not None:
        found, better = measured.numbers.mean_absolute, without.numbers.mean_absolute
        if better >= (1 - LITTLE_BETTER) * found:
            return None
        figures = f"they are off by {better:.4g} on average, and by {found:.4g} with it"
    else:
        return None
    return Doubt(
        f"Without {listing(names)} the predictions of {measured.target} are better: "
        f"{figures}. Probably the model was trained without it. Compare the answers with your "
        "app's before you use them."
    )


def _recalls(quality: ClassQuality) -> list[float]:
    """Return the share of the rows of each class in which it is predicted."""
    return [row[place] / sum(row) for place, row in enumerate(quality.confusion) if sum(row)]


def _error(
    pairs: Sequence[tuple[float, float]], function: Callable[[float], float] = float
) -> float:
    """Return the mean absolute error, infinite if a prediction cannot be transformed."""
    try:
        return statistics.fmean(abs(truth - function(predicted)) for truth, predicted in pairs)
    except OverflowError:
        return float("inf")


def _squared(pairs: Sequence[tuple[float, float]]) -> float:
    return statistics.fmean((truth - predicted) ** 2 for truth, predicted in pairs)
