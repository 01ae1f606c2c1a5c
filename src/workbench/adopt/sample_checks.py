"""Judge whether the columns of a sample are what the model takes: absent ones, texts, odd cells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from model_service.contract.contract import json_text
from model_service.contract.parsing import did_you_mean
from model_service.contract.typed_text import whole
from workbench.adopt import proposals
from workbench.adopt.case import Case
from workbench.adopt.chain import Chain
from workbench.adopt.find_code import repair_with_code
from workbench.adopt.problems import AnswerError, Notes, Problem, Repair
from workbench.adopt.raw_columns import yes_or_no
from workbench.adopt.sample import ColumnFacts, Sample
from workbench.errors import listing
from workbench.inspect import seen_values

Entry = Mapping[str, Any]  # a feature as features.json has it
Pair = tuple[Entry, ColumnFacts]
MAX_ABSENT = 20  # columns, each with a message of its own
MAX_SHOWN = 5  # marks or columns in a message
NUMBERS = ("number", "integer")
# Fields that leave open how a column becomes numbers.
_OPEN = frozenset(("name", "title", "description", "unit", "nullable"))
# Modules whose classes take numbers only, unless the file lists the categories of a column.
_NUMERIC_MODULES = (
    *("sklearn.linear_model", "sklearn.tree", "sklearn.svm", "sklearn.neighbors"),
    *("sklearn.naive_bayes", "sklearn.neural_network", "sklearn.discriminant_analysis"),
    *("sklearn.gaussian_process", "sklearn.cluster", "sklearn.decomposition"),
    *("sklearn.ensemble._forest", "sklearn.ensemble._gb", "sklearn.ensemble._weight_boosting"),
    *("sklearn.ensemble._iforest", "sklearn.ensemble._hist_gradient_boosting"),
    *("sklearn.preprocessing._data", "sklearn.preprocessing._polynomial", "sklearn.impute"),
    *("xgboost.sklearn", "lightgbm.sklearn"),
)
# A column with fewer other cells is a column of numbers with mistakes in it.
MAX_OTHERS = 0.1


def absent_columns(
    entries: Sequence[Entry],
    absent: Sequence[str],
    case: Case,
    chain: Chain,
    described: Sequence[Entry] | None,
) -> list[Problem]:
    """Return the problems of features that the sample has no column for.

    `described` are the features with what the sample says of them; if None, nothing is proposed.
    """
    sample, names = case.sample, case.answers.names
    assert sample is not None
    problem = proposals.suggest_features_file(entries, absent, sample, names)
    if problem is not None:
        return [problem]
    makes_columns = not chain.prepares and chain.code is None
    repair = repair_with_code(["__main__.prepare"], case.answers) if makes_columns else None
    shown = list(absent[:MAX_ABSENT])
    problems = [
        Problem(
            "sample_data",
            f"{sample.path.name} has no column {name!r}{did_you_mean(name, sample.columns)}",
            repair,
        )
        for name in shown
    ]
    more = absent[MAX_ABSENT:]
    if more:
        message = f"and {len(more):,} more of the same kind: {listing(more, 3)}"
        problems.append(Problem("sample_data", message, repair))
    if makes_columns:
        made = listing(shown, 3)
        message = (
            f"If your code makes {made} of other columns: answer {names.model_code}=FILE with a "
            f"function prepare(frame) that returns the model's columns, and {names.features}= with "
            "what callers know."
        )
        if repair is None and described is not None:
            message += (
                f" If callers send {made} themselves, paste the last line: its features file has "
                f"all columns, and what {sample.path.name} says about them."
            )
            features = {"features": [dict(entry) for entry in described]}
            repair = Repair({"sample_data": ""}, features=features)
        problems.append(Problem(None, message, repair))
    return problems


def encoded_texts(pairs: Sequence[Pair], case: Case, chain: Chain) -> tuple[list[Pair], Notes]:
    """Return the entries with codes for yes and no, if the model takes numbers only.

    Raises AnswerError for other texts: nobody knows which numbers the training made of them.
    """
    if chain.prepares or not _takes_numbers(chain):
        return list(pairs), ()
    handled = {name for one in chain.fitted for name in one.columns or ()}
    found: list[Pair] = []
    notes: list[str] = []
    unknown: list[Pair] = []
    for entry, column in pairs:
        is_text = column.type in ("category", "text") and set(entry) <= _OPEN
        if not is_text or entry["name"] in handled:
            found.append((entry, column))
        elif (codes := yes_or_no(column)) is not None:
            no, yes = codes
            notes.append(f"{entry['name']} is a number to the model: {no} is 0 and {yes} is 1.")
            fields = {"type": "category", "categories": list(codes), "encode": codes}
            found.append(({**entry, **fields}, column))
        else:
            unknown.append((entry, column))
            found.append((entry, column))
    if unknown:
        raise AnswerError(_unknown_codes(found, unknown, case))
    return found, tuple(notes)


def _takes_numbers(chain: Chain) -> bool:
    """Return whether a text in a column that no transformer is for would be an error."""
    if any(one.columns is None and not one.facts.one_to_one for one in chain.fitted):
        return False
    classes = [step.class_name for step in chain.model.steps] or [chain.model.class_name]
    return all(name.startswith(_NUMERIC_MODULES) for name in classes)


def _unknown_codes(pairs: Sequence[Pair], unknown: Sequence[Pair], case: Case) -> Problem:
    """Return the problem of texts for which the model has numbers, with a proposal."""
    names = case.answers.names
    columns = [entry["name"] for entry, _ in unknown]
    codes_of = {
        entry["name"]: _no_or_yes(column, _seen_by_model(entry["name"], case))
        or {text: code for code, text in enumerate(_texts(column))}
        for entry, column in unknown
    }
    proposed = {
        entry["name"]: {
            **entry,
            "type": "category",
            "categories": list(column.categories),
            "encode": codes_of[entry["name"]],
        }
        for entry, column in unknown
        if column.categories is not None
    }
    assert case.sample is not None
    message = (
        f"The model takes numbers, and {listing(columns)} of {case.sample.path.name} "
        f"{'is' if len(columns) == 1 else 'are'} text. If fitted encoders made numbers of them, "
        f"answer {names.transformers}= with their files."
    )
    if len(proposed) < len(unknown):
        return Problem("sample_data", message)
    codes = "; ".join(f"{name}: {_codes(proposed[name])}" for name in columns[:MAX_SHOWN])
    message += (
        " If your code did, compare the proposal with it, which counts in alphabetical order as a "
        f"LabelEncoder does, or no and yes as the model knows them ({codes})."
    )
    document = [dict(proposed.get(entry["name"], entry)) for entry, _ in pairs]
    return Problem("sample_data", message, Repair(features={"features": document}))


def _no_or_yes(column: ColumnFacts, seen: Sequence[float]) -> dict[str, int] | None:
    """Return 0 for "No phone service" too, if the model compares the column with 0 and 1 only."""
    texts = {text: text.strip().casefold() for text in _texts(column)}
    is_known = {"no", "yes"} <= set(texts.values()) and all(
        text == "yes" or text.split(" ")[0] == "no" for text in texts.values()
    )
    if not is_known or not seen or max(seen) > 1:
        return None
    return {text: int(plain == "yes") for text, plain in texts.items()}


def _seen_by_model(name: str, case: Case) -> Sequence[float]:
    names = case.model.feature_names or ()
    return seen_values(case.model_root).columns.get(names.index(name), []) if name in names else []


def _codes(entry: Entry) -> str:
    pairs = [f"{category} is {code}" for category, code in entry["encode"].items()]
    return listing(pairs, MAX_SHOWN)


def _texts(column: ColumnFacts) -> list[str]:
    return [json_text(category) for category in column.categories or ()]


def unclear_cells(pairs: Sequence[Pair], sample: Sample) -> Iterator[Problem]:
    """Yield a problem for each column of numbers whose cells can mean different numbers."""
    for entry, column in pairs:
        kind = entry.get("type")
        if entry.get("categories") or kind not in (None, *NUMBERS):
            continue
        cells, where = column.cells, f"{column.name!r} of {sample.path.name}"
        if column.is_unclear:
            yield Problem(
                "sample_data",
                f"{where} has numbers such as {cells.shown}, whose comma or point can separate "
                "thousands or decimals. Write them with a decimal point and without separators of "
                "thousands.",
            )
        elif cells.percents and column.numeric and entry.get("unit") != "%":
            yield _percentages(pairs, entry, column, where)
        elif kind is None and column.type == "text" and cells.others <= MAX_OTHERS * column.rows:
            yield Problem(
                "sample_data",
                f"{where} has {cells.numbers:,} numbers and {cells.others:,} other cells, the "
                f"first of them {cells.other[:40]!r}. Correct or delete these rows; if it is text "
                f'to the model, say so in a features file: {{"name": {json.dumps(column.name)}, '
                '"type": "text"}',
            )


def _percentages(pairs: Sequence[Pair], entry: Entry, column: ColumnFacts, where: str) -> Problem:
    number = _shown_number(column)
    document = [dict(e) if e is not entry else {**e, "unit": "%"} for e, _ in pairs]
    return Problem(
        "sample_data",
        f"{where} has percentages such as {column.cells.shown}. If that was {number} in training, "
        f'say "unit": "%" of it in a features file; if it was a hundredth of that, write the '
        "numbers that the model was trained on.",
        Repair(features={"features": document}),
    )


def mark_notes(entries: Sequence[Entry], sample: Sample) -> Iterator[str]:
    """Yield a note for each number of which some cells are marks, and for decorated numbers."""
    for entry in entries:
        column = sample.columns.get(entry["name"])
        if column is None or column.is_plain or entry["type"] not in NUMBERS:
            continue
        cells = column.cells
        if cells.marks:
            count, marks = cells.marks.total(), sorted(map(repr, cells.marks))
            yield (
                f"{column.name} is a number, and {count:,} of its {column.rows:,} cells are none "
                f"({listing(marks, MAX_SHOWN)}): taken for missing values."
            )
        if cells.decorated:
            number = _shown_number(column)
            yield f"{column.name} is a number: {cells.shown} is read as {number}."


def _shown_number(column: ColumnFacts) -> str:
    return json_text(whole(float(column.plain(column.cells.shown))))
