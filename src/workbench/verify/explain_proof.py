"""Build the explanations and prove them against the definition, before they may be served.

The definition is evaluated by the model's own methods on mixed rows, and shares nothing with the
tables that serve: neither the columns of a feature nor the trees. A background of few rows makes
that affordable. By the linearity of Shapley values each background row is a game of its own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model_service.contract.batch import Batch
from model_service.contract.json_values import Row, json_text, same_json
from model_service.explain.blackbox import BlackBox, Budget, DoesNotFit
from model_service.explain.build import build_explainer
from model_service.explain.explainer import (
    Explainer,
    Importance,
    NotAdditive,
    NotFinite,
    Subject,
    WrongFile,
    read_explainer,
)
from model_service.explain.game import Permutations
from model_service.explain.numbers import ModelInput
from model_service.explain.parts import Explained
from model_service.explain.reasons import number_of
from model_service.explain.responses import Unexplained
from model_service.model.explanations import example_batch, fingerprint, subject_of
from model_service.model.manifest import Explanations
from model_service.model.model import Model
from workbench import files
from workbench.adopt.csv.kept_sample import read_kept_sample
from workbench.verify.explain_file import write_explainer
from workbench.verify.fast_path_proof import drawn_rows, predict_in_batches

MAX_ENUMERATED_FEATURES = 12
ENUMERATED_ROWS, PERMUTED_ROWS, PERMUTATIONS = 50, 20, 2000
# Permutations of so many features take too long: rows that differ in few of them are enumerated.
WIDE_FEATURES, WIDE_ROWS, MIXED_FEATURES = 60, 3, 8
# A model that is evaluated as a whole is its own definition: a few rows show that columns mix.
MIXED_ROWS = 5
ADDED_ROWS, BATCH_ROWS = 2000, 250
# Background rows of the proof.
SMALL_BACKGROUND = 4
# Of CPU, for the parts of the proof. A slow model is tried on fewer rows.
DEFINITION_SECONDS, ADDED_SECONDS, IMPORTANCE_SECONDS = 8.0, 5.0, 2.0
MIXED_SECONDS = 1.0
# For one row of a model that is evaluated as a whole.
MAX_ROW_MILLISECONDS = 5000
REQUEST_MILLISECONDS = 250  # the default of EXPLAIN_MILLISECONDS
MIN_ROWS = 3
IMPORTANCE_ROWS = 300
# An estimate may be off by so many standard errors.
MAX_ERRORS = 6.0
NO_SAMPLE = "There is no sample: run make verify SAMPLE=rows.csv, a CSV of typical rows."


@dataclass(frozen=True)
class Proof:
    """What verify records, and the content of explain.npz if there are explanations."""

    explanations: Explanations
    content: bytes | None
    report: str


class Disproved(Exception):
    """The explanations differ from the definition; the message says how."""


def prove_explanations(model: Model, project: Path) -> Proof:
    """Build the explanations of a model with golden predictions, and prove them."""
    try:
        rows = read_kept_sample(model.contract, project)
        if not rows:
            return _keep_present(model, project)
        explainer = _proven(model, rows)
    except (Unexplained, Disproved, NotAdditive) as error:
        return _none(str(error))
    except DoesNotFit:
        return _none("The model takes too long for mixtures of a row with others.")
    except MemoryError:
        raise
    except Exception as error:  # whatever a model raises on mixed rows
        return _none(f"The model fails on mixed rows ({type(error).__name__}).")
    content = write_explainer(explainer)
    about = explainer.about
    by = " and ".join(sorted(set(about.parts))) or "mixed rows"
    explanations = Explanations(
        proven=True,
        file_sha256=hashlib.sha256(content).hexdigest(),
        of=about.kind,
        by=by,
        background=about.background_count,
    )
    report = (
        f"Explanations of its answers ({about.kind}) are those of the definition, and are in "
        f"{files.EXPLAIN}.{_too_slow(model, content, Batch.of_rows(rows[:1]))}"
    )
    return Proof(explanations, content, report)


def _too_slow(model: Model, content: bytes, row: Batch) -> str:
    """Return a sentence if a request has no time for one explanation, else nothing.

    It is asked as the service loads it: one that has explained rows knows what a row costs.
    """
    explainer = read_explainer(content, subject_of(model), fingerprint(model), example_batch(model))
    if explainer.parts:
        return ""
    columns = list(range(sum(target.width for target in explainer.targets)))
    try:
        explainer.explain(row, [columns], Budget(REQUEST_MILLISECONDS))
    except DoesNotFit:
        return (
            f" One takes longer than the {REQUEST_MILLISECONDS} ms that a request has for it here: "
            "/explain answers 422 until EXPLAIN_MILLISECONDS is larger."
        )
    return ""


def _none(reason: str) -> Proof:
    return Proof(Explanations(reason=reason), None, f"Its answers are not explained. {reason}")


def _keep_present(model: Model, project: Path) -> Proof:
    """Keep the explanations that verify proved earlier, if they are those of this model."""
    present, path = model.manifest.explanations, project / files.EXPLAIN
    if not present.proven or not path.exists():
        return _none(NO_SAMPLE)
    content = path.read_bytes()
    try:
        if hashlib.sha256(content).hexdigest() != present.file_sha256:
            raise WrongFile("it was changed")
        read_explainer(content, subject_of(model), fingerprint(model), example_batch(model))
    except WrongFile:
        return _none(NO_SAMPLE)
    return Proof(present, content, "Its explanations are kept: there is no sample to build others.")


def _proven(model: Model, rows: Sequence[Row]) -> Explainer:
    """Return the explanations. Raises Unexplained, Disproved and NotAdditive."""
    subject, examples = subject_of(model), example_batch(model)
    predictions = predict_in_batches(lambda r: model.predict(Batch.of_rows(r)), rows)
    valid = [(r, p) for r, p in zip(rows, predictions, strict=True) if p is not None]
    background, name = [row for row, _ in valid], "sample"
    if model.contract.output.background == "positive":
        positive, name = model.contract.output.positive, "positive"
        background = [row for row, p in valid if same_json(p["prediction"], positive)]
    if not background:
        raise Unexplained("No row of the sample can be the background.")
    if subject.task == "clustering":
        subject = dataclasses.replace(subject, classes=_clusters(model, valid))
    sample = Batch.of_rows(background)
    explainer = build_explainer(subject, fingerprint(model), sample, examples, name)
    _check_definition(subject, model, explainer, sample, [row for row, _ in valid])
    _check_sums(subject, model, explainer)
    return _described(explainer, subject, sample, Batch.of_rows([row for row, _ in valid]))


def _clusters(model: Model, valid: Sequence[tuple[Row, Any]]) -> list[Any]:
    labels = getattr(model.estimator, "labels_", None)
    found = {p["prediction"] for _, p in valid}
    if labels is not None:
        found |= set(np.unique(labels).tolist())
    return sorted(found)


# Against the definition.


def _check_definition(
    subject: Subject, model: Model, explainer: Explainer, sample: Batch, rows: Sequence[Row]
) -> None:
    """Compare explanations of sample rows with the definition. Raises Disproved."""
    count = len(subject.contract.features)
    if explainer.parts and count > WIDE_FEATURES:
        _check_wide(subject, explainer, sample)
        return
    small = _some(sample, SMALL_BACKGROUND)
    if explainer.parts:
        tried = build_explainer(subject, "", small, small)
        if not tried.parts:
            raise Disproved("The explanations depend on the rows of the background.")
        wanted = ENUMERATED_ROWS if count <= MAX_ENUMERATED_FEATURES else PERMUTED_ROWS
    else:
        tried = Explainer(subject, explainer.about, (), small, explainer.player)
        wanted = MIXED_ROWS
    native = ModelInput(subject.contract, subject.builder, compiled=False)
    black_box = BlackBox(
        native, subject.response()[0], small, max_enumerated=MAX_ENUMERATED_FEATURES
    )
    chosen = _some(Batch.of_rows(rows), wanted)
    started_at = time.process_time()
    scale = _scale(black_box, chosen)
    for number in range(len(chosen)):
        seconds = time.process_time() - started_at
        if number >= MIN_ROWS and seconds > DEFINITION_SECONDS:
            break
        row = chosen[number : number + 1]
        columns = [list(range(len(scale)))]
        found = tried.explain(row, columns, _budget(tried, 1))[0]
        if explainer.parts and count > MAX_ENUMERATED_FEATURES:
            left = max(DEFINITION_SECONDS - seconds, 1.0) / (len(chosen) - number)
            _compare_estimate(black_box, row, found, scale, explainer.tolerance, left)
        elif all(explained.error is None for explained in found.values()):
            # An estimate of a model that is evaluated as a whole is off by its standard error.
            _compare_exact(black_box, row, found, scale, explainer.tolerance)


def _check_wide(subject: Subject, explainer: Explainer, sample: Batch) -> None:
    """Compare rows that differ from one background row in few features. Raises Disproved."""
    random = np.random.Generator(np.random.PCG64(0))
    native = ModelInput(subject.contract, subject.builder, compiled=False)
    rows = sample.rows()
    for number in range(WIDE_ROWS):
        background = rows[number % len(rows)]
        other = rows[int(random.integers(len(rows)))]
        names = [list(background)[i] for i in random.permutation(len(background))[:MIXED_FEATURES]]
        one, row = Batch.of_rows([background]), {**background, **{n: other[n] for n in names}}
        tried = build_explainer(subject, "", one, one)
        black_box = BlackBox(native, subject.response()[0], one)
        scale = _scale(black_box, one)
        batch = Batch.of_rows([row])
        found = tried.explain(batch, [list(range(len(scale)))], Budget(None))[0]
        _compare_exact(black_box, batch, found, scale, explainer.tolerance)


def _some(batch: Batch, count: int) -> Batch:
    """Return some rows at equal distances."""
    kept = {number * len(batch) // count for number in range(min(count, len(batch)))}
    return batch.without(set(range(len(batch))) - kept)


def _scale(black_box: BlackBox, batch: Batch) -> Any:
    return np.maximum(np.abs(black_box.responses(batch)).max(axis=0), 1e-6)


def _compare_exact(
    black_box: BlackBox, row: Batch, found: dict[int, Explained], scale: Any, tolerance: float
) -> None:
    (solution,) = black_box.solve(row, Budget(None))
    for column, explained in found.items():
        off = np.abs(solution.contributions[column] - np.array(explained.contributions)).max()
        off = max(off, abs(solution.base[column] - explained.base))
        if not off <= tolerance * scale[column]:
            raise Disproved(f"The explanations differ from the definition by {off:.1e}.")


def _compare_estimate(
    black_box: BlackBox,
    row: Batch,
    found: dict[int, Explained],
    scale: Any,
    tolerance: float,
    seconds: float,
) -> None:
    mixer = black_box.mixer(row)
    estimate = Permutations(mixer.evaluate(0), mixer.differs(0))
    ends_at = time.process_time() + seconds
    while estimate.pair_count < PERMUTATIONS // 2:
        if estimate.pair_count >= 16 and time.process_time() > ends_at:
            break
        estimate.add_pair()
    solution = estimate.solution()
    for column, explained in found.items():
        off = np.abs(solution.contributions[column] - np.array(explained.contributions))
        allowed = MAX_ERRORS * solution.error[column] + 10 * tolerance * scale[column]
        # Few orders say little about a feature that matters in few of them.
        rare = np.abs(solution.contributions[column]).max() / estimate.pair_count
        if not (off <= allowed + rare).all():
            raise Disproved(f"The explanations differ from the definition by {off.max():.1e}.")


def _check_sums(subject: Subject, model: Model, explainer: Explainer) -> None:
    """Compare base and contributions of drawn rows with the model. Raises NotAdditive, Disproved.

    Explaining a row compares the sum with the value; here the value is the model's own number.
    """
    golden = model.golden.rows if model.golden is not None else []
    rows = drawn_rows(model, golden)[:ADDED_ROWS]
    valid = predict_in_batches(lambda r: model.predict(Batch.of_rows(r)), rows)
    rows = [row for row, prediction in zip(rows, valid, strict=True) if prediction is not None]
    respond = subject.response()[0]
    native = ModelInput(subject.contract, subject.builder, compiled=False)
    seconds = ADDED_SECONDS if explainer.parts else MIXED_SECONDS
    size = BATCH_ROWS if explainer.parts else MIXED_ROWS
    started_at = time.process_time()
    for start in range(0, len(rows), size):
        if start and time.process_time() - started_at > seconds:
            break
        batch = Batch.of_rows(rows[start : start + size])
        expected = respond(native.native(batch))
        finite = np.isfinite(expected).all(axis=1)
        kept = batch.without(set(np.flatnonzero(~finite).tolist()))
        if len(kept):
            _compare_values(explainer, kept, expected[finite])


def _budget(explainer: Explainer, row_count: int) -> Budget:
    return Budget(None if explainer.parts else MAX_ROW_MILLISECONDS * row_count)


def _compare_values(explainer: Explainer, batch: Batch, expected: Any) -> None:
    columns = [list(range(expected.shape[1]))] * len(batch)
    try:
        found = explainer.explain(batch, columns, _budget(explainer, len(batch)))
    except NotFinite:  # of a mixture with the background: such a row is refused when it is asked
        return
    for of_row, numbers in zip(found, expected, strict=True):
        for column, explained in of_row.items():
            scale = max(abs(numbers[column]), abs(explained.base), 1e-6)
            if not abs(explained.value - numbers[column]) <= explainer.tolerance * scale:
                raise Disproved("An explained value is not the model's own.")


# What is shown of the model as a whole.


def _described(
    explainer: Explainer, subject: Subject, background: Batch, sample: Batch
) -> Explainer:
    """Return the explainer with the importance of its features, and their medians."""
    medians = {}
    for feature in subject.contract.features:
        values = (number_of(feature, value) for value in background.columns[feature.name])
        if known := [value for value in values if value is not None]:
            medians[feature.name] = float(np.median(known))
    chosen = _some(sample, IMPORTANCE_ROWS)
    columns = range(sum(target.width for target in explainer.targets))
    found: list[dict[int, Explained]] = []
    limit = IMPORTANCE_SECONDS if explainer.parts else MIXED_SECONDS
    started_at = time.process_time()
    order = np.random.Generator(np.random.PCG64(0)).permutation(len(chosen)).tolist()
    used: list[int] = []
    for number in order:
        if len(used) >= MIN_ROWS and time.process_time() - started_at > limit:
            break
        row = chosen[number : number + 1]
        found += explainer.explain(row, [list(columns)], _budget(explainer, 1))
        used.append(number)
    importance = {
        str(column): _importance(subject, chosen, used, [row[column] for row in found])
        for column in columns
    }
    about = dataclasses.replace(explainer.about, medians=medians, importance=importance)
    explainer.about = about
    return explainer


def _importance(
    subject: Subject, sample: Batch, used: Sequence[int], found: Sequence[Explained]
) -> tuple[Importance, ...]:
    """Return the mean absolute contributions, the largest first, with their directions."""
    contributions = np.array([explained.contributions for explained in found])
    entries = []
    for place, feature in enumerate(subject.contract.features):
        own = contributions[:, place]
        values = [sample.columns[feature.name][number] for number in used]
        entry = Importance(feature.name, float(np.abs(own).mean()))
        numbers = [number_of(feature, value) for value in values]
        if feature.type in ("number", "integer", "boolean"):
            entry = dataclasses.replace(entry, direction=_direction(numbers, own))
        elif feature.type == "category":
            by_value: dict[str, list[float]] = {}
            for value, contribution in zip(values, own.tolist(), strict=True):
                if value is not None:
                    by_value.setdefault(json_text(value), []).append(contribution)
            means = {text: float(np.mean(listed)) for text, listed in by_value.items()}
            if len(means) > 1:
                highest, lowest = (
                    max(means, key=means.__getitem__),
                    min(means, key=means.__getitem__),
                )
                entry = dataclasses.replace(entry, highest=highest, lowest=lowest)
        entries.append(entry)
    return tuple(sorted(entries, key=lambda entry: (-entry.mean_absolute, entry.feature)))


def _direction(numbers: Sequence[float | None], contributions: Any) -> float | None:
    """Return the correlation of values and contributions; None if one of them does not vary."""
    known = [place for place, number in enumerate(numbers) if number is not None]
    values = np.array([numbers[place] for place in known], dtype=float)
    own = contributions[known]
    if len(known) < MIN_ROWS or not values.std() or not own.std():
        return None
    return round(float(np.corrcoef(values, own)[0, 1]), 3)
