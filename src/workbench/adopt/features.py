"""Derive the contract's features from the answer, from the model, and from the sample."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from model_service.contract.contract import Contract, ContractError, Output
from model_service.contract.json_values import Scalar
from model_service.contract.parsing import did_you_mean
from model_service.contract.schema import (
    check_categories,
    check_output,
    parse_contract,
    parse_output,
)
from model_service.contract.typed_text import whole
from workbench.adopt.answers import joined
from workbench.adopt.beside.cleaned_texts import cleaned_texts
from workbench.adopt.case import Case
from workbench.adopt.chain import Chain
from workbench.adopt.csv.category_lists import (
    Known,
    category_fields,
    closed_categories,
    known_categories,
)
from workbench.adopt.csv.raw_columns import Dummies, with_dummies, with_likely_dummies
from workbench.adopt.csv.sample import EXPECTED_COLUMN, ColumnFacts, Sample
from workbench.adopt.csv.sample_rows import column_of
from workbench.adopt.csv.target_column import Columns, called_target, feature_columns
from workbench.adopt.features_answer import FeaturesAnswer
from workbench.adopt.problems import AnswerError, Notes, Problem, Repair
from workbench.adopt.sample_checks import (
    Pair,
    Texts,
    absent_columns,
    coded_texts,
    columns_to_send,
    likely_dummies,
    mark_notes,
    unclear_cells,
    without_sample,
)
from workbench.adopt.text_column import text_feature
from workbench.adopt.unnamed_columns import ProposedColumns, propose_columns
from workbench.errors import listing
from workbench.inspect import ModelFacts, first_scalings

Entry = Mapping[str, Any]  # a feature as features.json has it
_ABSENT = object()
MAX_NUMBERED = 1000  # features whose names are proposed as numbers
# The fields that the sample and the model provide; `strict` of categories only.
DERIVED = ("type", "nullable", "minimum", "maximum", "categories", "strict")


def declared_features(case: Case, chain: Chain) -> FeaturesAnswer:
    """Return what the user declares about the features.

    On a retrain the answer is features.json, which also holds fields that adopt derived for the
    previous model. They are left out if the new sample or model provides them.
    """
    facts = chain.facts
    derived = case.previous.derived if case.previous is not None else {}
    declared = case.declared
    if case.answers.accept_other_features and facts.feature_names is not None:
        declared = _with_features_of(facts, declared)
    if case.sample is not None:
        declared = _without(declared, derived)
    return _without(declared, _categories_in_model(facts, declared, derived))


def derive_contract(case: Case, chain: Chain, declared: FeaturesAnswer) -> tuple[Contract, Notes]:
    """Return the contract: the answer wins over the model, the model over the sample.

    If the author's `prepare` makes the model's columns, the features are not the model's, and only
    the answer can name them. Raises AnswerError.
    """
    known: Known = {}
    entries: list[Entry]
    notes: Notes
    if chain.facts.takes_texts and not (chain.prepares and len(declared.features) > 1):
        if (problem := cleaned_texts(case, chain)) is not None:
            raise AnswerError(problem)
        entry, notes = text_feature(declared, case, chain.facts)
        entries = [entry]
    else:
        entries, notes = _entries(case, chain, declared)
        if not chain.prepares:
            known = known_categories(chain.facts, _model_columns(entries), case.sample)
        entries = [{**category_fields(known, entry, case.sample), **entry} for entry in entries]
        entries = _with_categories(entries, chain.encoded_categories)
        if case.sample is not None:
            entries, sample_notes = _with_sample(entries, case, chain)
            notes += sample_notes
        else:
            entries = [_without_sample(entry) for entry in entries]
    document = {
        "features": entries,
        "output": _output(case, chain, declared, entries),
        "transformers": chain.contract_transformers(case.answers.model.path),
        "examples": declared.examples,
        "unused": list(chain.unused.values()),
        "service": dict(declared.service or {}),
    }
    try:
        contract = parse_contract(document)
        _check_output(contract.output, chain.facts)
        check_categories(contract, closed_categories(known))
    except ContractError as error:
        raise AnswerError([Problem("features", f"{p}.") for p in error.problems]) from None
    return contract, (*notes, *_unused_notes(contract.unused))


def _unused_notes(unused: Sequence[str]) -> Notes:
    if not unused:
        return ()
    them, are = ("it", "it is") if len(unused) == 1 else ("them", "they are")
    sentence = f"the model was given {them} in the training and drops {them}"
    return (f"{listing(unused)}: {sentence}, so {are} no feature. Callers can still send {them}.",)


def _output(
    case: Case, chain: Chain, declared: FeaturesAnswer, entries: Sequence[Entry]
) -> dict[str, Any]:
    output = dict(declared.output or {})
    if chain.target.labels is not None:
        output.setdefault("labels", dict(chain.target.labels))
    if chain.target.transform is not None:
        output.setdefault("transform", dict(chain.target.transform))
    if chain.target.names is not None:
        output.setdefault("targets", list(chain.target.names))
    if (count := chain.facts.n_outputs) > 1:
        # The targets are what the sample has besides the features, in the order of training.
        taken = {EXPECTED_COLUMN, *_model_columns(entries), *(entry["name"] for entry in entries)}
        taken |= {*chain.unused.values()}
        others = [name for name in case.sample_columns if name not in taken]
        made_up = [f"target_{number}" for number in range(1, count + 1)]
        output.setdefault("targets", others if len(others) == count else made_up)
    return output


def _check_output(output: Output, facts: ModelFacts) -> None:
    check_output(output, facts.task, facts.classes, facts.n_outputs, facts.binary)


def _entries(case: Case, chain: Chain, declared: FeaturesAnswer) -> tuple[list[Entry], Notes]:
    """Return an entry for each feature, in the model's order."""
    sample, facts = case.sample, chain.facts
    notes: Notes = ()
    entries = list(declared.features)
    if not entries:
        columns = _columns_to_prepare(case, chain) if chain.prepares else _columns(case, facts)
        entries = [{"name": name} for name in columns.features]
        notes = tuple(columns.notes(sample)) if sample is not None else ()
    if chain.prepares:
        return entries, notes
    if sample is not None:
        by_name = facts.feature_names is not None
        entries, dummy_notes = with_dummies(entries, sample, by_name=by_name)
        notes += dummy_notes
    entries, order_notes = _in_model_order(entries, case, chain)
    return entries, (*notes, *order_notes)


