"""Judge whether the columns of a sample are what the model takes: absent ones, texts, odd cells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from model_service.contract.json_values import json_text
from model_service.contract.parsing import did_you_mean
from model_service.contract.typed_text import SAMPLE_MISSING, sample_number, whole
from workbench import files
from workbench.adopt.beside.find_code import is_in_code, repair_with_code
from workbench.adopt.beside.sample_evidence import has_other_values
from workbench.adopt.case import Case
from workbench.adopt.chain import Chain
from workbench.adopt.code.codes_in_code import WrittenCodes, codes_in_code
from workbench.adopt.csv.cells import are_written_numbers
from workbench.adopt.csv.raw_columns import SEPARATORS, Dummies, yes_or_no
from workbench.adopt.csv.sample import ColumnFacts, Sample, letters_of
from workbench.adopt.csv.target_column import find_target
from workbench.adopt.guess_codes import GuessedCodes, are_between, guess_codes, is_identifier
from workbench.adopt.problems import Notes, Problem, Repair
from workbench.errors import listing
from workbench.inspect import seen_values

Entry = Mapping[str, Any]  # a feature as features.json has it
Pair = tuple[Entry, ColumnFacts]
MAX_ABSENT = 20  # columns, each with a message of its own
MAX_SHOWN = 5  # marks or columns in a message
NUMBERS = ("number", "integer")
ROWS_FOR_EACH = 10  # text of a sample that has all texts of the training
SECOND_LAST = 2  # code from the end; a model that compares with more has seen the last one
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
    *("xgboost.sklearn", "lightgbm.sklearn", "xgboost.core", "lightgbm.basic"),
)
# A column with fewer other cells is a column of numbers with mistakes in it.
MAX_OTHERS = 0.1


@dataclass(frozen=True)
class Texts:
    """The features with codes for texts where the model takes numbers."""

    pairs: tuple[Pair, ...]
    notes: Notes = ()
    doubt: str = ""  # what to check, if the codes are guesses
    # Columns of which the sample has the texts only: it cannot be the sample of the proposal.
    uncoded: tuple[str, ...] = ()
    is_certain: bool = False  # whether what is proposed for all texts needs no check

    @property
    def entries(self) -> list[Entry]:
        return [entry for entry, _ in self.pairs]


def absent_columns(
    absent: Sequence[str],
    likely: Sequence[Dummies],
    case: Case,
    chain: Chain,
    described: Sequence[Entry] | None,
) -> list[Problem]:
    """Return the problems of features that the sample has no column for.

    `likely` are dummy columns that the proposal makes of the sample's, `described` the features
    with what the sample says of them; if None, nothing is proposed.
    """
    sample, names = case.sample, case.answers.names
    assert sample is not None
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
            for dummies in likely:
                message += f" {_of_likely(dummies)}"
            repair = without_sample(described)
        problems.append(Problem(None, message, repair))
    return problems


def columns_to_send(
    absent: Sequence[str],
    known: Sequence[Pair],
    described: Sequence[Entry],
    case: Case,
    chain: Chain,
) -> Problem | None:
    """Return the problem that callers send what the sample lacks, or None if that is to be asked.

    They can be sent as the training had them, if their names are not the user's, who can mistype
    them. It is certain if the sample has most of the columns, with the values that the model
    compares them with.
    """
    sample, names = case.sample, case.answers.names
    assert sample is not None
    typed = case.answers.features.strip() and not case.answers.found_features
    if typed or chain.prepares or case.previous is not None:
        return None
    if len(absent) > len(known) or is_in_code("__main__.prepare", case.answers):
        return None
    unused = sample.columns.keys() - {entry["name"] for entry, _ in known}
    if any(_can_be(name, column) for name in absent for column in unused):
        return None
    for entry, column in known:
        if has_other_values(column, _seen_by_model(entry["name"], case, chain)):
            return None
    are, them = ("is", "it") if len(absent) == 1 else ("are", "them")
    message = (
        f"The model takes {listing(absent)}, which {are} not in {sample.path.name}. So callers "
        f"send {them} as the training had {them}, and the file is not the sample. If your code "
        f"makes {them} of other columns, write a function prepare(frame) that returns the model's "
        f"columns, and answer {names.model_code}=FILE with it"
    )
    return Problem(None, message, replace(without_sample(described), certain=True))


def _can_be(name: str, column: str) -> bool:
    """Return whether a column of the sample is another spelling of a name, or dummies are of it."""
    begins = name.casefold().startswith(column.casefold())
    return letters_of(name) == letters_of(column) or (
        begins and name[len(column) :].startswith(SEPARATORS)
    )


def likely_dummies(likely: Sequence[Dummies], case: Case, repair: Repair) -> Problem:
    """Return the problem of dummy columns that are made of the sample's, as far as one can see."""
    assert case.sample is not None
    columns = [column for dummies in likely for column in dummies.columns.values()]
    message = (
        f"{case.sample.path.name} has no column {listing(columns)}, but "
        f"{listing([dummies.column for dummies in likely])}, of which the model's columns are "
        f"made. Answer {case.answers.names.features}= with a file that says so, and in which all "
        "columns are 0 for the categories without one."
    )
    for dummies in likely:
        message += f" {_of_likely(dummies)}"
    return Problem("sample_data", message, repair)


