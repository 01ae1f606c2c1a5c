"""Validate the rows of a request against the contract: all problems, each naming row and feature.

Standard library only.
"""

from __future__ import annotations

import datetime
import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from model_service.contract.batch import Batch
from model_service.contract.contract import Contract, Feature
from model_service.contract.json_values import Scalar, Value, json_type
from model_service.contract.problems import Invalid, Problem, Problems

INTEGER_LIMIT = 2**63  # models hold whole numbers in 64 bits
# datetime64[ns], which models are trained on, holds these years in full.
EARLIEST, LATEST = datetime.date(1678, 1, 1), datetime.date(2261, 12, 31)
# A hostile request can hold 100,000 unknown names, and a search for a similar one among thousands
# takes seconds. A request may make so many searches, and compare so many pairs of letters.
MAX_SUGGESTIONS = 20
MAX_COMPARED_LETTERS = 500_000
# What difflib spends on two words besides their letters.
LETTERS_PER_COMPARISON = 100
# A longer word is cut, and names that share a half or so many first letters are compared first.
MAX_WORD_LETTERS, RANKED_LETTERS = 200, 3


def parse_rows(contract: Contract, rows: Sequence[object]) -> Batch:
    """Return the valid rows, and the problems of the others.

    An Invalid in the place of a value is its problem: a form reads texts before they get here.
    """
    features = contract.features
    valid: list[list[Value]] = []
    row_numbers: list[int] = []
    problems = Problems()
    suggestions = Suggestions(contract.by_name)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            message = f"must be an object of features, not {json_type(row)}"
            problems.add(Problem(number, None, message))
            continue
        is_valid = True
        values: list[Value] = []
        for feature in features:
            if feature.name not in row:
                continue
            try:
                values.append(parse_value(feature, row[feature.name]))
            except Invalid as error:
                is_valid = False
                value = row[feature.name]
                found = value if isinstance(value, Invalid) else error
                if problems.is_full:
                    problems.add_unlisted(found.reason, [feature.name])
                    continue
                message = str(found) + suggestions.for_value(value, feature)
                problems.add(Problem(number, feature.name, message, reason=found.reason))
        if len(row) != len(features) or len(values) != len(features):
            is_valid &= _add_misnamed(problems, contract, number, row, suggestions)
        if is_valid:
            row_numbers.append(number)
            valid.append(values)
    columns = map(list, zip(*valid, strict=True)) if valid else ([] for _ in features)
    return Batch(dict(zip(contract.by_name, columns, strict=True)), row_numbers, problems)


def _add_misnamed(
    problems: Problems,
    contract: Contract,
    number: int,
    row: Mapping[str, object],
    suggestions: Suggestions,
) -> bool:
    """Add a row's unknown and missing features to the problems; return whether there are none."""
    known = contract.by_name
    unknown = [name for name in row if name not in contract.known_names]
    missing = [name for name in known if name not in row]
    unlisted_unknown, unlisted_missing = iter(unknown), iter(missing)
    while not problems.is_full and (name := next(unlisted_unknown, None)) is not None:
        message = "unknown feature" + suggestions.for_name(name, row)
        problems.add(Problem(number, name, message, reason="unknown"))
    problems.add_unlisted("unknown", unlisted_unknown)
    while not problems.is_full and (name := next(unlisted_missing, None)) is not None:
        problems.add(Problem(number, name, "is missing", reason="missing"))
    problems.add_unlisted("missing", unlisted_missing)
    return not unknown and not missing


def parse_value(feature: Feature, value: object) -> Value:
    """Return a JSON value as the model meets it. Raises Invalid."""
    if value is None:
        if feature.nullable:
            return None
        raise Invalid("must not be null", "null")
    return _PARSERS[feature.type](feature, value)


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
    exact = value if isinstance(value, int) else int(number)  # no float equals 2**53 + 1
    if abs(exact) >= INTEGER_LIMIT:
        raise Invalid("is too large for a whole number", "range")
    return exact


