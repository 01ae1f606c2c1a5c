"""The features of the contract: from the answer, from the model, from the sample."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from model_service.contract.contract import (
    Contract,
    ContractError,
    Feature,
    Output,
    Row,
    Scalar,
    check_categories,
    check_output,
    did_you_mean,
    parse_contract,
    parse_output,
)
from model_service.contract.typed_text import sample_value, whole
from workbench.adopt import proposals
from workbench.adopt.answers import FeaturesAnswer
from workbench.adopt.category_lists import Known, enforced, known_categories, said_of
from workbench.adopt.decoding import as_people_say, read_back
from workbench.adopt.sample import EXAMPLES, EXPECTED, ColumnFacts, Sample
from workbench.errors import UserError, listing
from workbench.inspect import ModelFacts

_NOTHING = object()
# The fields that the sample and the model can tell; the last one of categories only.
DERIVED = ("type", "nullable", "minimum", "maximum", "categories", "strict")


@dataclass(frozen=True)
class Before:
    """What the transformers before the model, and its own encoders, mean for the contract."""

    transformers: Sequence[Mapping[str, Any]] = ()  # as features.json has them
    categories: Mapping[str, Sequence[Scalar]] = field(default_factory=dict)
    labels: Mapping[str, str] | None = None


def with_names_of_training(
    facts: ModelFacts, answer: FeaturesAnswer, sample: Sample | None
) -> ModelFacts:
    """Return the facts with the names as people know them: LightGBM makes "a b" into "a_b"."""
    if facts.feature_names is None or "lightgbm" not in facts.distributions:
        return facts
    people = answer.names or (tuple(sample.columns) if sample is not None else ())
    original = {re.sub(r"\s", "_", name): name for name in people}
    names = [name if name in people else original.get(name, name) for name in facts.feature_names]
    return replace(facts, feature_names=tuple(names))


def contract_of(
    facts: ModelFacts,
    answer: FeaturesAnswer,
    sample: Sample | None,
    prepares: bool,
    notices: list[str],
    before: Before,
) -> Contract:
    """Return the contract: the answer wins over the model, the model over the sample.

    Where the user's `prepare` makes the model's columns, the features are not the model's, and
    only the answer can say what they are. Raises WorkbenchError.
    """
    given = _text_feature(answer) if facts.takes_texts else list(answer.features)
    known: Known = {}
    if prepares and not given:
        raise UserError(
            "model_code has a function prepare, which makes the model's columns; answer features= "
            "with what it takes."
        )
    if not facts.takes_texts:
        given = given or _names(facts, sample)
        if not prepares:
            given = _in_model_order(given, facts, sample, notices)
            known = known_categories(facts, _model_columns(given), sample)
            given = [{**said_of(known, entry, sample), **entry} for entry in given]
        given = _with_sample(_with_categories(given, before.categories), sample)
    output = dict(answer.output or {})
    if before.labels is not None:
        output.setdefault("labels", dict(before.labels))
    if facts.n_outputs > 1:
        numbers = range(1, facts.n_outputs + 1)
        output.setdefault("targets", [f"target_{number}" for number in numbers])
    try:
        contract = parse_contract(
            {"features": given, "output": output, "transformers": before.transformers}
        )
        _check_output(contract.output, facts)
        check_categories(contract, enforced(known))
    except ContractError as error:
        raise UserError([f"features: {problem}." for problem in error.problems]) from None
    return contract


def _check_output(output: Output, facts: ModelFacts) -> None:
    check_output(output, facts.task, facts.classes, facts.n_outputs, facts.binary)


def _names(facts: ModelFacts, sample: Sample | None) -> list[Mapping[str, Any]]:
    names = facts.feature_names
    if names is None and sample is not None:
        names = tuple(sample.columns)
        if len(names) != facts.n_features:
            names = tuple(name for name in names if name != EXPECTED)
        if facts.n_features is None:
            raise UserError(
                "The model file does not say how many features there are; answer features= with "
                f"those of the sample's columns that are features: {_as_answer(names)}"
            )
    if names is None:
        raise UserError(
            f"The model takes {_count(facts)} and their names are not in the file; "
            "answer features= with the names in the order of training, or give sample_data."
        )
    return [{"name": name} for name in names]


def _with_categories(
    given: list[Mapping[str, Any]], categories: Mapping[str, Sequence[Scalar]]
) -> list[Mapping[str, Any]]:
    """Add what the encoders know to the features that nothing was said of."""
    known = {name: {"type": "category", "categories": list(c)} for name, c in categories.items()}
    silent = {"categories", "encode", "one_hot", "type"}
    return [
        {**known.get(entry["name"], {}), **entry} if silent.isdisjoint(entry) else entry
        for entry in given
    ]


def _with_sample(given: list[Mapping[str, Any]], sample: Sample | None) -> list[Mapping[str, Any]]:
    if sample is None:
        kinds = ["category" if entry.get("categories") else "number" for entry in given]
        return [
            {"type": kind, "nullable": False, **entry}
            for kind, entry in zip(kinds, given, strict=True)
        ]
    columns = [column_of(entry, sample) for entry in given]
    absent = [e["name"] for e, column in zip(given, columns, strict=True) if column is None]
    if absent:
        if (said := proposals.in_words(given, absent, sample)) is not None:
            raise UserError(said)
        raise UserError(
            [
                f"sample_data: {sample.path.name} has no column {name!r}"
                f"{did_you_mean(name, sample.columns)}"
                for name in absent[:20]
            ]
        )
    return [
        {**_from_sample(column, e), **e}
        for e, column in zip(given, columns, strict=True)
        if column is not None
    ]


def column_of(entry: Mapping[str, Any], sample: Sample) -> ColumnFacts | None:
    """Return the column of a feature; where there are only its dummy columns, one of no facts."""
    dummies = set((entry.get("one_hot") or {}).values())
    if entry["name"] not in sample.columns and dummies and dummies <= set(sample.columns):
        return ColumnFacts(entry["name"])
    return sample.columns.get(entry["name"])


def _count(facts: ModelFacts) -> str:
    number = facts.n_features
    if number is None:
        return "an unknown number of features"
    return "1 feature" if number == 1 else f"{number} features"


def _text_feature(answer: FeaturesAnswer) -> list[Mapping[str, Any]]:
    if len(answer.features) > 1:
        raise UserError(
            f"features: the model takes one text, and {len(answer.features)} features are named "
            f"({listing(answer.names)}); name one."
        )
    entry = answer.features[0] if answer.features else {"name": "text"}
    return [{**entry, "type": "text", "nullable": False}]


def _model_columns(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        column
        for entry in entries
        for column in (entry["one_hot"].values() if entry.get("one_hot") else [entry["name"]])
    ]


def _in_model_order(
    given: list[Mapping[str, Any]], facts: ModelFacts, sample: Sample | None, notices: list[str]
) -> list[Mapping[str, Any]]:
    """Check the names against the model; accept another order if the model knows the names."""
    columns = _model_columns(given)
    expected = facts.feature_names
    if expected is None:
        if facts.n_features is not None and len(columns) != facts.n_features:
            raise UserError(_wrong_number(columns, facts, sample))
        return given
    left = [name for name in expected if name not in columns]
    problems = [
        f"features: the model has no feature {name!r}{did_you_mean(name, left)}"
        for name in columns
        if name not in expected
    ]
    problems += [f"features: {name!r} is missing; the model was trained on it." for name in left]
    if problems:
        if len(columns) > len(expected):
            problems.append(f"features: {_wrong_number(columns, facts, sample)}")
        raise UserError(problems)
    if columns == list(expected):
        return given
    place = {name: number for number, name in enumerate(expected)}
    notices.append("The features are in another order than the model's; the model's is kept.")
    return sorted(given, key=lambda entry: place[_model_columns([entry])[0]])


def _wrong_number(columns: Sequence[str], facts: ModelFacts, sample: Sample | None) -> str:
    message = f"The model takes {_count(facts)}, and {len(columns)} are named ({listing(columns)})."
    target = _likely_target(columns, facts, sample)
    if target is not None:
        rest = [name for name in columns if name != target]
        message += f" {target!r} looks like the target: answer features={_as_answer(rest)}"
    elif facts.n_features is not None and len(columns) == facts.n_features + 1:
        message += f" If the last one, {columns[-1]!r}, is the target, leave it out."
    else:
        message += " Answer features= with the names in the order of training."
    return message


def _as_answer(names: Sequence[str]) -> str:
    return ",".join(f'"{name}"' if "," in name else name for name in names)


def _likely_target(columns: Sequence[str], facts: ModelFacts, sample: Sample | None) -> str | None:
    """Return the one column that is certainly no feature: an index, the target, or nothing."""
    if facts.n_features is None or len(columns) != facts.n_features + 1:
        return None
    if facts.feature_names is not None:
        return next((name for name in columns if name not in facts.feature_names), None)
    classes = set(facts.classes or ())
    found = [
        name
        for name in columns
        if re.fullmatch(r"Unnamed: \d+|(?i:y|target|label|class|outcome|.*_target)", name)
        or (sample is not None and name in sample.columns and _cells(sample, name) == classes)
    ]
    return found[0] if len(found) == 1 else None


def _cells(sample: Sample, name: str) -> set[Any]:
    return set(sample.columns[name].categories or ())


def _from_sample(column: ColumnFacts, entry: Mapping[str, Any]) -> dict[str, Any]:
    kind = entry.get("type") or ("category" if entry.get("categories") else column.type)
    found: dict[str, Any] = {"type": kind, "nullable": column.missing > 0}
    low, high = whole(column.minimum), whole(column.maximum)
    if kind in ("number", "integer") and column.numeric and low <= high:
        # A bound of the user's may lie beyond the sample's other one.
        if low <= entry.get("maximum", high):
            found["minimum"] = low
        if high >= entry.get("minimum", low):
            found["maximum"] = high
    if kind == "category" and column.categories is not None:
        found["categories"] = column.categories
    return found


def reshaped(answer: FeaturesAnswer, facts: ModelFacts) -> FeaturesAnswer:
    """Return the answer for a model of other features: what is said of those that stay."""
    names = facts.feature_names or ()
    said = {
        column: entry
        for entry in answer.features
        if set(columns := _model_columns([entry])) <= set(names)
        for column in columns
    }
    output = dict(answer.output or {})
    try:
        _check_output(parse_output(output), facts)
    except ContractError:
        output = {}
    stay = {entry["name"]: entry for entry in (said.get(n, {"name": n}) for n in names)}
    return replace(answer, features=tuple(stay.values()), output=output)


def forget_categories(
    answer: FeaturesAnswer, facts: ModelFacts, own: Mapping[str, Mapping[str, Any]]
) -> FeaturesAnswer:
    """Return the answer without the categories of the model before, where this one has its own."""
    names = facts.feature_names or answer.names
    told = {names[n] for n, column in facts.categories.items() if column.values and n < len(names)}
    told |= set(facts.encoded)
    keys = ("type", "categories")
    ours = {name: {k: own[name][k] for k in keys if k in own[name]} for name in told & own.keys()}
    return forget(answer, ours)


def forget(answer: FeaturesAnswer, own: Mapping[str, Mapping[str, Any]]) -> FeaturesAnswer:
    """Return the answer without what the workbench itself wrote into it and nobody edited."""
    kept = [
        {
            key: value
            for key, value in entry.items()
            if own.get(entry["name"], {}).get(key, _NOTHING) != value
        }
        for entry in answer.features
    ]
    return replace(answer, features=tuple(kept))


def derived(
    contract: Contract,
    answer: FeaturesAnswer,
    own: Mapping[str, Mapping[str, Any]],
    closed: Collection[str],
) -> dict[str, dict[str, Any]]:
    """Return what nobody declared, by feature: verify and a retrain may correct it.

    `own` is what the workbench derived for the model before and wrote into the same file.
    `closed` names the features of which the model takes the listed categories alone.
    """
    declared = {entry["name"]: set(entry) for entry in forget(answer, own).features}
    found = {}
    for feature in contract.features:
        document = {"strict": None, **feature.to_json()}
        settled = feature.encoded or feature.name in closed or not feature.categories
        keys = DERIVED[:-1] if settled else DERIVED
        found[feature.name] = {
            key: document[key]
            for key in keys
            if key in document and key not in declared.get(feature.name, ())
        }
    return found


def examples(
    contract: Contract, sample: Sample | None, previous: Mapping[str, Any] | None
) -> list[Row]:
    """Return rows that the contract takes: of the sample, of the model before, or made up."""
    if sample is not None:
        cells = rows_of(contract, sample, sample.examples)
        parsed = [contract.parse_rows([row]) for row in cells]
        rows = [row for row, (_, problems) in zip(cells, parsed, strict=True) if not problems]
        if not rows:
            problem = parsed[0][1][0]
            raise UserError(
                f"sample_data: no row of {sample.path.name} fits the features; in the first one "
                f"{problem.feature} {problem.message}."
            )
        return rows[:: max(1, len(rows) // EXAMPLES)][:EXAMPLES]
    kept = [as_people_say(row, contract) for row in previous["examples"]] if previous else []
    kept = [row for row in kept if not contract.parse_rows([row])[1]]
    return kept or [{f.name: made_up(f, n) for f in contract.features} for n in range(3)]


def rows_of(contract: Contract, sample: Sample, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return rows of the sample as requests would have them."""
    return [
        {
            **{
                f.name: row.get(f.name) if sample.typed else sample_value(f, row.get(f.name, ""))
                for f in contract.features
            },
            **read_back(row, contract),
        }
        for row in rows
    ]


def made_up(feature: Feature, number: int) -> Any:
    """Return the number-th plausible value of a feature of which no row is known."""
    if feature.default is not None and number == 0:
        return feature.default
    if feature.categories is not None:
        return feature.categories[number % len(feature.categories)]
    if feature.type in ("number", "integer"):
        low = feature.minimum if feature.minimum is not None else 0
        high = feature.maximum if feature.maximum is not None else low + 2
        return whole(float(low + (high - low) * number // 2))
    simple = {"boolean": number % 2 == 0, "date": f"2024-0{number + 1}-15"}
    return simple.get(feature.type, ["some text", "another text", "more text"][number % 3])