def _columns_to_prepare(case: Case, chain: Chain) -> Columns:
    """Return the columns of the sample of which `prepare` makes the model's columns."""
    code, sample, names = chain.code, case.sample, case.answers.names
    if sample is None or code is None:
        message = (
            f"{names.model_code} has a function prepare, which makes the model's columns; "
            f"answer {names.features}= with what it takes, or give {names.sample_data}."
        )
        raise AnswerError(Problem(None, message))
    known = {*(chain.facts.feature_names or ()), *code.texts}
    columns = feature_columns(replace(chain.facts, n_features=None), sample)
    used = tuple(name for name in columns.features if name in known)
    return replace(columns, features=used or columns.features)


def _columns(case: Case, facts: ModelFacts) -> Columns:
    """Return the names in the model, else those of the sample's columns that are features."""
    sample, questions = case.sample, case.answers.names
    if facts.feature_names is not None:
        return Columns(facts.feature_names)
    if sample is None:
        message = (
            f"The model takes {_count(facts)} and their names are not in the file; answer "
            f"{questions.features}= with the names in the order of training, or give "
            f"{questions.sample_data}."
        )
        if (numbered := _numbered(facts.n_features)) is not None:
            message += " The proposal numbers them: write the names into it."
        raise AnswerError(Problem(None, message, numbered))
    columns = feature_columns(facts, sample)
    if facts.n_features is None and columns.target is None:
        answer = joined(columns.features)
        message = (
            "The model file does not say how many features there are; answer "
            f"{questions.features}= with those of the sample's columns that are features: {answer}"
        )
        raise AnswerError(Problem(None, message, Repair({"features": answer})))
    return columns


def _numbered(count: int | None) -> Repair | None:
    """Return a features file with names to replace by the real ones."""
    if count is None or count > MAX_NUMBERED:
        return None
    names = [{"name": f"feature_{number}"} for number in range(1, count + 1)]
    return Repair(features={"features": names})


