"""The contract of the API, as features.json declares it.

schema.py reads the features, the output and the transformers from features.json; parsing.py
validates rows against them, and returns a Batch.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from operator import itemgetter
from typing import Any, Literal, get_args

from model_service.contract.batch import Batch, Coded, Column, ColumnKind, Values
from model_service.contract.json_values import Scalar, Value, json_key, json_text

FeatureType = Literal["number", "integer", "category", "boolean", "text", "date"]
# What the model was trained on.
InputKind = Literal["frame", "array", "texts"]
# Of the sample's values, what the repository keeps as examples: rows of which each value comes from
# another row, or whole rows.
Examples = Literal["mixed", "whole"]

TYPES: tuple[str, ...] = get_args(FeatureType)
TRANSFORMS = ("exp", "expm1", "pow10", "square")
BACKGROUNDS = ("sample", "positive")
REASON_MEMBERS = ("text", "low", "high", "code")
MAX_LISTED_CATEGORIES = 20  # in one message


class ContractError(ValueError):
    """features.json is wrong; `problems` has one sentence for each mistake."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


@dataclass(frozen=True)
class Feature:
    """One input of the API, as people write it."""

    name: str
    type: FeatureType = "number"
    title: str = ""  # for people; pages make one from the name where there is none
    group: str = ""  # features with the same one stand together in the form
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
    warn: bool | None = None
    reason: str | Mapping[str, str] | None = None  # texts and a code for a decision against a row
    explain: bool | None = None  # False: never among the reasons
    max_characters: int | None = None  # of a text; a setting, not a member of features.json

    @cached_property
    def closed(self) -> bool:
        """Whether values outside `categories` are refused."""
        if self.categories is None:
            return False
        # An encoder looks each category up. Mixed categories leave no type to demand of others.
        return self.encoded or self.strict is not False or self.category_type is None

    @cached_property
    def encoded(self) -> bool:
        """Whether the contract replaces categories by numbers."""
        return self.encode is not None or self.one_hot is not None

    @cached_property
    def category_type(self) -> Literal["text", "number"] | None:
        """The type of all categories, None if they are mixed; without categories it is text."""
        if self.category_classes <= {str}:
            return "text"
        return "number" if self.category_classes <= {int, float} else None

    @cached_property
    def has_only_texts(self) -> bool:
        """Whether the values are categories, all of them text."""
        return self.closed and self.category_type == "text"

    @cached_property
    def category_classes(self) -> frozenset[Any]:
        """The Python classes of the categories."""
        return frozenset(map(type, self.categories or ()))

    @cached_property
    def text_categories(self) -> frozenset[str]:
        """The categories that are text, for a quick look-up."""
        return frozenset(value for value in self.categories or () if isinstance(value, str))

    @cached_property
    def _category_by_value(self) -> Mapping[tuple[str, object], Scalar]:
        # Reversed, so that of 1 and 1.0 the first one counts.
        return {json_key(category): category for category in reversed(self.categories or ())}

    @cached_property
    def category_by_text(self) -> Mapping[str, Scalar]:
        """The categories by their JSON text; of "1" and 1 the first one counts."""
        return {json_text(category): category for category in reversed(self.categories or ())}

    def category_equal_to(self, value: object) -> Scalar | None:
        """Return the category that equals a JSON value as `same_json` compares, or None."""
        if not isinstance(value, (str, int, float)):
            return None
        return self._category_by_value.get(json_key(value))

    @cached_property
    def categories_message(self) -> str:
        """What is wrong with a value outside the categories."""
        categories = self.categories or ()
        shown = ", ".join(json_text(category) for category in categories[:MAX_LISTED_CATEGORIES])
        more = ", …" if len(categories) > MAX_LISTED_CATEGORIES else ""
        return f"must be one of {shown}{more}"

    def encode_values(self, values: Values) -> list[Column]:
        """Return the model's columns for the values of an encoded feature, one value a row."""
        if isinstance(values, Coded):
            encoded_once = self.encode_values(values.distinct)
            return [Column(c.name, c.kind, Coded(values.codes, c.values)) for c in encoded_once]
        if self.one_hot is not None:
            places: dict[str, list[int]] = {}
            for place, value in enumerate(values):
                if value is not None:  # its JSON text is null, as a category's can be
                    places.setdefault(json_text(value), []).append(place)
            zeros = bytes(8 * len(values))
            columns = []
            for category, column in self.one_hot.items():
                # Thousands of lists of numbers would take ten times the memory and the time.
                flags = array("d", zeros)
                for place in places.get(category, ()):
                    flags[place] = 1.0
                columns.append(Column(column, "float", flags))
            return columns
        codes = self.encode or {}
        encoded: list[Value] = [None if v is None else codes[json_text(v)] for v in values]
        return [Column(self.name, "float", encoded)]

    @cached_property
    def kind(self) -> ColumnKind:
        """The kind of the model's column, for a feature that is not encoded."""
        # The contract decides, never the values of one request: a row must get the same
        # prediction alone and in a batch.
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
        """Return the feature as features.json has it, without members that have no value."""
        document = {f.name: getattr(self, f.name) for f in fields(self)}
        del document["max_characters"]
        document["categories"] = list(self.categories) if self.categories is not None else None
        kept = {"name", "type", "nullable"}
        return {k: v for k, v in document.items() if k in kept or v not in (None, "")}


