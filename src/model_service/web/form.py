"""The HTML form: one field for each feature, and the row that a submitted form contains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from model_service.contract.contract import Batch, Contract, Feature, Value, json_text
from model_service.contract.parsing import parse_rows
from model_service.contract.problems import Invalid, Problem
from model_service.contract.typed_text import request_value
from model_service.contract.unusual import RowWarning

Control = Literal["number", "radio", "select", "datalist", "text", "checkbox", "date", "textarea"]

MAX_RADIO_BUTTONS = 3  # a category with more choices is a <select>
MAX_UNGROUPED_FIELDS = 30  # a form with more fields has groups and a search field
GROUP_SIZE = 50


@dataclass(frozen=True)
class Choice:
    """One option of a radio group, <select> or <datalist>."""

    value: str
    label: str
    is_selected: bool


@dataclass(frozen=True)
class FormField:
    """The field of one feature; `value` is its text, as typed or filled in."""

    id: str
    name: str
    control: Control
    hint: str
    placeholder: str | None  # the hint, if it is short enough to stand in the empty field
    is_integer: bool
    value: str
    choices: tuple[Choice, ...]
    error: str | None
    warning: str | None  # why the value is unlike the sample


@dataclass(frozen=True)
class FieldGroup:
    """Neighbouring fields of a form with many fields; `first` and `last` count from 1."""

    fields: tuple[FormField, ...]
    first: int
    last: int
    is_open: bool


def form_fields(
    contract: Contract,
    texts: Mapping[str, str],
    problems: Sequence[Problem] = (),
    warnings: Sequence[RowWarning] = (),
) -> list[FormField]:
    """Return the fields in the order of the contract, with their texts, errors and warnings."""
    errors = {problem.feature: problem.message for problem in problems}
    unusual = {warning.feature: warning.message for warning in warnings}
    return [
        replace(
            _form_field(number, feature, texts.get(feature.name, ""), errors.get(feature.name)),
            warning=unusual.get(feature.name),
        )
        for number, feature in enumerate(contract.features, start=1)
    ]


def group_fields(fields: Sequence[FormField]) -> list[FieldGroup]:
    """Return the fields in groups; the first group and those with an error are open."""
    groups = []
    for start in range(0, len(fields), GROUP_SIZE):
        members = tuple(fields[start : start + GROUP_SIZE])
        has_error = any(field.error for field in members)
        groups.append(FieldGroup(members, start + 1, start + len(members), has_error or start == 0))
    return groups


def _form_field(number: int, feature: Feature, text: str, error: str | None) -> FormField:
    control = _control(feature)
    return FormField(
        id=f"f{number}",
        name=feature.name,
        control=control,
        hint=" ".join(_hint_sentences(feature, control)),
        placeholder=_placeholder(feature),
        is_integer=feature.type == "integer",
        value=text,
        choices=tuple(_choices(feature, text)),
        error=error,
        warning=None,
    )


def _control(feature: Feature) -> Control:
    if feature.type in ("number", "integer"):
        return "number"
    if feature.type == "boolean":
        return "radio" if feature.nullable else "checkbox"
    if feature.type == "category":
        if feature.categories is None:
            return "text"
        if not feature.closed:
            return "datalist"
        return "radio" if len(feature.categories) <= MAX_RADIO_BUTTONS else "select"
    return "date" if feature.type == "date" else "textarea"


def _choices(feature: Feature, text: str) -> Iterator[Choice]:
    """Yield the choices of a feature; the value "" stands for null if the feature is nullable."""
    if feature.type == "boolean":
        labels = {"true": "Yes", "false": "No"}
    else:
        labels = {json_text(value): json_text(value) for value in feature.categories or ()}
    for value, label in labels.items():
        yield Choice(value, label, value == text)
    if feature.nullable and "" not in labels:
        yield Choice("", "unknown", text == "")


def _hint_sentences(feature: Feature, control: Control) -> Iterator[str]:
    if feature.description:
        end = "" if feature.description[-1] in ".!?…" else "."
        yield f"{feature.description}{end}"
    if value_range := range_text(feature):
        yield f"{'From' if feature.strict else 'Usually'} {value_range}."
    elif feature.unit:
        yield f"In {feature.unit}."
    if feature.nullable and control not in ("radio", "select"):
        yield "Leave it empty if unknown."


def _placeholder(feature: Feature) -> str | None:
    """Return the hint of a number in a few words, or None if it needs whole sentences."""
    value_range = range_text(feature)
    if feature.description or (feature.unit and not value_range):
        return None
    return ", ".join(filter(None, (value_range, "empty if unknown" if feature.nullable else "")))


def range_text(feature: Feature) -> str:
    """Return a feature's minimum, maximum and unit, or "" unless both ends are known."""
    low, high = feature.minimum, feature.maximum
    if low is None or high is None:
        return ""
    unit = f" {feature.unit}" if feature.unit else ""
    # No thousands separator in numbers of up to four digits, which can be years.
    number_format = ".12g" if max(abs(low), abs(high)) < 10_000 else ",.12g"
    return f"{low:{number_format}} to {high:{number_format}}{unit}"


def field_text(value: object) -> str:
    """Return a JSON value as the text of its field; null is an empty field."""
    if value is None:
        return ""
    return json_text(value)  # type: ignore[arg-type]  # a pasted row may hold a list or an object


def field_texts(row: Mapping[str, Value]) -> dict[str, str]:
    """Return a row as the texts of its fields."""
    return {name: field_text(value) for name, value in row.items()}


def parse_form(contract: Contract, texts: Mapping[str, str]) -> Batch:
    """Return the row that the texts of the fields mean, or its problems in contract order."""
    features = contract.by_name
    row: dict[str, object] = {}
    for name, typed in texts.items():
        # Browsers send line breaks as CR LF; a JSON request has LF.
        text = typed.replace("\r\n", "\n")
        try:
            row[name] = request_value(features[name], text) if name in features else text
        except Invalid as error:
            row[name] = error
    batch = parse_rows(contract, [row])
    places = {name: place for place, name in enumerate(features)}
    batch.problems.sort(lambda problem: places.get(problem.feature or "", len(places)))
    return batch