def _with_categories(
    entries: Sequence[Entry], categories: Mapping[str, Sequence[Scalar]]
) -> list[Entry]:
    """Add the categories of the encoders to the features about which nothing is declared."""
    fields = {name: {"type": "category", "categories": list(c)} for name, c in categories.items()}
    deciding = {"categories", "encode", "one_hot", "type"}
    return [
        {**fields.get(entry["name"], {}), **entry} if deciding.isdisjoint(entry) else entry
        for entry in entries
    ]


def _without_sample(entry: Entry) -> Entry:
    default_type = "category" if entry.get("categories") else "number"
    return {"type": default_type, "nullable": False, **entry}


def _with_sample(entries: Sequence[Entry], case: Case, chain: Chain) -> tuple[list[Entry], Notes]:
    """Add the sample's facts to the features.

    Raises AnswerError for columns that it lacks, and for cells that can mean several things.
    """
    sample = case.sample
    assert sample is not None
    pairs = _pairs(entries, sample)
    if len(pairs) < len(entries):
        raise AnswerError(_absent(entries, case, chain))
    problems = list(unclear_cells(pairs, sample, chain))
    if problems:
        raise AnswerError(problems)
    texts = coded_texts(pairs, case, chain)
    if texts.doubt:
        raise AnswerError(_doubtful(texts))
    completed: list[Entry] = [
        {**_fields_of_sample(column, entry), **entry} for entry, column in texts.pairs
    ]
    return completed, (*sample.notes, *texts.notes, *mark_notes(completed, sample))


def _pairs(entries: Sequence[Entry], sample: Sample) -> list[Pair]:
    """Return the features that the sample has, with their columns."""
    pairs = [(entry, column_of(entry, sample)) for entry in entries]
    return [(entry, column) for entry, column in pairs if column is not None]


def _absent(entries: Sequence[Entry], case: Case, chain: Chain) -> list[Problem]:
    """Return the problems of features that the sample lacks, with a proposal where one is likely.

    Nothing is proposed if the sample has none of them, or if its cells leave them open.
    """
    sample = case.sample
    assert sample is not None
    by_name = chain.facts.feature_names is not None
    likely: list[Dummies] = []
    if not chain.prepares:
        entries, likely = with_likely_dummies(entries, sample, by_name=by_name)
    known = _pairs(entries, sample)
    absent = [entry["name"] for entry in entries if column_of(entry, sample) is None]
    problems = list(unclear_cells(known, sample, chain))
    texts = coded_texts(known, case, chain) if known and not problems else None
    if texts is not None and texts.doubt:
        problems.append(Problem("sample_data", texts.doubt))
    if absent:
        described = _described(entries, texts) if texts is not None else None
        is_clear = described is not None and not problems and not likely
        sent = columns_to_send(absent, known, described or (), case, chain) if is_clear else None
        if sent is not None:
            return [sent]
        return [*absent_columns(absent, likely, case, chain, described), *problems]
    repair = _repair(texts) if texts is not None else Repair()
    return [likely_dummies(likely, case, repair), *problems]


def _doubtful(texts: Texts) -> Problem:
    return Problem(None if texts.is_certain else "sample_data", texts.doubt, _repair(texts))


def _repair(texts: Texts) -> Repair:
    """Return a features file with the codes; without the sample if that lacks some of them."""
    if texts.uncoded:
        described = _described(texts.entries, texts)
        return replace(without_sample(described), certain=texts.is_certain)
    return Repair(features={"features": [dict(entry) for entry in texts.entries]})


def _described(entries: Sequence[Entry], texts: Texts) -> list[Entry]:
    """Return the features with the sample's facts about those that it has."""
    found: dict[str, Entry] = {}
    for entry, column in texts.pairs:
        fields = {} if entry["name"] in texts.uncoded else _fields_of_sample(column, entry)
        fields.pop("nullable", None)  # the verification finds out what the model takes
        found[entry["name"]] = {"name": entry["name"], **fields, **entry}
    return [found.get(entry["name"], entry) for entry in entries]


def _count(facts: ModelFacts) -> str:
    number = facts.n_features
    if number is None:
        return "an unknown number of features"
    return "1 feature" if number == 1 else f"{number} features"


