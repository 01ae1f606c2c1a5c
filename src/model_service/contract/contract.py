"""The contract of the API: `model/features.json` in, validated rows and model columns out.

Standard library only: the workbench reads the same contract where Flask and NumPy are missing.
"""

from __future__ import annotations

import datetime
import difflib
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args, overload

Scalar = str | int | float | bool
Value = Scalar | None
Row = dict[str, Value]
FeatureType = Literal["number", "integer", "category", "boolean", "text", "date"]
# What a column is for the model. NumPy dtypes are chosen from it in model.py.
ColumnKind = Literal["float", "int", "bool", "text", "date", "object"]

TYPES: tuple[str, ...] = get_args(FeatureType)
TRANSFORMS = ("exp", "expm1")
# Models hold whole numbers in 64 bits.
WHOLE_NUMBERS = 2**63
# The years that datetime64[ns], which models are trained on, can hold in full.
EARLIEST, LATEST = datetime.date(1678, 1, 1), datetime.date(2261, 12, 31)
# A hostile request may hold 100,000 unknown names; looking for their neighbours costs.
MAX_SUGGESTIONS = 20


class ContractError(ValueError):
    """The contract itself is wrong; `problems` has one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


# Why rows are refused, in a word: for counts.
Reason = Literal["type", "null", "range", "category", "missing", "unknown", "model", "form"]
REASONS: tuple[Reason, ...] = get_args(Reason)


class Invalid(ValueError):
    """A value does not fit its feature; the message completes "<feature> …"."""

    def __init__(self, message: str, reason: Reason = "type") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a request. Rows count from 1, as people do."""

    row: int | None  # None for a file as a whole
    feature: str | None
    message: str
    line: int | None = None  # of a file, where the row begins
    reason: Reason = "form"

    def to_json(self) -> dict[str, object]:
        line = {"line": self.line} if self.line is not None else {}
        return {"row": self.row, **line, "feature": self.feature, "message": self.message}


class Table(Sequence[Row]):
    """Rows that are kept by feature: many of them without an object for each."""

    def __init__(self, values: Mapping[str, Sequence[Value]]) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> Table: ...
    def __getitem__(self, place: int | slice) -> Row | Table:
        if isinstance(place, slice):
            return Table({name: values[place] for name, values in self.values.items()})
        return {name: values[place] for name, values in self.values.items()}


@dataclass(slots=True)  # frozen, it would take three times as long to make
class Column:
    """One column as the model wants it; None is a missing value."""

    name: str
    kind: ColumnKind
    values: list[Value]


