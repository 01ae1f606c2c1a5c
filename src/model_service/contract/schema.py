"""Read and check features.json, alone and against the model. Standard library only."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model_service.contract.contract import (
    BACKGROUNDS,
    REASON_MEMBERS,
    TRANSFORMS,
    TYPES,
    Contract,
    ContractError,
    Examples,
    Feature,
    Output,
    ServiceInfo,
    Transformer,
)
from model_service.contract.json_values import Scalar, json_text, json_type, same_json
from model_service.contract.parsing import did_you_mean, parse_value
from model_service.contract.problems import Invalid


def read_contract(path: Path) -> Contract:
    """Read features.json. Raises ContractError with all problems."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ContractError([f"{path.name} cannot be read: {error}"]) from None
    return parse_contract(document)


def parse_contract(document: object) -> Contract:
    """Build a contract from its JSON. Raises ContractError with all problems."""
    if not isinstance(document, dict) or not isinstance(document.get("features"), list):
        raise ContractError(['must be an object with a list "features"'])
    problems = list(
        _unknown(document, ("features", "transformers", "output", "service", "examples", "unused"))
    )
    features: list[Feature] = []
    for number, entry in enumerate(document["features"], start=1):
        name = entry.get("name") if isinstance(entry, dict) else None
        with _collecting(problems, f"feature {name or number}: "):
            features.append(parse_feature(entry))
    if not document["features"]:
        problems.append('"features" is empty')
    counts = Counter(feature.name for feature in features)
    repeated = sorted(name for name, count in counts.items() if count > 1)
    problems += [f"feature {name}: appears {counts[name]} times" for name in repeated]
    owners = _column_owners(features, problems)
    output, service = Output(), ServiceInfo()
    transformers: tuple[Transformer, ...] = ()
    examples: Examples = "mixed"
    with _collecting(problems, "output: "):
        output = parse_output(document.get("output", {}))
    with _collecting(problems):
        transformers = parse_transformers(document.get("transformers"))
    with _collecting(problems):
        examples = _parse_examples(document.get("examples"))
    unused: tuple[str, ...] = ()
    with _collecting(problems):
        unused = _parse_unused(document.get("unused"), counts, owners)
    with _collecting(problems, "service: "):
        service = ServiceInfo(**_members(document.get("service", {}), _SERVICE_MEMBERS))
    if problems:
        raise ContractError(problems)
    return Contract(tuple(features), output, transformers, service, examples, unused)


@contextmanager
def _collecting(problems: list[str], prefix: str = "") -> Iterator[None]:
    """Add the problems of a ContractError to a list instead of raising it."""
    try:
        yield
    except ContractError as error:
        problems += [f"{prefix}{problem}" for problem in error.problems]


def _parse_examples(declared: object) -> Examples:
    if declared is None or declared == "mixed":
        return "mixed"
    if declared == "whole":
        return "whole"
    raise ContractError([f'"examples" must be mixed or whole, not {json.dumps(declared)[:60]}'])


def _column_owners(features: Iterable[Feature], problems: list[str]) -> Mapping[str, str]:
    """Return the feature of each of the model's columns; add a problem for one of two features."""
    owners: dict[str, str] = {}
    for feature in features:
        columns = feature.one_hot.values() if feature.one_hot is not None else (feature.name,)
        for column in dict.fromkeys(columns):
            owner = owners.setdefault(column, feature.name)
            if owner != feature.name:
                problems.append(
                    f"the features {owner} and {feature.name} both have the column {column}"
                )
    return owners


def _parse_unused(
    declared: object, features: Collection[str], owners: Mapping[str, str]
) -> tuple[str, ...]:
    names = [] if declared is None else declared
    if not isinstance(names, list) or not all(name and isinstance(name, str) for name in names):
        raise ContractError([f'"unused" must be a list of names, not {json.dumps(names)[:60]}'])
    problems = [f'"unused" names {name}, which is a feature' for name in names if name in features]
    problems += [
        f'"unused" names {name}, which is a column of the feature {owners[name]}'
        for name in names
        if name in owners and name not in features
    ]
    if len({*names}) != len(names):
        problems.append('"unused" names a column twice')
    if problems:
        raise ContractError(problems)
    return tuple(names)


def parse_feature(entry: object) -> Feature:
    """Build a feature from its JSON. Raises ContractError with all problems."""
    members = _members(entry, _FEATURE_MEMBERS)
    if "name" not in members:
        raise ContractError(['"name" is missing'])
    if "categories" in members:
        members["categories"] = tuple(members["categories"])
        members.setdefault("type", "category")
    feature = Feature(**members)
    if problems := list(_contradictions(feature)):
        raise ContractError(problems)
    return feature


def _members(entry: object, known: Mapping[str, _Check]) -> dict[str, Any]:
    """Return the members of an object that are not null. Raises ContractError."""
    if not isinstance(entry, dict):
        raise ContractError([f"must be an object, not {json_type(entry)}"])
    problems = list(_unknown(entry, known))
    members = {key: value for key, value in entry.items() if key in known and value is not None}
    for key, value in members.items():
        expected, right = known[key]
        if not right(value):
            problems.append(f'"{key}" must be {expected}, not {json.dumps(value)[:60]}')
    if problems:
        raise ContractError(problems)
    return members