def _of_likely(dummies: Dummies) -> str:
    """Return what to check about a guess at which categories have no column."""
    without = [json_text(category) for category in dummies.without]
    columns = list(dummies.columns.values())
    verb = "is" if len(columns) == 1 else "are"
    made = f"{listing(columns, 3)} {verb} made of {dummies.column}"
    if not without:
        return f"{made} there."
    return (
        f"{made} there, and all are 0 for {listing(without, MAX_SHOWN)}: check that the training "
        "did the same."
    )


def without_sample(described: Sequence[Entry]) -> Repair:
    """Return the answers with a features file that holds what the sample says, and without it."""
    features = {"features": [dict(entry) for entry in described]}
    return Repair({"sample_data": ""}, features=features)


def coded_texts(pairs: Sequence[Pair], case: Case, chain: Chain) -> Texts:
    """Return the features with codes for the texts, if the model takes numbers only.

    Those of yes and no are certain; others are guesses, which the doubt describes.
    """
    handled = {name for one in chain.fitted for name in one.columns or ()}
    found: list[Pair] = []
    notes: list[str] = []
    unknown: list[Pair] = []
    for entry, column in pairs:
        is_text = column.type in ("category", "text") and set(entry) <= _OPEN
        if not is_text or entry["name"] in handled or not _is_number(entry["name"], chain):
            found.append((entry, column))
        elif (codes := yes_or_no(column)) is not None:
            no, yes = codes
            notes.append(f"{entry['name']} is a number to the model: {no} is 0 and {yes} is 1.")
            found.append((_encoded(entry, codes), column))
        elif (written := _written(entry["name"], column, case, chain)) is not None:
            notes.append(_of_written(entry["name"], written))
            found.append((_encoded(entry, written.codes), column))
        else:
            unknown.append((entry, column))
            found.append((entry, column))
    if not unknown:
        return Texts(tuple(found), tuple(notes))
    return _with_guesses(found, unknown, case, chain)


def _written(name: str, column: ColumnFacts, case: Case, chain: Chain) -> WrittenCodes | None:
    """Return the codes that the author's code makes of a column, if the model agrees with them.

    A LabelEncoder counts the texts that it has seen. So the sample must have them all: its texts
    are not few of many, none is missing, and the model compares with the last of the codes.
    """
    texts = _texts(column)
    if case.previous is not None or not texts:
        return None
    written = codes_in_code(name, texts, case.sources)
    if written is None:
        return None
    seen = _seen_by_model(name, case, chain)
    if not are_between(seen, sorted({*written.codes.values()})):
        return None
    if not written.is_alphabetical:
        return written
    if seen:
        return written if max(seen) > len(texts) - SECOND_LAST else None
    is_whole = column.rows >= ROWS_FOR_EACH * len(texts) and not column.missing
    return written if is_whole else None


