"""Which answers change: of those recorded and expected by an edit, of those kept by a retrain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from model_service.contract.batch import Batch
from model_service.contract.golden import Golden, differences
from model_service.contract.json_values import json_text
from model_service.contract.parsing import parse_rows
from model_service.contract.typed_text import number
from model_service.model.model import Model
from model_service.web.wording import format_number
from workbench import files
from workbench.adopt.csv.expected_answers import disagreements
from workbench.adopt.csv.kept_sample import read_kept_sample
from workbench.verify.fast_path_proof import predict_in_batches
from workbench.verify.trial import ProofFailed, failure

ACCEPT = "make verify ACCEPT=answers"
MAX_KINDS = 3
# Of the sample, to compare with the next model; fewer of a model with many features.
MAX_KEPT_ROWS, MAX_KEPT_CELLS = 300, 100_000

Answers = Sequence[Mapping[str, Any]]
Pair = tuple[Any, Any]  # an answer before and after


def answer_changes(
    model: Model, golden: Golden | None, expected: Mapping[str, Any] | None
) -> list[str]:
    """Return a sentence for the recorded and for the expected answers that the model changes."""
    found: list[str] = []
    if golden is not None:
        found += _changes_of_golden(model, golden)
    if expected is not None:
        batch = parse_rows(model.contract, expected["rows"])
        found += _refused_rows(batch, len(expected["rows"]), "rows with an expected answer")
        document, pairs = updated_expected(model, expected)
        if pairs:
            found.append(_changed(model, pairs, len(document["rows"]), "expected answers"))
    return found


def changes_since(model: Model, former: Golden) -> str:
    """Return how many answers of another model file this one changes, for the same rows."""
    batch = parse_rows(model.contract, former.rows)
    found = list(_refused_rows(batch, len(former.rows), "rows"))
    if batch and (reason := failure(model, batch)) is not None:
        found.append(f"the model fails on {len(batch)} rows that it took ({reason})")
    elif batch:
        changes = list(_changes(model, former, batch, "answers"))
        found += changes or [f"none of {len(batch)} answers changes"]
    return "; ".join(found)


def answers_to_keep(model: Model, golden: Golden, project: Path) -> Golden:
    """Return what the model answers for rows of `.sample.csv`; without it, the golden predictions.

    The next model is compared with them.
    """
    max_rows = min(MAX_KEPT_ROWS, MAX_KEPT_CELLS // len(model.contract.features))
    rows = read_kept_sample(model.contract, project, max_rows)
    found = predict_in_batches(lambda batch: model.predict(Batch.of_rows(batch)), rows)
    answers = [(row, answer) for row, answer in zip(rows, found, strict=True) if answer is not None]
    if not answers:
        return golden
    return Golden([row for row, _ in answers], [a for _, a in answers], golden.tolerance)


def _refused_rows(batch: Batch, count: int, what: str) -> Iterator[str]:
    """Yield how many rows the contract no longer takes, and the first problem."""
    if refused := count - len(batch):
        problem = batch.problems[0]
        yield (
            f"{refused} of {count} {what} do not fit any more ({problem.feature} of row "
            f"{problem.row} {problem.message})"
        )


def _changes_of_golden(model: Model, golden: Golden) -> Iterator[str]:
    """Yield how the recorded predictions change; rows that the contract does not take are said."""
    batch = parse_rows(model.contract, golden.rows)
    yield from _refused_rows(batch, len(golden.rows), "recorded rows")
    if batch:
        yield from _changes(model, golden, batch, "recorded answers")


def _changes(model: Model, golden: Golden, batch: Batch, what: str) -> Iterator[str]:
    """Yield how the predictions of golden's rows that are in the batch change."""
    before = [_compared(golden.predictions[number - 1]) for number in batch.row_numbers]
    after = [_compared(prediction) for prediction in model.predict(batch)]
    pairs = [
        (one, other)
        for one, other in zip(before, after, strict=True)
        if differences(one, other, golden.tolerance)
    ]
    changed = [
        (one["prediction"], other["prediction"])
        for one, other in pairs
        if differences(one["prediction"], other["prediction"], golden.tolerance)
    ]
    if changed:
        yield _changed(model, changed, len(before), what)
    elif pairs:
        yield f"only the probabilities of {len(pairs)} of {len(before)} {what} change"


def _compared(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer without what is words for people."""
    return {key: value for key, value in answer.items() if key not in ("label", "warnings")}


def _changed(model: Model, pairs: Sequence[Pair], count: int, what: str) -> str:
    """Return how many answers change, and how: "8 of 300 expected answers change, No to Yes"."""
    change = "changes" if len(pairs) == 1 else "change"
    is_measured = model.manifest.task.kind == "regression"
    numbers = [[_number(value) for value in pair] for pair in pairs] if is_measured else []
    changes = [abs(now - was) for was, now in numbers if was is not None and now is not None]
    if len(changes) == len(pairs):
        mean, largest = format_number(sum(changes) / len(changes)), format_number(max(changes))
        kinds = f"by {mean} on average and {largest} at most"
    else:
        kinds = _kinds(pairs)
    return f"{len(pairs)} of {count} {what} {change}, {kinds}"


def _kinds(pairs: Sequence[Pair]) -> str:
    counts = Counter((_text(was), _text(now)) for was, now in pairs)
    kinds = counts.most_common(MAX_KINDS)
    if len(counts) == 1:
        return " to ".join(kinds[0][0])
    more = len(pairs) - sum(count for _, count in kinds)
    shown = [f"{count} {was} to {now}" for (was, now), count in kinds]
    return ", ".join([*shown, *([f"{more} others"] if more else [])])


def _number(value: Any) -> float | None:
    if isinstance(value, str):  # a cell of a CSV
        return number(value)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{target} {_text(inner)}" for target, inner in value.items())
    return json_text(value)


def updated_expected(
    model: Model, document: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Pair]]:
    """Return expected.json with the model's answers where they are others, and these pairs.

    Answers that agree stay as they were written, and rows that the contract does not take are left
    out. Raises ProofFailed if the model fails on a row.
    """
    batch = parse_rows(model.contract, document["rows"])
    if (reason := failure(model, batch)) is not None:
        raise ProofFailed(f"The model fails on the rows of {files.EXPECTED}: {reason}.")
    exact = model.manifest.task.kind != "regression"
    rows = [document["rows"][number - 1] for number in batch.row_numbers]
    answers = [document["predictions"][number - 1] for number in batch.row_numbers]
    kept: list[Any] = []
    pairs: list[Pair] = []
    for row, expected, actual in zip(rows, answers, model.predict(batch), strict=True):
        one = {"typed": document["typed"], "rows": [row], "predictions": [expected]}
        if any(disagreements(one, [actual], exact=exact)):
            pairs.append((expected["prediction"], actual["prediction"]))
            kept.append({key: actual[key] for key in expected if key in actual})
        else:
            kept.append(expected)
    return {**document, "rows": rows, "predictions": kept}, pairs