def _unknown(entry: Iterable[str], known: Collection[str]) -> Iterable[str]:
    for key in entry:
        if key not in known:
            yield f'unknown member "{key}"{did_you_mean(key, known)}'


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
    for column, count in Counter((feature.one_hot or {}).values()).items():
        if count > 1:
            yield f'"one_hot" names the column {column} {count} times'
    low, high = feature.minimum, feature.maximum
    if low is not None and high is not None and low > high:
        yield f'"minimum" {low} is above "maximum" {high}'
    if feature.default is not None:
        try:
            parse_value(feature, feature.default)
        except Invalid as error:
            yield f'"default" {error}'


def parse_transformers(entries: object) -> tuple[Transformer, ...]:
    """Build the list of transformers from its JSON. Raises ContractError with all problems."""
    listed = entries if entries is not None else []
    if not isinstance(listed, list):
        raise ContractError([f'"transformers" must be a list, not {json_type(entries)}'])
    found: list[Transformer] = []
    problems: list[str] = []
    for number, entry in enumerate(listed, start=1):
        with _collecting(problems, f"transformer {number}: "):
            members = _members(entry, _TRANSFORMER_MEMBERS)
            if "file" not in members:
                raise ContractError(['"file" is missing'])
            columns = tuple(members["columns"]) if "columns" in members else None
            found.append(Transformer(members["file"], columns))
    if problems:
        raise ContractError(problems)
    return tuple(found)


def parse_output(entry: object) -> Output:
    """Build the output from its JSON. Raises ContractError with all problems."""
    members = _members(entry, _OUTPUT_MEMBERS)
    if "threshold" in members and "positive" not in members:
        raise ContractError(['"threshold" needs "positive", the class that it is about'])
    if members.get("background") == "positive" and "positive" not in members:
        raise ContractError(['"background": "positive" needs "positive", the class that is meant'])
    if "targets" in members:
        members["targets"] = tuple(members["targets"])
    return Output(**members)


def check_output(
    output: Output,
    task: str | None,
    classes: Sequence[Scalar] | None,
    n_outputs: int,
    binary: Sequence[Scalar] | None = None,
) -> None:
    """Check the declared output against the model. Raises ContractError with all problems.

    `binary` are the two classes of a raw booster that predicts a number unless the output asks for
    classes.
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
    """Check the features against the pandas categories that the model was trained on, by column.

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
        trained = Feature("", categories=tuple(categories))
        if stray := [v for v in meant if trained.category_equal_to(v) is None]:
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


def _is_colour(value: object) -> bool:
    return isinstance(value, str) and _COLOUR.fullmatch(value) is not None


def _is_static_file(value: object) -> bool:
    return isinstance(value, str) and value.startswith("static/") and ".." not in value.split("/")


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= sys.float_info.max  # an integer can exceed every float


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


def _is_linear(value: object) -> bool:
    return _is_map_to(_is_number, value) and set(value) == {"multiply", "add"}  # type: ignore[call-overload]


_Check = tuple[str, Callable[[object], bool]]
_COLOUR = re.compile("#[0-9a-fA-F]{6}")
_FEATURE_MEMBERS: Mapping[str, _Check] = {
    "name": ("text that is not empty", _is_name),
    "type": (f"one of {', '.join(TYPES)}", lambda value: value in TYPES),
    "title": ("text", _is_text),
    "group": ("text", _is_text),
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
    "warn": ("true or false", lambda value: isinstance(value, bool)),
    "default": ("text, a number, true or false", _is_scalar),
    "encode": ("an object of numbers by category", lambda value: _is_map_to(_is_number, value)),
    "one_hot": (
        "an object of columns by category, with at least one",
        lambda value: _is_map_to(_is_name, value) and value != {},
    ),
    "reason": (
        f"a text, or an object of texts: {', '.join(REASON_MEMBERS)}",
        lambda value: (
            _is_name(value) or (_is_map_to(_is_name, value) and {*value} <= {*REASON_MEMBERS})  # type: ignore[misc]
        ),
    ),
    "explain": ("true or false", lambda value: isinstance(value, bool)),
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
    "transform": (
        f'one of {", ".join(TRANSFORMS)}, or {{"multiply": number, "add": number}}',
        lambda value: value in TRANSFORMS if isinstance(value, str) else _is_linear(value),
    ),
    "unit": ("text", _is_text),
    "targets": ("a list of different names", lambda value: _is_list_of(_is_name, value)),
    "background": (f"one of {', '.join(BACKGROUNDS)}", lambda value: value in BACKGROUNDS),
}
_SERVICE_MEMBERS: Mapping[str, _Check] = {
    "title": ("text", _is_text),
    "description": ("text", _is_text),
    "accent": ('a colour such as "#1b5aa0"', _is_colour),
    "logo": ('a file such as "static/logo.svg"', _is_static_file),
    "contact": ("text", _is_text),
}
