"""Explanations and reasons as the JSON of an answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from model_service.contract.batch import Batch, listed
from model_service.contract.contract import Contract, Output
from model_service.contract.json_values import Value, json_text, same_json
from model_service.explain.blackbox import Budget, DoesNotFit
from model_service.explain.explainer import Explainer, NotAdditive
from model_service.explain.parts import Explained
from model_service.explain.reasons import as_typed, reasons_of
from model_service.explain.responses import ExplainedColumn, Kind, TargetColumns

MAX_EXPONENT = 700.0


@dataclass(frozen=True)
class ExplainRequest:
    """What a caller wants to know beside the predictions."""

    explanation: bool = True
    reasons: int = 0  # how many at most
    class_text: str | None = None  # the JSON text of the class to explain


class UnknownClass(ValueError):
    """The class that a caller asks about is none of the model's; the message names them."""


class _Asked(NamedTuple):
    """What is asked about a row."""

    subjects: Sequence[ExplainedColumn]  # to explain, one for each target
    denied: ExplainedColumn | None  # the class that the row did not get, for the reasons


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
    targets, output = explainer.targets, contract.output
    asked = [_asked(targets, output, prediction, wanted) for prediction in predictions]
    found = _explain_some(explainer, batch, [_columns(one) for one in asked], budget)
    rows = zip(*[listed(batch.columns[name]) for name in contract.by_name], strict=True)
    answers = []
    for row, prediction, one, explained in zip(rows, predictions, asked, found, strict=True):
        members: dict[str, Any] = {}
        if wanted.explanation:
            members["explanation"] = _explanation(
                explainer, contract, row, prediction, one.subjects, explained
            )
        if wanted.reasons:
            members["reasons"] = []
            if one.denied is not None:
                own = _turned(explained[one.denied.column], one.denied, explainer.about.kind)
                medians = explainer.about.medians
                members["reasons"] = reasons_of(contract, row, own, medians, wanted.reasons)
        answers.append(members)
    return answers


def _asked(
    targets: Sequence[TargetColumns],
    output: Output,
    prediction: Mapping[str, Any],
    wanted: ExplainRequest,
) -> _Asked:
    subjects: Sequence[ExplainedColumn] = ()
    if wanted.explanation:
        subjects = [_subject(target, output, prediction, wanted.class_text) for target in targets]
    denied = None
    if wanted.reasons and output.positive is not None and len(targets) == 1:
        positive = targets[0].subject(output.positive)
        denied = None if same_json(prediction["prediction"], output.positive) else positive
    return _Asked(subjects, denied)


def _subject(
    target: TargetColumns, output: Output, prediction: Mapping[str, Any], class_text: str | None
) -> ExplainedColumn:
    """Return what is explained: the class that is asked for, the positive, else the predicted.

    Raises UnknownClass.
    """
    if target.classes is None:
        return target.subjects[0]
    if class_text is not None:
        found = next((s for s in target.subjects if s.class_text == class_text), None)
    elif output.positive is not None and target.name is None:
        found = target.subject(output.positive)
    elif len(target.classes) == 2:
        found = target.subjects[1]
    else:
        predicted = prediction["prediction"]
        predicted = predicted if target.name is None else predicted[target.name]
        class_text, found = json_text(predicted), target.subject(predicted)
    if found is None:
        class_text = json_text(output.positive) if class_text is None else class_text
        texts = ", ".join(str(subject.class_text) for subject in target.subjects)
        raise UnknownClass(f"{class_text} is none of the classes {texts}")
    return found


def _columns(asked: _Asked) -> list[int]:
    """Return the columns of the response that are needed, each once."""
    subjects = asked.subjects if asked.denied is None else (*asked.subjects, asked.denied)
    return [*{subject.column: None for subject in subjects}]


def _explain_some(
    explainer: Explainer, batch: Batch, columns: Sequence[Sequence[int]], budget: Budget
) -> list[dict[int, Explained]]:
    """Explain the rows of which something is wanted. Raises DoesNotFit, NotAdditive."""
    places = [place for place, wanted in enumerate(columns) if wanted]
    found: list[dict[int, Explained]] = [{} for _ in columns]
    if not places:
        return found
    if len(places) == len(columns):
        return explainer.explain(batch, columns, budget)
    batch = batch.without(set(range(len(batch))) - set(places))
    try:
        explained = explainer.explain(batch, [columns[place] for place in places], budget)
    except DoesNotFit as error:
        raise budget.exceeded(places[error.row_count]) from None
    for place, of_row in zip(places, explained, strict=True):
        found[place] = of_row
    return found


def _turned(explained: Explained, subject: ExplainedColumn, kind: Kind) -> Explained:
    """Return the explanation of the first of two classes from that of the second one."""
    if not subject.is_turned:
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
    row: Sequence[Value],
    prediction: Mapping[str, Any],
    subjects: Sequence[ExplainedColumn],
    explained: Mapping[int, Explained],
) -> dict[str, Any]:
    """Return the explanation; for several targets one for each, by name."""
    about, found = explainer.about, {}
    for subject in subjects:
        own = _turned(explained[subject.column], subject, about.kind)
        _require_answer(explainer, contract.output, own, subject, prediction)
        found[subject.target.name] = {
            "of": subject_text(about.kind, subject.class_text, contract.output),
            **_content(contract, row, own, about.background_count),
        }
    return found[None] if None in found else {str(name): one for name, one in found.items()}


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
    contract: Contract, row: Sequence[Value], explained: Explained, background_count: int
) -> dict[str, Any]:
    contributions, errors = explained.contributions, explained.error
    entries: list[dict[str, Any]] = [
        {"feature": name, "value": as_typed(row[place]), "contribution": contributions[place]}
        for place, name in contract.places_by_name
    ]
    if errors is not None:
        for entry, (place, _) in zip(entries, contract.places_by_name, strict=True):
            entry["error"] = errors[place]
    # Equal contributions stay in the order of the names: the order of the features says nothing.
    entries.sort(key=_size, reverse=True)
    if explained.words and len(entries) == 1:
        entries[0]["words"] = [
            {"word": word.word, "contribution": word.contribution} for word in explained.words
        ]
    return {
        "base": explained.base,
        "value": explained.value,
        "background": background_count,
        "exact": errors is None,
        "error": None if errors is None else max(errors),
        "features": entries,
    }


def _size(entry: Mapping[str, Any]) -> float:
    contribution: float = entry["contribution"]
    return abs(contribution)


def _require_answer(
    explainer: Explainer,
    output: Output,
    explained: Explained,
    subject: ExplainedColumn,
    prediction: Mapping[str, Any],
) -> None:
    """Compare the value that is explained with what the answer says. Raises NotAdditive."""
    kind, name = explainer.about.kind, subject.target.name
    answered: float | None
    if kind in ("log-odds", "probability") and subject.class_text is not None:
        shares = prediction.get("probabilities")
        if shares is None:
            return
        answered = (shares if name is None else shares[name])[subject.class_text]
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
