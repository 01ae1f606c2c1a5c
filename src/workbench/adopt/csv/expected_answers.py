"""Expected answers: the predictions of the author's notebook for rows of the sample.

Golden predictions show that a model still predicts what it predicted when it was verified. Only
expected answers show that it predicts the same as in training. `model/expected.json` has
the shape of golden.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from model_service.contract.contract import Contract
from model_service.contract.json_values import Row, json_text, same_json
from model_service.contract.parsing import parse_rows
from model_service.contract.typed_text import SAMPLE_BOOLEANS, is_number
from workbench import files
from workbench.adopt.csv.sample import EXPECTED_COLUMN, Sample
from workbench.adopt.csv.sample_rows import decode_row, rows_of
from workbench.adopt.problems import AnswerError, Problem

# Another processor, or the 32 bits of a boosted tree, changes a number written in full by less.
RELATIVE = Decimal("1e-6")


def read_expected(project: Path) -> dict[str, Any] | None:
    """Read expected.json, if there is one. Raises UserError."""
    path = project / files.EXPECTED
    return files.read_json(path) if path.exists() else None


def expected_in_sample(contract: Contract, sample: Sample) -> dict[str, Any] | None:
    """Return expected.json for the rows of a sample with an answer; None if there are none.

    Raises AnswerError if the contract does not take one of those rows.
    """
    answers = sample.predictions
    if answers is None:
        if any(feature.name == EXPECTED_COLUMN for feature in contract.features):
            return None
        if EXPECTED_COLUMN not in sample.columns:
            return None
        answers = [row.get(EXPECTED_COLUMN) for row in sample.examples]
    pairs = [
        (row, answer)
        for row, answer in zip(rows_of(contract, sample, sample.examples), answers, strict=True)
        if answer not in (None, "")
    ]
    for row, _ in pairs:
        for problem in parse_rows(contract, [row]).problems:
            message = (
                f"{json.dumps(row, ensure_ascii=False)} has an expected answer, but "
                f"{problem.feature} {problem.message}; correct the row or the features."
            )
            raise AnswerError(Problem("sample_data", message))
    return _document(pairs, sample.typed)


def expected_for_contract(
    contract: Contract, document: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Return expected.json of the same model file with the rows that another contract takes."""
    if document is None:
        return None
    rows = [decode_row(row, contract) for row in document["rows"]]
    pairs = zip(rows, document["predictions"], strict=True)
    valid = [(row, answer) for row, answer in pairs if not parse_rows(contract, [row]).problems]
    return _document(valid, document["typed"])


def _document(pairs: Sequence[tuple[Row, Any]], typed: bool) -> dict[str, Any] | None:
    if not pairs:
        return None
    predictions = [
        answer if isinstance(answer, dict) and "prediction" in answer else {"prediction": answer}
        for _, answer in pairs
    ]
    # Untyped answers are CSV cells: the model decides which class the text "1" is.
    return {"typed": typed, "rows": [row for row, _ in pairs], "predictions": predictions}


def disagreements(
    document: Mapping[str, Any], predictions: Sequence[Mapping[str, Any]], *, exact: bool
) -> Iterator[str]:
    """Yield a sentence for each row for which the model predicts something else.

    Predictions are `exact` if they are classes; numbers and probabilities can be rounded.
    """
    triples = zip(document["rows"], document["predictions"], predictions, strict=True)
    for row, expected, actual in triples:
        for key in ("prediction", "probabilities"):
            if key not in expected:
                continue
            rounded = key == "probabilities" or not exact
            given = (actual.get(name) for name in ((key, "label") if exact else (key,)))
            if not any(agrees(expected[key], g, document["typed"], rounded) for g in given):
                yield (
                    f"{json.dumps(row, ensure_ascii=False)}: expected {json.dumps(expected[key])}, "
                    f"got {json.dumps(actual.get(key))}"
                )
                break


def agrees(expected: Any, actual: Any, typed: bool, rounded: bool) -> bool:
    """Return whether an answer is the expected one; untyped text is a CSV cell."""
    if isinstance(expected, list) and isinstance(actual, dict) and len(expected) == len(actual):
        expected = dict(
            zip(actual, expected, strict=True)
        )  # in the order of predict and predict_proba
    if isinstance(expected, dict) and isinstance(actual, dict):
        return all(
            name in actual and agrees(value, actual[name], typed, rounded)
            for name, value in expected.items()
        )
    if typed or not isinstance(expected, str):
        if rounded and _is_number(expected) and _is_number(actual):
            return _as_written(json.dumps(expected), actual)
        return same_json(expected, actual)
    if _is_number(actual) and is_number(cell := expected.strip()):
        return _as_written(cell, actual) if rounded else float(cell) == actual
    return expected == json_text(actual) or (
        isinstance(actual, bool) and SAMPLE_BOOLEANS.get(expected) is actual
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _as_written(text: str, actual: float) -> bool:
    """Return whether a number rounds to the written one, to the last written digit."""
    written = Decimal(text)
    exponent = written.as_tuple().exponent
    assert isinstance(exponent, int)
    half_a_unit = Decimal(5).scaleb(min(exponent, 0) - 1)
    return abs(Decimal(actual) - written) <= max(half_a_unit, abs(written) * RELATIVE)