@dataclass(frozen=True)
class Feature:
    """One input of the API, as people say it."""

    name: str
    type: FeatureType = "number"
    description: str = ""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[Scalar, ...] | None = None
    strict: bool | None = None
    nullable: bool = False
    default: Value = None
    encode: Mapping[str, float] | None = None
    one_hot: Mapping[str, str] | None = None
    longest: int | None = None  # characters of a text: a setting, and no member of features.json

    @cached_property
    def closed(self) -> bool:
        """Whether only the listed categories are taken."""
        if self.categories is None:
            return False
        # A category is encoded by looking it up, and of mixed ones no type is left to demand.
        return self.encoded or self.strict is not False or self.category_type is None

    @cached_property
    def encoded(self) -> bool:
        return self.encode is not None or self.one_hot is not None

    @cached_property
    def category_type(self) -> Literal["text", "number"] | None:
        """What all categories are; without any they are text."""
        kinds = {type(category) for category in self.categories or ()}
        if kinds <= {str}:
            return "text"
        return "number" if kinds <= {int, float} else None

    @cached_property
    def _texts(self) -> frozenset[str]:
        """The categories that are text, which most values are one of."""
        return frozenset(value for value in self.categories or () if isinstance(value, str))

    def parse(self, value: object) -> Value:
        """Return the value as the model meets it, or raise Invalid."""
        if value is None:
            if self.nullable:
                return None
            raise Invalid("must not be null", "null")
        return _PARSERS[self.type](self, value)

    def encode_values(self, values: list[Value]) -> list[Column]:
        """Return the model's columns for one value a row of a feature that is encoded."""
        if self.one_hot is not None:
            return [
                Column(column, "float", [float(json_text(v) == category) for v in values])
                for category, column in self.one_hot.items()
            ]
        codes = self.encode or {}
        encoded: list[Value] = [None if v is None else codes[json_text(v)] for v in values]
        return [Column(self.name, "float", encoded)]

    @cached_property
    def kind(self) -> ColumnKind:
        """What the column of a feature that is not encoded is."""
        # Decided by the contract, never by the values of one request: a row must get the same
        # prediction alone and among others.
        if self.type == "number":
            return "float"
        if self.type == "integer":
            return "float" if self.nullable else "int"
        if self.type == "boolean":
            return "object" if self.nullable else "bool"
        if self.type == "date":
            return "date"
        if self.type == "text" or self.category_type == "text":
            return "text"
        if self.category_type is None:
            return "object"
        whole = all(isinstance(category, int) for category in self.categories or ())
        return "int" if whole and self.closed and not self.nullable else "float"

    def to_json(self) -> dict[str, Any]:
        """Return the feature as it stands in features.json: without what has no meaning for it."""
        document = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "longest"}
        document["categories"] = list(self.categories) if self.categories is not None else None
        kept = {"name", "type", "nullable"}
        return {k: v for k, v in document.items() if k in kept or v not in (None, "")}


@dataclass(frozen=True)
class Output:
    """How the prediction is named and said."""

    name: str = "Prediction"
    labels: Mapping[str, str] = field(default_factory=dict)
    positive: Scalar | None = None
    threshold: float | None = None
    transform: str | None = None
    unit: str | None = None
    targets: tuple[str, ...] | None = None

    @property
    def asks_for_classes(self) -> bool:
        """Whether a raw booster that answers a number is to answer one of two classes."""
        return bool(self.labels) or self.threshold is not None

    def to_json(self) -> dict[str, Any]:
        document = {f.name: getattr(self, f.name) for f in fields(self)}
        document["targets"] = list(self.targets) if self.targets is not None else None
        return {k: v for k, v in document.items() if v is not None and v != {}}


@dataclass(frozen=True)
class Transformer:
    """A fitted file that is applied before the model, to all columns or to the named ones."""

    file: str
    columns: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        columns = {"columns": list(self.columns)} if self.columns is not None else {}
        return {"file": self.file, **columns}


