"""Explanations and reasons as the JSON of an answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_service.contract.contract import (
    Batch,
    Contract,
    Feature,
    Output,
    Value,
    json_text,
    same_json,
)
from model_service.contract.typed_text import whole
from model_service.explain.blackbox import Budget, DoesNotFit
from model_service.explain.explainer import Explained, Explainer, NotAdditive
from model_service.explain.responses import Kind, TargetColumns

# Reasons below this share of all that pushed against a row are left out.
MIN_SHARE = 0.05
MAX_REASONS = 4
MAX_EXPONENT = 700.0


@dataclass(frozen=True)
class ExplainRequest:
    """What a caller wants to know beside the predictions."""

    explanation: bool = True
    reasons: int = 0  # how many at most
    class_text: str | None = None  # the JSON text of the class to explain


class UnknownClass(ValueError):
    """The class that a caller asks about is none of the model's; the message names them."""


@dataclass(frozen=True)
class _Chosen:
    """What is explained of a row for one target: a column of the response, perhaps turned."""

    target: TargetColumns
    place: int | None  # of the class; None for a number

    @property
    def column(self) -> int:
        """The column of the response."""
        return self.target.first + (self.place or 0 if self.target.width > 1 else 0)

    @property
    def is_turned(self) -> bool:
        """Whether it is the first of two classes, which has no column."""
        return self.target.width == 1 and self.target.classes is not None and self.place == 0

    @property
    def class_text(self) -> str | None:
        """The class as JSON text."""
        classes = self.target.classes
        return None if classes is None or self.place is None else json_text(classes[self.place])


def explain_rows(
    explainer: Explainer,
    contract: Contract,
    batch: Batch,
    predictions: Sequence[Mapping[str, Any]],
    wanted: ExplainRequest,
    budget: Budget,
) -> list[dict[str, Any]]:
    """Return the members that each row's answer gets. Raises DoesNotFit, UnknownClass, NotAdditive.

    `predictions` are those of the batch, in the shape of /predict.
    """
    output = contract.output
    positive = _positive(explainer.targets, output) if wanted.reasons else None
    chosen = [
        [_choose(target, output, row, wanted.class_text) for target in explainer.targets]
        if wanted.explanation
        else []
        for row in predictions
    ]
    refused = [positive is not None and _is_refused(row, output) for row in predictions]
    columns = []
    for of_row, is_refused in zip(chosen, refused, strict=True):
        needed = {choice.column: None for choice in of_row}
        if is_refused and positive is not None:
            needed[positive.column] = None
        columns.append([*needed])
    found = _explain_some(explainer, batch, columns, budget)
    answers = []
    for number, (explained, row) in enumerate(zip(found, batch.rows(), strict=True)):
        members: dict[str, Any] = {}
        if wanted.explanation:
            members["explanation"] = _explanation(
                explainer, contract, row, predictions[number], chosen[number], explained
            )
        if wanted.reasons:
            members["reasons"] = []
            if refused[number] and positive is not None:
                own = _turned(explained[positive.column], positive, explainer.about.kind)
                medians = explainer.about.medians
                members["reasons"] = reasons_of(contract, row, own, medians, wanted.reasons)
        answers.append(members)
    return answers


def _explain_some(
    explainer: Explainer, batch: Batch, columns: Sequence[Sequence[int]], budget: Budget
) -> list[dict[int, Explained]]:
    """Explain the rows of which something is wanted. Raises DoesNotFit, NotAdditive."""
    found: list[dict[int, Explained]] = [{} for _ in columns]
    places = [place for place, wanted in enumerate(columns) if wanted]
    if not places:
        return found
    if len(places) < len(columns):
        batch = batch.without(set(range(len(batch))) - set(places))
    try:
        explained = explainer.explain(batch, [columns[place] for place in places], budget)
    except DoesNotFit as error:
        raise budget.exceeded(places[error.row_count]) from None
    for place, of_row in zip(places, explained, strict=True):
        found[place] = of_row
    return found


def _positive(targets: Sequence[TargetColumns], output: Output) -> _Chosen | None:
    if output.positive is None or len(targets) != 1 or targets[0].classes is None:
        return None
    return _Chosen(targets[0], _place(targets[0], output.positive))


def _place(target: TargetColumns, wanted: Any) -> int | None:
    for place, known in enumerate(target.classes or ()):
        if same_json(known, wanted):
            return place
    return None


def _choose(
    target: TargetColumns, output: Output, row: Mapping[str, Any], class_text: str | None
) -> _Chosen:
    """Return what is explained: the class that is asked for, the positive, else the predicted."""
    classes = target.classes
    if classes is None:
        return _Chosen(target, None)
    if class_text is not None:
        texts = [json_text(known) for known in classes]
        if class_text not in texts:
            raise UnknownClass(f"{class_text} is none of the classes {', '.join(texts)}")
        return _Chosen(target, texts.index(class_text))
    if output.positive is not None and target.name is None:
        return _Chosen(target, _place(target, output.positive))
    if len(classes) == 2:
        return _Chosen(target, 1)
    predicted = row["prediction"] if target.name is None else row["prediction"][target.name]
    return _Chosen(target, _place(target, predicted))