def _parse_boolean(feature: Feature, value: object) -> bool:
    if not isinstance(value, bool):
        raise Invalid(f"must be true or false, not {json_type(value)}")
    return value


def _parse_text(feature: Feature, value: object) -> str:
    text = _text(value)
    if feature.max_characters is not None and len(text) > feature.max_characters:
        limit = f"must be text of at most {feature.max_characters} characters, not {len(text)}"
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
    if date.isoformat() != text:  # Python 3.11 and later accept more than YYYY-MM-DD
        raise Invalid("must be a date as YYYY-MM-DD")
    if not EARLIEST <= date <= LATEST:
        raise Invalid(f"must be from {EARLIEST} to {LATEST}", "range")
    return text


def _parse_category(feature: Feature, value: object) -> Scalar:
    if feature.categories is None:
        return _parse_text(feature, value)
    if isinstance(value, str) and value in feature.text_categories:
        return value
    if (category := feature.category_equal_to(value)) is not None:
        return category
    if not feature.closed:
        # Other categories must have the type that the model was trained on.
        return (_parse_text if feature.category_type == "text" else _parse_number)(feature, value)
    raise Invalid(feature.categories_message, "category")


_PARSERS: Mapping[str, Callable[[Feature, object], Value]] = {
    "number": _parse_number,
    "integer": _parse_integer,
    "category": _parse_category,
    "boolean": _parse_boolean,
    "text": _parse_text,
    "date": _parse_date,
}


class Suggestions:
    """The nearest known name or category for a misspelt one, within a budget for each request."""

    def __init__(self, known: Mapping[str, object]) -> None:
        self._known = known
        self._searches_left, self._letters_left = MAX_SUGGESTIONS, MAX_COMPARED_LETTERS

    @property
    def are_used_up(self) -> bool:
        """Whether there will be no more suggestions."""
        return self._searches_left <= 0 or self._letters_left <= 0

    def for_name(self, name: str, row: Mapping[str, object]) -> str:
        """Return "; did you mean X?" for a feature that the row lacks, or nothing."""
        return self.for_word(name, (known for known in self._known if known not in row))

    def for_value(self, value: object, feature: Feature) -> str:
        """Return "; did you mean X?" for a category of the feature, or nothing."""
        if self.are_used_up or feature.categories is None or not isinstance(value, str):
            return ""
        return self.for_word(value, (c for c in feature.categories if isinstance(c, str)))

    def for_word(self, word: str, known: Iterable[str]) -> str:
        """Return "; did you mean X?" for the nearest known word, or nothing."""
        near = self.nearest(word, known)
        return f"; did you mean {near}?" if near is not None else ""

    def nearest(self, word: str, known: Iterable[str]) -> str | None:
        """Return the known word with the most similar spelling, or None.

        None if no word is similar, or if the budget is used up before one is found.
        """
        if self.are_used_up:
            return None
        self._searches_left -= 1
        word = word[:MAX_WORD_LETTERS].casefold()
        middle = len(word) // 2
        halves = word[:middle], word[middle:]
        folded = {candidate.casefold(): candidate for candidate in known}

        def rank(candidate: str) -> int:
            # One wrong letter leaves a half as it is.
            has_half = candidate.startswith(halves[0]) or candidate.endswith(halves[1])
            return 2 * has_half + candidate.startswith(word[:RANKED_LETTERS])

        compared = []
        for candidate in sorted(folded, key=rank, reverse=True):
            self._letters_left -= len(word) * len(candidate) + LETTERS_PER_COMPARISON
            if self._letters_left < 0:
                break
            compared.append(candidate)
        near = difflib.get_close_matches(word, compared, n=1)
        return folded[near[0]] if near else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?" for the nearest known name, or nothing."""
    return Suggestions({}).for_word(name, known)