@dataclass(frozen=True)
class Contract:
    features: tuple[Feature, ...]
    output: Output = Output()
    transformers: tuple[Transformer, ...] = ()

    def with_texts_up_to(self, characters: int) -> Contract:
        """Return the contract that refuses longer texts."""
        features = tuple(replace(feature, longest=characters) for feature in self.features)
        return replace(self, features=features)

    @cached_property
    def by_name(self) -> Mapping[str, Feature]:
        """The features, by their names."""
        return {feature.name: feature for feature in self.features}

    def parse_rows(self, rows: Sequence[object]) -> tuple[list[Row], list[Problem]]:
        """Validate rows; return the valid ones and every problem of the others."""
        parsed: list[Row] = []
        problems: list[Problem] = []
        suggestions = Suggestions(self.by_name)
        for number, row in enumerate(rows, start=1):
            found = len(problems)
            values: Row = {}
            if not isinstance(row, dict):
                message = f"must be an object of features, not {json_type(row)}"
                problems.append(Problem(number, None, message))
                continue
            for feature in self.features:
                if feature.name not in row:
                    continue
                try:
                    values[feature.name] = feature.parse(row[feature.name])
                except Invalid as error:
                    message = str(error) + suggestions.for_value(row[feature.name], feature)
                    problems.append(Problem(number, feature.name, message, reason=error.reason))
            if len(row) != len(self.features) or len(values) != len(self.features):
                problems += self._misnamed(number, row, suggestions)
            if len(problems) == found:
                parsed.append(values)
        return parsed, problems

    def _misnamed(
        self, number: int, row: Mapping[str, object], suggestions: Suggestions
    ) -> Iterable[Problem]:
        for name in row:
            if not suggestions.knows(name):
                message = "unknown feature" + suggestions.for_name(name, row)
                yield Problem(number, name, message, reason="unknown")
        for feature in self.features:
            if feature.name not in row:
                yield Problem(number, feature.name, "is missing", reason="missing")

    def columns(self, rows: Sequence[Row]) -> list[Column]:
        """Return the model's columns in contract order."""
        if isinstance(rows, Table):
            values = [list(rows.values[feature.name]) for feature in self.features]
        else:
            values = [[row[feature.name] for row in rows] for feature in self.features]
        columns: list[Column] = []
        for feature, kept in zip(self.features, values, strict=True):
            if feature.encoded:
                columns += feature.encode_values(kept)
            else:
                columns.append(Column(feature.name, feature.kind, kept))
        return columns

    @cached_property
    def _encodes(self) -> bool:
        return any(feature.encoded for feature in self.features)

    def values(self, row: Row) -> Row:
        """Return one row as the model's columns have it, by their names."""
        if not self._encodes:
            return row
        return {column.name: column.values[0] for column in self.columns([row])}

    def to_json(self) -> dict[str, Any]:
        transformers = [transformer.to_json() for transformer in self.transformers]
        return {
            "features": [feature.to_json() for feature in self.features],
            **({"transformers": transformers} if transformers else {}),
            "output": self.output.to_json(),
        }


class Suggestions:
    """Nearest names and categories for misspelt ones, a bounded number a request."""

    def __init__(self, known: Mapping[str, object]) -> None:
        self._known = known
        self._left = MAX_SUGGESTIONS

    def knows(self, name: str) -> bool:
        return name in self._known

    def for_name(self, name: str, row: Mapping[str, object]) -> str:
        return self._nearest(name, (known for known in self._known if known not in row))

    def for_value(self, value: object, feature: Feature) -> str:
        if feature.categories is None or not isinstance(value, str):
            return ""
        return self._nearest(value, (c for c in feature.categories if isinstance(c, str)))

    def _nearest(self, word: str, known: Iterable[str]) -> str:
        if self._left == 0:
            return ""
        self._left -= 1
        return did_you_mean(word, known)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?" for the nearest known name, or nothing."""
    near = nearest(name, known)
    return f"; did you mean {near}?" if near is not None else ""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is spelt most alike, if one is."""
    folded = {candidate.casefold(): candidate for candidate in known}
    near = difflib.get_close_matches(name[:200].casefold(), list(folded), n=1)
    return folded[near[0]] if near else None


def json_type(value: object) -> str:
    """Name the JSON type of a value as people say it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "an object"


def json_text(value: Value) -> str:
    """Return text as it is and anything else as its JSON text: `1`, `1.0`, `true`."""
    return value if isinstance(value, str) else json.dumps(value)


def same_json(one: object, other: object) -> bool:
    """Compare as JSON does: 1 is 1.0, but neither true nor "1"."""
    numbers = (int, float)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, numbers) and isinstance(other, numbers):
        return one == other
    return type(one) is type(other) and one == other