def _is_refused(row: Mapping[str, Any], output: Output) -> bool:
    return not same_json(row["prediction"], output.positive)


def _turned(explained: Explained, chosen: _Chosen, kind: Kind) -> Explained:
    """Return the explanation of the first of two classes from that of the second one."""
    if not chosen.is_turned:
        return explained
    whole = 1.0 if kind in ("probability", "vote") else 0.0
    return Explained(
        [-contribution for contribution in explained.contributions],
        whole - explained.base,
        whole - explained.value,
        explained.error,
        tuple(type(w)(w.word, -w.contribution) for w in explained.words),
    )


def _explanation(
    explainer: Explainer,
    contract: Contract,
    row: Mapping[str, Value],
    prediction: Mapping[str, Any],
    chosen: Sequence[_Chosen],
    explained: Mapping[int, Explained],
) -> dict[str, Any]:
    """Return the explanation; for several targets one for each, by name."""
    by_target: dict[str | None, dict[str, Any]] = {}
    for choice in chosen:
        own = _turned(explained[choice.column], choice, explainer.about.kind)
        _require_answer(explainer, contract.output, own, choice, prediction)
        by_target[choice.target.name] = {
            "of": subject_text(explainer.about.kind, choice.class_text, contract.output),
            **_content(contract, row, own, explainer.about.background_count),
        }
    if list(by_target) == [None]:
        return by_target[None]
    return {str(name): content for name, content in by_target.items()}


def subject_text(kind: Kind, class_text: str | None, output: Output) -> str:
    """Return what is explained, in words."""
    if class_text is not None:
        what = "prediction (1 or 0)" if kind == "vote" else kind
        return f"{what} of {class_text}"
    if kind == "log":
        return "logarithm of the value"
    if kind == "value" and output.transform is not None:
        name = output.transform if isinstance(output.transform, str) else "scaling"
        return f"value before {name}"
    return kind


def _content(
    contract: Contract, row: Mapping[str, Value], explained: Explained, background_count: int
) -> dict[str, Any]:
    errors = explained.error
    entries: list[dict[str, Any]] = [
        {"feature": name, "value": _as_typed(row[name]), "contribution": contribution}
        for name, contribution in zip(contract.by_name, explained.contributions, strict=True)
    ]
    if errors is not None:
        for entry, error in zip(entries, errors, strict=True):
            entry["error"] = error
    if explained.words and len(entries) == 1:
        entries[0]["words"] = [
            {"word": word.word, "contribution": word.contribution} for word in explained.words
        ]
    # Equal contributions in the order of the names: the order of the features says nothing.
    entries.sort(key=lambda entry: (-abs(entry["contribution"]), entry["feature"]))
    return {
        "base": explained.base,
        "value": explained.value,
        "background": background_count,
        "exact": errors is None,
        "error": None if errors is None else max(errors),
        "features": entries,
    }


def _as_typed(value: Value) -> Value:
    """Return a value as people type it: 5000, not 5000.0."""
    return whole(value) if isinstance(value, float) else value


def _require_answer(
    explainer: Explainer,
    output: Output,
    explained: Explained,
    chosen: _Chosen,
    prediction: Mapping[str, Any],
) -> None:
    """Compare the value that is explained with what the answer says. Raises NotAdditive."""
    kind, name = explainer.about.kind, chosen.target.name
    answered: float | None
    if kind in ("log-odds", "probability") and chosen.class_text is not None:
        shares = prediction.get("probabilities")
        if shares is None:
            return
        answered = (shares if name is None else shares[name])[chosen.class_text]
        value = explained.value if kind == "probability" else _logistic(explained.value)
    elif kind == "value" and output.transform is None:
        answered = prediction["prediction"] if name is None else prediction["prediction"][name]
        value = explained.value
    else:
        return
    tolerance = max(explainer.tolerance, 1e-9)
    if answered is not None and not math.isclose(
        answered, value, rel_tol=tolerance, abs_tol=tolerance * max(abs(explained.base), 1.0)
    ):
        raise NotAdditive(f"the answer is {answered}, and {value} would be explained")


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value > -MAX_EXPONENT else 0.0


def reasons_of(
    contract: Contract,
    row: Mapping[str, Value],
    explained: Explained,
    medians: Mapping[str, float],
    count: int,
) -> list[dict[str, Any]]:
    """Return the features that pushed most against a row, the largest first."""
    contributions = explained.contributions
    against = sum(-c for c in contributions if c < 0)
    found = [
        (contribution, feature)
        for contribution, feature in zip(contributions, contract.features, strict=True)
        if contribution < -MIN_SHARE * against and feature.explain is not False
    ]
    found.sort(key=lambda entry: (entry[0], entry[1].name))
    return [
        {
            "feature": feature.name,
            **_reason(feature, row[feature.name], medians.get(feature.name)),
            "contribution": contribution,
        }
        for contribution, feature in found[: min(count, MAX_REASONS)]
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
    return f"{title} is {json_text(_as_typed(value))}"


def number_of(feature: Feature, value: Value) -> float | None:
    """Return what a value is compared by: itself, or the code of its category."""
    if value is None:
        return None
    if feature.encode is not None:
        return float(feature.encode[json_text(value)])
    return float(value) if isinstance(value, (int, float)) else None