def _model_columns(entries: Sequence[Entry]) -> list[str]:
    return [
        column
        for entry in entries
        for column in (entry["one_hot"].values() if entry.get("one_hot") else [entry["name"]])
    ]


def _in_model_order(entries: list[Entry], case: Case, chain: Chain) -> tuple[list[Entry], Notes]:
    """Check the names against the model's, and sort the entries if the model has names."""
    facts = chain.facts
    columns = _model_columns(entries)
    expected = facts.feature_names
    if expected is None:
        if facts.n_features is not None and len(columns) != facts.n_features:
            raise AnswerError(_wrong_count(columns, case, chain))
        if (other := _others_by_chance(entries, case, chain)) is not None:
            raise AnswerError(other)
        return entries, ()
    missing = [name for name in expected if name not in columns]
    problems = [
        Problem("features", f"the model has no feature {name!r}{did_you_mean(name, missing)}")
        for name in columns
        if name not in expected
    ]
    problems += [
        Problem("features", f"{name!r} is missing; the model was trained on it.")
        for name in missing
    ]
    if problems:
        if len(columns) > len(expected):
            problems.append(_wrong_count(columns, case, chain))
        raise AnswerError(problems)
    if columns == list(expected):
        return entries, ()
    position = {name: number for number, name in enumerate(expected)}
    return (
        sorted(entries, key=lambda entry: position[_model_columns([entry])[0]]),
        ("The features are in another order than the model's; the model's is kept.",),
    )


def _wrong_count(columns: Sequence[str], case: Case, chain: Chain) -> Problem:
    facts, questions = chain.facts, case.answers.names
    message = f"The model takes {_count(facts)}, and {len(columns)} are named ({listing(columns)})."
    plain = _without_others(message, columns, case, facts)
    proposed = _proposed_columns(case, chain)
    if proposed is not None and (plain is None or proposed.is_supported):
        is_same = plain is not None and plain.repair == proposed.problem.repair
        return plain if plain is not None and is_same else proposed.problem
    if plain is not None:
        return plain
    if facts.n_features is not None and len(columns) == facts.n_features + 1:
        features = joined(columns[:-1])
        message += f" If the last one, {columns[-1]!r}, is the target, leave it out."
        return Problem(None, message, Repair({"features": features}))
    message += f" Answer {questions.features}= with the names in the order of training."
    repair = None
    if facts.feature_names is None and (numbered := _numbered(facts.n_features)) is not None:
        message += " The proposal numbers them: write the names into it."
        repair = replace(numbered, answers={"sample_data": ""})
    return Problem(None, message, repair)


def _without_others(
    message: str, columns: Sequence[str], case: Case, facts: ModelFacts
) -> Problem | None:
    """Return the problem of columns of which some are no features: texts, or the target."""
    answer = f"answer {case.answers.names.features}="
    if (numbers := _only_numbers(columns, facts, case.sample)) is not None:
        features = joined(numbers)
        message += (
            f" {len(numbers)} of them are numbers: if these are the model's, {answer}{features}"
        )
        return Problem(None, message, Repair({"features": features}))
    target = _likely_target(columns, facts, case.sample)
    if target is not None:
        features = joined(name for name in columns if name != target)
        message += f" {target!r} looks like the target: {answer}{features}"
        return Problem(None, message, Repair({"features": features}))
    return None


def _proposed_columns(case: Case, chain: Chain) -> ProposedColumns | None:
    """Return columns of the sample that can be the model's, if nothing is declared about them."""
    if case.sample is None or case.declared.features:
        return None
    if chain.fitted:
        root, scalings = None, chain.fitted[0].facts.scalings
    else:
        root, scalings = case.model_root, first_scalings(case.model_root)
    return propose_columns(chain.facts, root, scalings, case.sample)


def _others_by_chance(entries: Sequence[Entry], case: Case, chain: Chain) -> Problem | None:
    """Return the problem that the columns are only as many as the model takes, if it shows that.

    Texts among them have to be encoded, and then they can be other columns than those.
    """
    columns = case.sample.columns if case.sample is not None else {}
    names = [entry["name"] for entry in entries if not entry.keys() - {"name"}]
    if not any(name in columns and columns[name].type in ("category", "text") for name in names):
        return None
    proposed = _proposed_columns(case, chain)
    return proposed.problem if proposed is not None and proposed.is_supported else None