def _parse_number(feature: Feature, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Invalid(f"must be a number, not {json_type(value)}")
    try:
        number = float(value)
    except OverflowError:
        raise Invalid("is too large for a number", "range") from None
    if not math.isfinite(number):
        raise Invalid("must be a finite number", "range")
    if feature.strict and feature.minimum is not None and number < feature.minimum:
        raise Invalid(f"must be at least {feature.minimum:.15g}", "range")
    if feature.strict and feature.maximum is not None and number > feature.maximum:
        raise Invalid(f"must be at most {feature.maximum:.15g}", "range")
    return number


def _parse_integer(feature: Feature, value: object) -> int:
    number = _parse_number(feature, value)
    if number != math.floor(number):
        raise Invalid("must be a whole number")
    exact = value if isinstance(value, int) else int(number)  # 2**53 + 1 is no float
    if abs(exact) >= WHOLE_NUMBERS:
        raise Invalid("is too large for a whole number", "range")
    return exact


def _parse_boolean(feature: Feature, value: object) -> bool:
    if not isinstance(value, bool):
        raise Invalid(f"must be true or false, not {json_type(value)}")
    return value


def _parse_text(feature: Feature, value: object) -> str:
    text = _text(value)
    if feature.longest is not None and len(text) > feature.longest:
        limit = f"must be text of at most {feature.longest} characters, not {len(text)}"
        raise Invalid(limit, "range")
    return text


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Invalid(f"must be text, not {json_type(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Invalid("must be text that UTF-8 can hold") from None
    return value


def _parse_date(feature: Feature, value: object) -> str:
    text = _text(value)
    try:
        date = datetime.date.fromisoformat(text)
    except ValueError:
        raise Invalid("must be a date as YYYY-MM-DD") from None
    if date.isoformat() != text:  # Python 3.11 and later read more than YYYY-MM-DD
        raise Invalid("must be a date as YYYY-MM-DD")
    if not EARLIEST <= date <= LATEST:
        raise Invalid(f"must be from {EARLIEST} to {LATEST}", "range")
    return text


def _parse_category(feature: Feature, value: object) -> Scalar:
    if feature.categories is None:
        return _parse_text(feature, value)
    if isinstance(value, str) and value in feature._texts:
        return value
    for category in feature.categories:
        if same_json(category, value):
            return category
    if not feature.closed:
        # The model takes others: of the type that it was trained on.
        return (_parse_text if feature.category_type == "text" else _parse_number)(feature, value)
    shown = ", ".join(json_text(category) for category in feature.categories[:20])
    more = ", …" if len(feature.categories) > 20 else ""
    raise Invalid(f"must be one of {shown}{more}", "category")


_PARSERS: Mapping[str, Callable[[Feature, object], Value]] = {
    "number": _parse_number,
    "integer": _parse_integer,
    "category": _parse_category,
    "boolean": _parse_boolean,
    "text": _parse_text,
    "date": _parse_date,
}


def read_contract(path: Path) -> Contract:
    """Read features.json. Raises ContractError with all that is wrong with it."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ContractError([f"{path.name} cannot be read: {error}"]) from None
    return parse_contract(document)


def parse_contract(document: object) -> Contract:
    """Build a contract from its JSON. Raises ContractError with all problems."""
    if not isinstance(document, dict) or not isinstance(document.get("features"), list):
        raise ContractError(['must be an object with a list "features"'])
    known = ("features", "transformers", "output")
    problems = [
        f'unknown member "{key}"{did_you_mean(key, known)}' for key in document if key not in known
    ]
    features: list[Feature] = []
    for number, entry in enumerate(document["features"], start=1):
        try:
            features.append(parse_feature(entry))
        except ContractError as error:
            name = entry.get("name") if isinstance(entry, dict) else None
            problems += [f"feature {name or number}: {problem}" for problem in error.problems]
    if not document["features"]:
        problems.append('"features" is empty')
    names = [feature.name for feature in features]
    repeated = sorted({name for name in names if names.count(name) > 1})
    problems += [f"feature {name}: is there {names.count(name)} times" for name in repeated]
    output = Output()
    try:
        output = parse_output(document.get("output", {}))
    except ContractError as error:
        problems += [f"output: {problem}" for problem in error.problems]
    transformers: tuple[Transformer, ...] = ()
    try:
        transformers = parse_transformers(document.get("transformers"))
    except ContractError as error:
        problems += error.problems
    if problems:
        raise ContractError(problems)
    return Contract(tuple(features), output, transformers)


def parse_feature(entry: object) -> Feature:
    """Build a feature from its JSON. Raises ContractError with all problems."""
    given = _members(entry, _FEATURE_MEMBERS)
    if "name" not in given:
        raise ContractError(['"name" is missing'])
    if "categories" in given:
        given["categories"] = tuple(given["categories"])
        given.setdefault("type", "category")
    feature = Feature(**given)
    if problems := list(_contradictions(feature)):
        raise ContractError(problems)
    return feature


def _members(entry: object, known: Mapping[str, _Check]) -> dict[str, Any]:
    """Return the members of an object that are not null. Raises ContractError."""
    if not isinstance(entry, dict):
        raise ContractError([f"must be an object, not {json_type(entry)}"])
    problems = [
        f'unknown member "{key}"{did_you_mean(key, known)}' for key in entry if key not in known
    ]
    given = {key: value for key, value in entry.items() if key in known and value is not None}
    for key, value in given.items():
        expected, right = known[key]
        if not right(value):
            problems.append(f'"{key}" must be {expected}, not {json.dumps(value)[:60]}')
    if problems:
        raise ContractError(problems)
    return given


def _contradictions(feature: Feature) -> Iterable[str]:
    if feature.categories is not None and feature.type != "category":
        yield f'"categories" do not go with type {feature.type}'
    for key in ("encode", "one_hot"):
        codes = getattr(feature, key)
        if codes is None:
            continue
        if feature.categories is None:
            yield f'"{key}" needs "categories"'
            continue
        known = {json_text(category) for category in feature.categories}
        if stray := sorted(set(codes) - known):
            yield f'"{key}" names {", ".join(stray)}, which "categories" does not have'
        if key == "encode" and (left := sorted(known - set(codes))):
            yield f'"encode" has no number for {", ".join(left)}'
    low, high = feature.minimum, feature.maximum
    if low is not None and high is not None and low > high:
        yield f'"minimum" {low} is above "maximum" {high}'
    if feature.default is not None:
        try:
            feature.parse(feature.default)
        except Invalid as error:
            yield f'"default" {error}'


def parse_transformers(entries: object) -> tuple[Transformer, ...]:
    """Build the list of transformers from its JSON. Raises ContractError with all problems."""
    given_entries = entries if entries is not None else []
    if not isinstance(given_entries, list):
        raise ContractError([f'"transformers" must be a list, not {json_type(entries)}'])
    found, problems = [], []
    for number, entry in enumerate(given_entries, start=1):
        try:
            given = _members(entry, _TRANSFORMER_MEMBERS)
            if "file" not in given:
                raise ContractError(['"file" is missing'])
        except ContractError as error:
            problems += [f"transformer {number}: {problem}" for problem in error.problems]
            continue
        columns = tuple(given["columns"]) if "columns" in given else None
        found.append(Transformer(given["file"], columns))
    if problems:
        raise ContractError(problems)
    return tuple(found)


def parse_output(entry: object) -> Output:
    """Build the output from its JSON. Raises ContractError with all problems."""
    given = _members(entry, _OUTPUT_MEMBERS)
    if "threshold" in given and "positive" not in given:
        raise ContractError(['"threshold" needs "positive", the class that it is about'])
    if "targets" in given:
        given["targets"] = tuple(given["targets"])
    return Output(**given)


def check_output(
    output: Output,
    task: str | None,
    classes: Sequence[Scalar] | None,
    n_outputs: int,
    binary: Sequence[Scalar] | None = None,
) -> None:
    """Hold what is said of the output against the model. Raises ContractError with all problems.

    `binary` are the two classes of a raw booster that answers a number unless asked for them.
    """
    problems = []
    if binary is not None and output.asks_for_classes:
        task, classes = "classification", binary
    if classes is not None:
        shown = ", ".join(json.dumps(name) for name in classes)
        if output.positive is not None and not any(same_json(output.positive, c) for c in classes):
            problems.append(f'"positive" is {json.dumps(output.positive)}; the classes are {shown}')
        if stray := set(output.labels) - {json_text(name) for name in classes}:
            problems.append(f'"labels" names {", ".join(sorted(stray))}; the classes are {shown}')
    if output.threshold is not None and (classes is None or len(classes) != 2):
        problems.append('"threshold" is for a model of two classes')
    if output.transform is not None and task != "regression":
        problems.append(f'"transform" is for regression, and the task is {task}')
    named = len(output.targets) if output.targets is not None else 1
    if named != n_outputs:
        problems.append(f'"targets" names {named}, and the model predicts {n_outputs}')
    if problems:
        raise ContractError([f"output: {problem}" for problem in problems])


def check_categories(contract: Contract, known: Mapping[str, Sequence[Scalar]]) -> None:
    """Hold the features against the pandas categories that the model was trained on, by column.

    Raises ContractError with all problems.
    """
    problems = []
    for feature in contract.features:
        categories = known.get(feature.name)
        if categories is None or feature.one_hot is not None:
            continue
        listed = ", ".join(json_text(category) for category in categories[:20])
        if feature.type != "category" or feature.categories is None:
            problems.append(
                f"feature {feature.name}: the model was trained on a pandas category; its type "
                f'must be category, and its "categories" are {listed}'
            )
            continue
        meant = feature.encode.values() if feature.encode is not None else feature.categories
        if stray := [v for v in meant if not any(same_json(v, c) for c in categories)]:
            shown = ", ".join(json_text(value) for value in stray[:20])
            problems.append(
                f"feature {feature.name}: the model was not trained on {shown}; its categories "
                f"are {listed}"
            )
        if not feature.closed:
            problems.append(
                f"feature {feature.name}: the model takes no other categories than {listed}; "
                'take "strict" out'
            )
    if problems:
        raise ContractError(problems)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= sys.float_info.max  # an integer may be longer than any float


def _is_scalar(value: object) -> bool:
    return isinstance(value, (str, bool)) or _is_number(value)


def _is_list_of(check: Callable[[object], bool], value: object) -> bool:
    return (
        isinstance(value, list)
        and all(check(item) for item in value)
        and len({(type(item), item) for item in value}) == len(value) > 0
    )


def _is_map_to(check: Callable[[object], bool], value: object) -> bool:
    return isinstance(value, dict) and all(check(item) for item in value.values())


_Check = tuple[str, Callable[[object], bool]]
_FEATURE_MEMBERS: Mapping[str, _Check] = {
    "name": ("text that is not empty", _is_name),
    "type": (f"one of {', '.join(TYPES)}", lambda value: value in TYPES),
    "description": ("text", _is_text),
    "unit": ("text", _is_text),
    "minimum": ("a finite number", _is_number),
    "maximum": ("a finite number", _is_number),
    "categories": (
        "a list of different texts, numbers or booleans",
        lambda value: _is_list_of(_is_scalar, value),
    ),
    "strict": ("true or false", lambda value: isinstance(value, bool)),
    "nullable": ("true or false", lambda value: isinstance(value, bool)),
    "default": ("text, a number, true or false", _is_scalar),
    "encode": ("an object of numbers by category", lambda value: _is_map_to(_is_number, value)),
    "one_hot": ("an object of columns by category", lambda value: _is_map_to(_is_name, value)),
}
_TRANSFORMER_MEMBERS: Mapping[str, _Check] = {
    "file": ("text that is not empty", _is_name),
    "columns": ("a list of different names", lambda value: _is_list_of(_is_name, value)),
}
_OUTPUT_MEMBERS: Mapping[str, _Check] = {
    "name": ("text that is not empty", _is_name),
    "labels": ("an object of texts by class", lambda value: _is_map_to(_is_text, value)),
    "positive": ("a class", _is_scalar),
    "threshold": ("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1),  # type: ignore[operator]
    "transform": (f"one of {', '.join(TRANSFORMS)}", lambda value: value in TRANSFORMS),
    "unit": ("text", _is_text),
    "targets": ("a list of different names", lambda value: _is_list_of(_is_name, value)),
}
