"""The form: a field for each feature of the contract, and what was typed into them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from model_service.contract.contract import (
    Contract,
    Feature,
    Invalid,
    Problem,
    Row,
    Value,
    json_text,
)
from model_service.contract.typed_text import request_value

Control = Literal["number", "radio", "select", "suggest", "line", "checkbox", "date", "text"]

# More choices than these are a list to pick from.
MOST_RADIOS = 3
# More fields than these are laid out in groups, with a search.
MOST_FIELDS, GROUP = 30, 50


@dataclass(frozen=True)
class Option:
    value: str
    text: str
    chosen: bool


@dataclass(frozen=True)
class Field:
    """One labelled field; `value` is its text as typed or filled in."""

    id: str
    name: str
    control: Control
    hint: str
    brief: str | None  # the hint in a few words, where that is possible
    integer: bool
    value: str
    options: tuple[Option, ...]
    error: str | None


@dataclass(frozen=True)
class Group:
    """Neighbouring fields of a wide model."""

    fields: tuple[Field, ...]
    first: int
    last: int
    open: bool


def fields_of(
    contract: Contract, texts: Mapping[str, str], problems: Sequence[Problem] = ()
) -> list[Field]:
    """Return the fields in contract order, with their texts and what is wrong with them."""
    wrong = {problem.feature: problem.message for problem in problems}
    return [
        _field(number, feature, texts.get(feature.name, ""), wrong.get(feature.name))
        for number, feature in enumerate(contract.features, start=1)
    ]


def groups_of(fields: Sequence[Field]) -> list[Group]:
    """Return the fields of a wide model in groups; a group that has an error is open."""
    groups = []
    for start in range(0, len(fields), GROUP):
        members = tuple(fields[start : start + GROUP])
        wrong = any(field.error for field in members)
        groups.append(Group(members, start + 1, start + len(members), wrong or start == 0))
    return groups


def _field(number: int, feature: Feature, text: str, error: str | None) -> Field:
    control = _control(feature)
    return Field(
        id=f"f{number}",
        name=feature.name,
        control=control,
        hint=" ".join(_hints(feature, control)),
        brief=_brief(feature),
        integer=feature.type == "integer",
        value=text,
        options=tuple(_options(feature, text)),
        error=error,
    )


def _control(feature: Feature) -> Control:
    if feature.type in ("number", "integer"):
        return "number"
    if feature.type == "boolean":
        return "radio" if feature.nullable else "checkbox"
    if feature.type == "category":
        if feature.categories is None:
            return "line"
        if not feature.closed:
            return "suggest"
        return "radio" if len(feature.categories) <= MOST_RADIOS else "select"
    return "date" if feature.type == "date" else "text"


def _options(feature: Feature, text: str) -> Iterator[Option]:
    """Yield what can be chosen; "" stands for null, which only a nullable feature takes."""
    if feature.type == "boolean":
        named = {"true": "Yes", "false": "No"}
    else:
        named = {json_text(category): json_text(category) for category in feature.categories or ()}
    for value, shown in named.items():
        yield Option(value, shown, value == text)
    if feature.nullable and "" not in named:
        yield Option("", "unknown", text == "")


def _hints(feature: Feature, control: Control) -> Iterator[str]:
    if feature.description:
        end = "" if feature.description[-1] in ".!?…" else "."
        yield f"{feature.description}{end}"
    if usual := range_of(feature):
        yield f"{'From' if feature.strict else 'Usually'} {usual}."
    elif feature.unit:
        yield f"In {feature.unit}."
    if feature.nullable and control not in ("radio", "select"):
        yield "Leave it empty if unknown."


def _brief(feature: Feature) -> str | None:
    """Return what a number may be, short enough to stand in its empty field."""
    usual = range_of(feature)
    if feature.description or (feature.unit and not usual):
        return None
    return ", ".join(filter(None, (usual, "empty if unknown" if feature.nullable else "")))


def range_of(feature: Feature) -> str:
    """Return the range of a feature with its unit, or nothing where none is known."""
    low, high = feature.minimum, feature.maximum
    if low is None or high is None:
        return ""
    unit = f" {feature.unit}" if feature.unit else ""
    # Up to four digits it may be a year.
    form = ".12g" if max(abs(low), abs(high)) < 10_000 else ",.12g"
    return f"{low:{form}} to {high:{form}}{unit}"


def text_of(value: object) -> str:
    """Return a JSON value as the text of its field; null is an empty one."""
    return "" if value is None else json_text(value)  # type: ignore[arg-type]


def texts_of(row: Mapping[str, Value]) -> dict[str, str]:
    """Return a row as the texts of its fields."""
    return {name: text_of(value) for name, value in row.items()}


def read_texts(contract: Contract, texts: Mapping[str, str]) -> tuple[Row | None, list[Problem]]:
    """Return the row that was typed, or all that is wrong with it in contract order."""
    features = contract.by_name
    row: dict[str, object] = {}
    unread: dict[str, Problem] = {}
    for name, typed in texts.items():
        # Browsers send the line breaks of a text as CR LF, a JSON request has LF.
        text = typed.replace("\r\n", "\n")
        try:
            row[name] = request_value(features[name], text) if name in features else text
        except Invalid as error:
            unread[name] = Problem(1, name, str(error))
    rows, problems = contract.parse_rows([row])
    found = {problem.feature: problem for problem in problems} | unread
    if not found:
        return rows[0], []
    places = {name: place for place, name in enumerate(features)}
    return None, sorted(found.values(), key=lambda p: places.get(p.feature or "", len(places)))