def _of_written(name: str, written: WrittenCodes) -> str:
    codes = {text: whole(code) for text, code in written.codes.items()}
    return (
        f"{name} is a number to the model: {_codes(codes)}, {written.where}. If its training made "
        f'others, correct "encode" in {files.FEATURES}, and run: make verify ACCEPT=answers'
    )


def _encoded(entry: Entry, codes: Mapping[str, float]) -> Entry:
    return {**entry, "type": "category", "categories": list(codes), "encode": dict(codes)}


def _is_number(name: str, chain: Chain) -> bool:
    """Return whether a text in a column would be an error."""
    return not chain.prepares and (name in chain.numbers or _takes_numbers(chain))


def _takes_numbers(chain: Chain) -> bool:
    """Return whether a text in a column that no transformer is for would be an error."""
    if any(one.columns is None and not one.facts.one_to_one for one in chain.fitted):
        return False
    classes = [step.class_name for step in chain.model.steps] or [chain.model.class_name]
    return all(name.startswith(_NUMERIC_MODULES) for name in classes)


def _with_guesses(
    pairs: Sequence[Pair], unknown: Sequence[Pair], case: Case, chain: Chain
) -> Texts:
    """Return the features with guessed codes for texts for which the model has numbers."""
    assert case.sample is not None
    columns = [entry["name"] for entry, _ in unknown]
    cells, targets = _cells_and_targets(columns, case)
    written = [entry["name"] for entry, column in unknown if are_written_numbers(column.cells)]
    if len(written) == len(unknown) and case.previous is None:
        return _without_texts(pairs, written, case)
    guesses = dict(_guesses(unknown, cells, targets, case, chain))
    guesses = {name: guess for name, guess in guesses.items() if name not in written}
    found = [
        (_encoded(entry, guess.codes) if (guess := guesses.get(entry["name"])) else entry, column)
        for entry, column in pairs
    ]
    uncoded = {name: _seen_by_model(name, case, chain) for name in columns if name not in guesses}
    numbers = {name: _number(seen) for name, seen in uncoded.items()}
    found = [({**entry, **numbers.get(entry["name"], {})}, column) for entry, column in found]
    doubt = (
        f"The model takes numbers, and {listing(columns)} of {case.sample.path.name} "
        f"{'is' if len(columns) == 1 else 'are'} text. If fitted encoders made numbers of them, "
        f"answer {case.answers.names.transformers}= with their files."
    )
    if guesses:
        shown = list(guesses.items())[:MAX_SHOWN]
        codes = "; ".join(f"{name}: {_codes(guess.codes)}, {guess.why}" for name, guess in shown)
        doubt += f" If your code did, compare the codes of the proposal with it ({codes})."
    for name, seen in uncoded.items():
        doubt += f" {_uncoded(name, cells[name], seen)}"
    return Texts(tuple(found), (), doubt, tuple(uncoded))


def _without_texts(pairs: Sequence[Pair], written: Sequence[str], case: Case) -> Texts:
    """Return the features with numbers for texts such as 22,000 km, which the model cannot take."""
    assert case.sample is not None
    found = [
        ({**entry, "type": "number"} if entry["name"] in written else entry, column)
        for entry, column in pairs
    ]
    shown = [f"{name} ({case.sample.columns[name].cells.other[:40]!r})" for name in written]
    doubt = (
        f"The model takes numbers for {listing(written)}, and {case.sample.path.name} has texts "
        f"there: {listing(shown, MAX_SHOWN)}. So callers send numbers, and the file is not the "
        "sample: clean it as the training did, and give it again, for the ranges"
    )
    return Texts(tuple(found), (), doubt, tuple(written), is_certain=True)


def _uncoded(name: str, texts: Sequence[str], seen: Sequence[float]) -> str:
    """Return why the numbers for the texts of a column are not proposed, and what is."""
    count = len({*texts})
    sentence = (
        f"{name} has {count:,} different texts in {len(texts):,} rows, and which numbers the model "
        "has for them cannot be guessed"
    )
    if seen:
        sentence += f" (it compares them with {min(seen):.4g} to {max(seen):.4g})"
    sentence += ": in the proposal callers send the number that your code makes of the text."
    if is_identifier(count, len(texts)):
        sentence += " If it only identifies a row, train the model without it."
    return sentence


