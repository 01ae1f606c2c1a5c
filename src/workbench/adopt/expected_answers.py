"""The answers that the user expects: what the author's notebook said to rows of the sample.

Recorded predictions prove that a model says what it said when it was verified; only these prove
that it says what it said where it was made. `model/expected.json` has the shape of golden.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from model_service.contract.contract import Contract, Row, json_text, same_json
from model_service.contract.typed_text import SAMPLE_BOOLEANS, is_number
from workbench import files
from workbench.adopt.decoding import as_people_say
from workbench.adopt.features import rows_of
from workbench.adopt.sample import EXPECTED, Sample
from workbench.errors import UserError

# What another processor, or the 32 bits of a boosted tree, makes of a number written in full.
RELATIVE = Decimal("1e-6")


def read_expected(project: Path) -> dict[str, Any] | None:
    """Read expected.json, if there is one. Raises WorkbenchError."""
    path = project / files.EXPECTED
    return files.read_json(path) if path.exists() else None


def given(contract: Contract, sample: Sample) -> dict[str, Any] | None:
    """Return expected.json for the rows of a sample that have an answer; None if none has.

    Raises WorkbenchError if the contract does not take one of them.
    """
    answers = sample.answers
    if answers is None:
        if any(feature.name == EXPECTED for feature in contract.features):
            return None
        answers = [row.get(EXPECTED) for row in sample.examples]
    pairs = [
        (row, answer)
        for row, answer in zip(rows_of(contract, sample, sample.examples), answers, strict=True)
        if answer not in (None, "")
    ]
    for row, _ in pairs:
        for problem in contract.parse_rows([row])[1]:
            raise UserError(
                f"sample_data: {json.dumps(row, ensure_ascii=False)} has an expected answer, but "
                f"{problem.feature} {problem.message}; mend the row or the features."
            )
    return _document(pairs, sample.typed)


def kept(contract: Contract, document: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return expected.json of the same model file for another contract: the rows that it takes."""
    if document is None:
        return None
    rows = [as_people_say(row, contract) for row in document["rows"]]
    pairs = zip(rows, document["predictions"], strict=True)
    fitting = [(row, answer) for row, answer in pairs if not contract.parse_rows([row])[1]]
    return _document(fitting, document["typed"])


def _document(pairs: Sequence[tuple[Row, Any]], typed: bool) -> dict[str, Any] | None:
    if not pairs:
        return None
    answers = [
        answer if isinstance(answer, dict) and "prediction" in answer else {"prediction": answer}
        for _, answer in pairs
    ]
    # Untyped ones are as a CSV has them: only the model says which class the text "1" is.
    return {"typed": typed, "rows": [row for row, _ in pairs], "predictions": answers}


def disagreements(
    document: Mapping[str, Any], predictions: Sequence[Mapping[str, Any]], *, exact: bool
) -> Iterator[str]:
    """Yield one sentence for each row that the model answers differently.

    Predictions are `exact` if they are classes; a probability is a number that was written down.
    """
    expected = zip(document["rows"], document["predictions"], predictions, strict=True)
    for row, wanted, answer in expected:
        for key in ("prediction", "probabilities"):
            if key not in wanted:
                continue
            number = key == "probabilities" or not exact
            if not agrees(wanted[key], answer.get(key), document["typed"], number):
                yield (
                    f"{json.dumps(row, ensure_ascii=False)}: expected {json.dumps(wanted[key])}, "
                    f"got {json.dumps(answer.get(key))}"
                )
                break


def agrees(expected: Any, actual: Any, typed: bool, rounded: bool) -> bool:
    """Tell whether an answer is the expected one; untyped text is a cell of a CSV."""
    if isinstance(expected, list) and isinstance(actual, dict) and len(expected) == len(actual):
        expected = dict(zip(actual, expected, strict=True))  # as predict and predict_proba order
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
    """Tell whether a number is the written one, to the last digit that was written."""
    written = Decimal(text)
    exponent = written.as_tuple().exponent
    assert isinstance(exponent, int)
    half_a_unit = Decimal(5).scaleb(min(exponent, 0) - 1)
    return abs(Decimal(actual) - written) <= max(half_a_unit, abs(written) * RELATIVE)