@dataclass(frozen=True)
class Output:
    """How a prediction is named, labelled and transformed."""

    name: str = "Prediction"
    labels: Mapping[str, str] = field(default_factory=dict)
    positive: Scalar | None = None
    threshold: float | None = None
    # One of TRANSFORMS, or {"multiply": a, "add": b}.
    transform: str | Mapping[str, float] | None = None
    unit: str | None = None
    targets: tuple[str, ...] | None = None
    background: str | None = None  # of explanations: the whole sample, or what got `positive`

    @property
    def asks_for_classes(self) -> bool:
        """Whether a raw booster that predicts a number has to predict one of two classes."""
        return bool(self.labels) or self.threshold is not None

    def label_of(self, class_text: str) -> str:
        """Return what people call a class: its label, else its own text."""
        return self.labels.get(class_text, class_text)

    def to_json(self) -> dict[str, Any]:
        """Return the member `output` of features.json."""
        document = {f.name: getattr(self, f.name) for f in fields(self)}
        document["targets"] = list(self.targets) if self.targets is not None else None
        return {k: v for k, v in document.items() if v is not None and v != {}}


@dataclass(frozen=True)
class ServiceInfo:
    """What the pages say about the service; the answers to the questions where it is empty."""

    title: str = ""
    description: str = ""
    accent: str = ""  # #rrggbb
    logo: str = ""  # a file below static/
    contact: str = ""  # an e-mail address, a URL or a name

    def to_json(self) -> dict[str, Any]:
        """Return the member `service` of features.json."""
        document = {f.name: getattr(self, f.name) for f in fields(self)}
        return {key: value for key, value in document.items() if value}


@dataclass(frozen=True)
class Transformer:
    """A fitted file that is applied before the model, to all columns or to the named ones."""

    file: str
    columns: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry in `transformers` of features.json."""
        columns = {"columns": list(self.columns)} if self.columns is not None else {}
        return {"file": self.file, **columns}


@dataclass(frozen=True)
class Contract:
    """What features.json declares."""

    features: tuple[Feature, ...]
    output: Output = Output()
    transformers: tuple[Transformer, ...] = ()
    service: ServiceInfo = ServiceInfo()
    examples: Examples = "mixed"
    # Columns that the model was given in the training and drops: callers need not send them.
    unused: tuple[str, ...] = ()

    def with_max_characters(self, characters: int) -> Contract:
        """Return the contract with a limit for the length of texts."""
        features = tuple(replace(feature, max_characters=characters) for feature in self.features)
        return replace(self, features=features)

    @cached_property
    def by_name(self) -> Mapping[str, Feature]:
        """The features by name."""
        return {feature.name: feature for feature in self.features}

    @cached_property
    def known_names(self) -> frozenset[str]:
        """What a row can have: the features, and the columns that the model drops."""
        return frozenset((*self.by_name, *self.unused))

    @cached_property
    def places_by_name(self) -> Sequence[tuple[int, str]]:
        """The place of each feature in the contract and its name, in the order of the names."""
        return sorted(enumerate(self.by_name), key=itemgetter(1))

    def columns(self, batch: Batch) -> list[Column]:
        """Return the model's columns in contract order."""
        return self._columns(batch.columns)

    def _columns(self, by_feature: Mapping[str, Values]) -> list[Column]:
        columns: list[Column] = []
        for feature in self.features:
            values = by_feature[feature.name]
            if feature.encoded:
                columns += feature.encode_values(values)
            else:
                columns.append(Column(feature.name, feature.kind, values))
        if self.unused:
            missing = [None] * len(columns[0].values)
            columns += [Column(name, "float", missing) for name in self.unused]
        return columns

    @cached_property
    def column_kinds(self) -> Mapping[str, ColumnKind]:
        """The names of the model's columns in contract order, with their kinds."""
        columns = self._columns({feature.name: [] for feature in self.features})
        return {column.name: column.kind for column in columns}

    @cached_property
    def _has_other_columns(self) -> bool:
        """Whether a column is not a feature as it is sent."""
        return bool(self.unused) or any(feature.encoded for feature in self.features)

    def row_values(self, batch: Batch, names: Sequence[str]) -> list[Value]:
        """Return the values of a batch of one row in the model's columns of these names."""
        if not self._has_other_columns:
            return [batch.columns[name][0] for name in names]
        by_name = {column.name: column.values[0] for column in self.columns(batch)}
        return [by_name[name] for name in names]

    def to_json(self) -> dict[str, Any]:
        """Return the content of features.json."""
        transformers = [transformer.to_json() for transformer in self.transformers]
        service = self.service.to_json()
        return {
            "features": [feature.to_json() for feature in self.features],
            **({"transformers": transformers} if transformers else {}),
            "output": self.output.to_json(),
            **({"service": service} if service else {}),
            **({"examples": self.examples} if self.examples != "mixed" else {}),
            **({"unused": list(self.unused)} if self.unused else {}),
        }