def _cells_and_targets(
    names: Sequence[str], case: Case
) -> tuple[dict[str, list[str]], list[float | None]]:
    """Return the texts of columns in the rows that have all of them, and numbers of the target."""
    sample = case.sample
    assert sample is not None
    cells: dict[str, list[str]] = {name: [] for name in names}
    others = [name for name in sample.columns if name not in (case.model.feature_names or names)]
    target = find_target(case.model, sample, others) if others else None
    targets: list[float | None] = []
    for row in sample.all_rows():
        texts = [row.get(name) for name in names]
        if any(text is None or text in SAMPLE_MISSING for text in texts):
            continue
        for name, text in zip(names, texts, strict=True):
            cells[name].append(str(text))
        if target is not None:
            targets.append(sample_number(row.get(target)))
    return cells, targets


def _guesses(
    unknown: Sequence[Pair],
    cells: Mapping[str, Sequence[str]],
    targets: Sequence[float | None],
    case: Case,
    chain: Chain,
) -> Iterator[tuple[str, GuessedCodes]]:
    """Yield the columns with the codes that the training can have made of their texts."""
    for entry, column in unknown:
        name, seen = entry["name"], _seen_by_model(entry["name"], case, chain)
        if (flags := _no_or_yes(column, seen)) is not None:
            yield name, GuessedCodes(flags, "as the model knows no and yes")
        elif (guess := guess_codes(cells[name], targets, seen)) is not None:
            yield name, guess


def _number(seen: Sequence[float]) -> Entry:
    """Return the fields of a feature that callers send as the model takes it."""
    if not seen:
        return {"type": "number"}
    return {"type": "number", "minimum": whole(min(seen)), "maximum": whole(max(seen))}


def _no_or_yes(column: ColumnFacts, seen: Sequence[float]) -> dict[str, int] | None:
    """Return 0 for "No phone service" too, if the model compares the column with 0 and 1 only."""
    texts = {text: text.strip().casefold() for text in _texts(column)}
    is_known = {"no", "yes"} <= set(texts.values()) and all(
        text == "yes" or text.split(" ")[0] == "no" for text in texts.values()
    )
    if not is_known or not seen or max(seen) > 1:
        return None
    return {text: int(plain == "yes") for text, plain in texts.items()}


def _seen_by_model(name: str, case: Case, chain: Chain) -> Sequence[float]:
    """Return what the model compares a feature with; of no use behind transformers."""
    names = case.model.feature_names or case.feature_names
    if name not in names or any(one.columns is None for one in chain.fitted):
        return []
    return seen_values(case.model_root).columns.get(names.index(name), [])


def _codes(codes: Mapping[str, float]) -> str:
    return listing([f"{text} is {code:.6g}" for text, code in codes.items()], MAX_SHOWN)


def _texts(column: ColumnFacts) -> list[str]:
    return [json_text(category) for category in column.categories or ()]


def unclear_cells(pairs: Sequence[Pair], sample: Sample, chain: Chain) -> Iterator[Problem]:
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
        elif kind is None and _has_mistakes(column) and not _is_number(entry["name"], chain):
            yield Problem(
                "sample_data",
                f"{where} has {cells.numbers:,} numbers and {cells.others:,} other cells, the "
                f"first of them {cells.other[:40]!r}. Correct or delete these rows, or paste the "
                "last line, which goes without the sample; if it is text to the model, say so in "
                f'a features file: {{"name": {json.dumps(column.name)}, "type": "text"}}',
                Repair({"sample_data": ""}, features={"features": _as_numbers(pairs)}),
            )


def _has_mistakes(column: ColumnFacts) -> bool:
    """Return whether a column of many values is one of numbers with a few texts in it."""
    return column.type == "text" and _are_numbers(column)


def _are_numbers(column: ColumnFacts) -> bool:
    return column.cells.others <= MAX_OTHERS * column.rows


def _as_numbers(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Return the features with their types; in rows with mistakes other columns have some too."""
    return [
        {"name": entry["name"], "type": "number" if _are_numbers(column) else column.type, **entry}
        for entry, column in pairs
    ]


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