def _only_numbers(
    columns: Sequence[str], facts: ModelFacts, sample: Sample | None
) -> list[str] | None:
    """Return the columns of numbers, if the sample has as many as a nameless model takes."""
    if sample is None or facts.feature_names is not None or facts.categories:
        return None
    known = [sample.columns[name] for name in columns if name in sample.columns]
    numbers = [column.name for column in known if column.numeric or column.type == "boolean"]
    return numbers if len(numbers) == facts.n_features else None


def _likely_target(columns: Sequence[str], facts: ModelFacts, sample: Sample | None) -> str | None:
    """Return the column that seems to be no feature: an index or the target."""
    if facts.n_features is None or len(columns) != facts.n_features + 1:
        return None
    if facts.feature_names is not None:
        return next((name for name in columns if name not in facts.feature_names), None)
    if sample is not None:
        found = feature_columns(facts, sample)
        likely = found.target or found.likely
        return likely if likely in columns else None
    return called_target(columns)


def _fields_of_sample(column: ColumnFacts, entry: Entry) -> dict[str, Any]:
    kind = entry.get("type") or ("category" if entry.get("categories") else column.type)
    fields: dict[str, Any] = {"type": kind, "nullable": column.missing > 0}
    low, high = whole(column.minimum), whole(column.maximum)
    if kind in ("number", "integer") and column.numeric and low <= high:
        # A declared bound can lie beyond the sample's opposite one.
        if low <= entry.get("maximum", high):
            fields["minimum"] = low
        if high >= entry.get("minimum", low):
            fields["maximum"] = high
    if kind == "category" and column.categories is not None:
        fields["categories"] = column.categories
    return fields


def _with_features_of(facts: ModelFacts, declared: FeaturesAnswer) -> FeaturesAnswer:
    """Return the answer for a model with other features: the declarations of those that remain."""
    names = facts.feature_names or ()
    entries = {
        column: entry
        for entry in declared.features
        if set(columns := _model_columns([entry])) <= set(names)
        for column in columns
    }
    output = dict(declared.output or {})
    try:
        _check_output(parse_output(output), facts)
    except ContractError:
        output = {}
    remaining = {entry["name"]: entry for entry in (entries.get(n, {"name": n}) for n in names)}
    return replace(declared, features=tuple(remaining.values()), output=output)


def _categories_in_model(
    facts: ModelFacts, declared: FeaturesAnswer, derived: Mapping[str, Entry]
) -> dict[str, Entry]:
    """Return the derived categories of the previous model that the model file itself has."""
    names = facts.feature_names or declared.names
    in_model = {
        names[number]
        for number, entry in facts.categories.items()
        if entry.values and number < len(names)
    }
    in_model |= set(facts.encoded)
    keys = ("type", "categories")
    return {
        name: {key: derived[name][key] for key in keys if key in derived[name]}
        for name in in_model & derived.keys()
    }


def _without(declared: FeaturesAnswer, derived: Mapping[str, Entry]) -> FeaturesAnswer:
    """Return the answer without the derived fields that are unchanged."""
    kept = [
        {
            key: value
            for key, value in entry.items()
            if derived.get(entry["name"], {}).get(key, _ABSENT) != value
        }
        for entry in declared.features
    ]
    return replace(declared, features=tuple(kept))


def without_derived(case: Case, declared: FeaturesAnswer) -> FeaturesAnswer:
    """Return the answer without the fields that were derived for the previous model."""
    return _without(declared, case.previous.derived) if case.previous is not None else declared


def derived_fields(
    contract: Contract, declared: FeaturesAnswer, closed: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Return the undeclared fields of each feature, which verify and a retrain can correct.

    `declared` holds only what the user declares about the features. `closed` names the features for
    which the model takes no other than the listed categories.
    """
    by_name = {entry["name"]: set(entry) for entry in declared.features}
    found = {}
    for feature in contract.features:
        document = {"strict": None, **feature.to_json()}
        settled = feature.encoded or feature.name in closed or not feature.categories
        keys = DERIVED[:-1] if settled else DERIVED
        found[feature.name] = {
            key: document[key]
            for key in keys
            if key in document and key not in by_name.get(feature.name, ())
        }
    return found
