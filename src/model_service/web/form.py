"""The HTML form: one field for each feature, and the row that a submitted form contains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from model_service.contract.batch import Batch
from model_service.contract.contract import Contract, Feature
from model_service.contract.json_values import Value, json_text
from model_service.contract.parsing import parse_rows
from model_service.contract.problems import Invalid, Problem
from model_service.contract.profile import Profile
from model_service.contract.typed_text import request_value
from model_service.contract.unusual import RowWarning
from model_service.web.titles import feature_titles
from model_service.web.wording import format_together

Control = Literal["number", "radio", "select", "text", "checkbox", "date", "textarea"]

MAX_RADIO_BUTTONS = 3  # a category with more choices is a <select>
MAX_UNGROUPED_FIELDS = 30  # a form with more fields has groups and a search field
GROUP_SIZE = 50


@dataclass(frozen=True)
class Choice:
    """One option of a radio group or <select>."""

    value: str
    label: str
    is_selected: bool


@dataclass(frozen=True)
class FormField:
    """The field of one feature; `value` is its text, as typed or filled in."""

    id: str
    name: str
    title: str
    control: Control
    hint: str
    placeholder: str | None  # the hint, if it is short enough to stand in the empty field
    is_integer: bool
    is_whole: bool  # whether a slider moves in whole numbers
    is_optional: bool
    value: str
    choices: tuple[Choice, ...]
    other: str | None  # the text beside the choices; None if the choices are all there are
    error: str | None
    warning: str | None  # why the value is unlike the sample


@dataclass(frozen=True)
class FieldGroup:
    """Neighbouring fields of a form under one heading."""

    title: str
    hint: str
    fields: tuple[FormField, ...]
    is_open: bool


def form_fields(
    contract: Contract,
    texts: Mapping[str, str],
    problems: Sequence[Problem] = (),
    profiles: Mapping[str, Profile] | None = None,
    warnings: Sequence[RowWarning] = (),
) -> list[FormField]:
    """Return the fields in the order of the contract, with their texts, errors and warnings."""
    errors = {problem.feature: problem.message for problem in problems}
    titles = feature_titles(contract)
    unusual = {warning.feature: warning.message for warning in warnings}
    return [
        replace(
            _form_field(
                f"f{number}",
                titles[feature.name],
                feature,
                texts.get(feature.name, ""),
                errors.get(feature.name),
                (profiles or {}).get(feature.name),
            ),
            warning=unusual.get(feature.name),
        )
        for number, feature in enumerate(contract.features, start=1)
    ]


def group_fields(contract: Contract, fields: Sequence[FormField]) -> list[FieldGroup]:
    """Return the fields under headings, or none if the form needs none.

    The headings are the contract's groups in the order of their first features. Without them a form
    of many fields has headings that count. The first group and those with an error are open.
    """
    if any(feature.group for feature in contract.features):
        named: dict[str, list[FormField]] = {}
        for feature, field in zip(contract.features, fields, strict=True):
            named.setdefault(feature.group or "More", []).append(field)
        groups = [(title, "", tuple(members)) for title, members in named.items()]
    elif len(fields) > MAX_UNGROUPED_FIELDS:
        groups = [
            _counted_group(start, tuple(fields[start : start + GROUP_SIZE]))
            for start in range(0, len(fields), GROUP_SIZE)
        ]
    else:
        return []
    opens_all = len(fields) <= MAX_UNGROUPED_FIELDS
    return [
        FieldGroup(title, hint, members, opens_all or number == 0 or any(f.error for f in members))
        for number, (title, hint, members) in enumerate(groups)
    ]


def _counted_group(
    start: int, members: tuple[FormField, ...]
) -> tuple[str, str, tuple[FormField, ...]]:
    title = f"Features {start + 1} to {start + len(members)}"
    return title, f"{members[0].title} … {members[-1].title}", members


def _form_field(
    field_id: str,
    title: str,
    feature: Feature,
    text: str,
    error: str | None,
    profile: Profile | None,
) -> FormField:
    control = _control(feature)
    choices = tuple(_choices(feature, text))
    is_open = bool(feature.categories) and not feature.closed
    is_other = not any(choice.is_selected for choice in choices)
    return FormField(
        id=field_id,
        name=feature.name,
        title=title,
        control=control,
        hint=" ".join(_hint_sentences(feature)),
        placeholder=_placeholder(feature),
        is_integer=feature.type == "integer",
        is_whole=_is_whole(feature, profile),
        is_optional=feature.nullable,
        value=text,
        choices=choices,
        other=(text if is_other else "") if is_open else None,
        error=error,
        warning=None,
    )


def _is_whole(feature: Feature, profile: Profile | None) -> bool:
    """Return whether a number counts something, as far as the sample shows."""
    if feature.type != "number" or profile is None:
        return feature.type == "integer"
    ends = (feature.minimum, feature.maximum)
    if profile.values:
        return all(isinstance(value, int) for value in profile.values)
    return all(isinstance(value, int) for value in (*ends, profile.start, profile.step))


def _control(feature: Feature) -> Control:
    if feature.type in ("number", "integer"):
        return "number"
    if feature.type == "boolean":
        return "radio" if feature.nullable else "checkbox"
    if feature.type == "category":
        if feature.categories is None:
            return "text"
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


def _hint_sentences(feature: Feature) -> Iterator[str]:
    if feature.description:
        end = "" if feature.description[-1] in ".!?…" else "."
        yield f"{feature.description}{end}"
    if value_range := range_text(feature):
        yield f"{'From' if feature.strict else 'Usually'} {value_range}."
    elif feature.unit:
        yield f"In {feature.unit}."


def _placeholder(feature: Feature) -> str | None:
    """Return the hint of a number in a few words, or None if it needs whole sentences."""
    value_range = range_text(feature)
    if feature.description or (feature.unit and not value_range):
        return None
    return value_range


def range_text(feature: Feature) -> str:
    """Return a feature's minimum, maximum and unit, or "" unless both ends are known."""
    low, high = feature.minimum, feature.maximum
    if low is None or high is None:
        return ""
    unit = f" {feature.unit}" if feature.unit else ""
    return f"{' to '.join(format_together(low, high))}{unit}"


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
