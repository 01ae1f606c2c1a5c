"""The proof: load the model in its pinned environment and check or record its predictions.

Runs in `.venv`, in a process with resource limits, and loads the model as the service does.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model_service.contract.batch import Batch
from model_service.contract.contract import Contract
from model_service.contract.golden import (
    RELATIVE_TOLERANCE,
    Golden,
    differences,
    golden_differences,
)
from model_service.contract.parsing import parse_rows
from model_service.contract.typed_text import whole
from model_service.errors import ModelError
from model_service.model.guard import MUST_ONLY_COMPUTE, ModelActed
from model_service.model.loading import load_model
from model_service.model.manifest import Manifest, ServedBy
from model_service.model.model import Model
from model_service.model.predictions import Prediction
from model_service.model.quality import read_quality
from workbench import files
from workbench.adopt.csv.expected_answers import disagreements, read_expected
from workbench.adopt.csv.kept_sample import read_truths
from workbench.adopt.kept_answers import read_kept_answers, write_kept_answers
from workbench.verify import resource_limits
from workbench.verify.answer_changes import (
    ACCEPT,
    answer_changes,
    answers_to_keep,
    changes_since,
    updated_expected,
)
from workbench.verify.complete_contract import check_encoders, complete_contract
from workbench.verify.explain_difference import explain
from workbench.verify.explain_proof import Proof, prove_explanations
from workbench.verify.fast_path_proof import choose_path
from workbench.verify.measure_quality import measure_quality
from workbench.verify.trial import ProofFailed, example_rows, failure, predictable_rows

# Golden rows are in git, checked at every start and sent by every smoke test: few are enough.
SAMPLE_ROWS, ROWS_WITH_NULL = 24, 8
MAX_DIFFERENCES = 3
# So many of them are predicted alone, too: all of a model with fewer than 600 columns.
MIN_ROWS_ALONE, MAX_CELLS_ALONE = 4, 20_000
# For models such as a Gaussian process, which solves a system so ill-conditioned that a batch
# changes the eighth digit.
WIDE_TOLERANCE = 1e-5
# For a linear model with large coefficients, whose sum rounding changes.
ROUNDED, LARGE_COEFFICIENT = 1e-2, 1e6
ROUNDING = (
    "Note: Its answers are only as exact as its coefficients allow: rounding changes them by up to "
    "1 %, and one row alone can get another answer than among others. That is so after "
    "LinearRegression on a column for every category. To mend it, train with one column less "
    "(OneHotEncoder(drop='first'), get_dummies(drop_first=True)), or as Ridge."
)


def prove(project: Path, *, accepts_answers: bool = False) -> str:
    """Check the golden predictions, or record them if there are none; return a report.

    They are recorded anew, and expected answers with them, if other answers are accepted. Writes
    features.json, manifest.json, golden.json, expected.json, .tools/answers.json and, if there are
    explanations, explain.npz; quality.json if the sample has the target.
    Raises ProofFailed and ModelError.
    """
    # Golden predictions are those of the model's own methods.
    model = _loaded(project).with_fast_path(None)
    manifest = Manifest.read(project / files.MANIFEST)
    expected = read_expected(project)
    if model.golden is not None and manifest.verified and not accepts_answers:
        golden = check_golden(model, model.golden, expected)
        report = [
            f"The model reproduces its {len(golden.rows)} recorded predictions.",
            *check_expected_answers(model, expected),
        ]
    else:
        former = model.golden
        model = _with_working_input(model)
        manifest = dataclasses.replace(manifest, input=model.manifest.input)
        adopted = model.contract
        check_encoders(model)
        model = model.with_contract(complete_contract(model, manifest.derived))
        if accepts_answers:
            checked = _accepted_changes(project, model, former, expected)
        else:
            if former is not None:
                check_golden(model, former, expected)
            checked = check_expected_answers(model, expected)
        golden = record_golden(model)
        documents = {feature.name: feature.to_json() for feature in model.contract.features}
        derived = {
            name: {member: documents[name].get(member) for member in members}
            for name, members in manifest.derived.items()
        }
        manifest = dataclasses.replace(manifest, derived=derived, examples=golden.rows)
        files.write(project / files.FEATURES, files.dumps(model.contract.to_json()))
        report = [
            f"The model predicts; {len(golden.rows)} predictions are recorded in {files.GOLDEN}.",
            *([ROUNDING] if golden.tolerance == ROUNDED else []),
            *checked,
            *_no_longer_nullable(adopted, model.contract),
        ]
    report += _changes_since_former_model(project, model, manifest)
    served_by = choose_path(model, golden.rows)
    manifest = dataclasses.replace(manifest, served_by=served_by, verified=True)
    report.append(_served_by(served_by))
    explained = _explanations(model, manifest, golden, project)
    manifest = dataclasses.replace(manifest, explanations=explained.explanations)
    report.append(explained.report)
    report += _measured(model.with_manifest(manifest.for_output(model.contract.output)), project)
    if explained.content is not None:
        files.write(project / files.EXPLAIN, explained.content)
    else:
        (project / files.EXPLAIN).unlink(missing_ok=True)
    files.write(project / files.GOLDEN, files.dumps(golden.to_json()))
    files.write(project / files.MANIFEST, files.dumps(manifest.to_json()))
    write_kept_answers(project, manifest, answers_to_keep(model, golden, project))
    return "\n".join(report)


def _loaded(project: Path) -> Model:
    """Load the model. Raises ModelError, and ProofFailed for an error of a library."""
    try:
        return load_model(project / files.MODEL)
    except (MemoryError, ModelError):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ProofFailed(f"The model cannot be loaded: {reason}") from error


def _explanations(model: Model, manifest: Manifest, golden: Golden, project: Path) -> Proof:
    """Build and prove the explanations as the service will load them."""
    served = model.with_golden(golden).with_manifest(manifest.for_output(model.contract.output))
    if manifest.serves_fast_path:
        served = served.with_fast_path(served.compile_fast_path())
    return prove_explanations(served, project)


def _measured(model: Model, project: Path) -> Iterator[str]:
    """Write quality.json from the target of the sample; without a sample keep that of this model.

    Yields what was measured.
    """
    truths = read_truths(model.contract, project)
    doubt = None
    if truths is None:
        quality = read_quality(project / files.MODEL, model)
    else:
        measured = measure_quality(model, truths)
        quality = measured.quality if measured is not None else None
        doubt = measured.doubt if measured is not None else None
    if quality is None:
        (project / files.QUALITY).unlink(missing_ok=True)
        return
    files.write(project / files.QUALITY, files.dumps(quality.to_json()))
    if truths is not None:
        yield f"Its predictions were compared with {quality.target} in {quality.rows:,} rows."
    if doubt is not None:
        yield f"Note: {doubt.sentence}"


def _served_by(served_by: ServedBy) -> str:
    if served_by.path == "fast":
        return "Its fast path predicts what the model's own methods predict, and serves."
    return f"The model's own methods serve, which are slower than a fast path. {served_by.reason}"


def _no_longer_nullable(before: Contract, after: Contract) -> Iterator[str]:
    """Yield a note for each feature that was nullable until the model failed on null."""
    for earlier, now in zip(before.features, after.features, strict=True):
        if earlier.nullable and not now.nullable:
            yield f"Note: {now.name} cannot be null: the model fails on it."


def check_expected_answers(model: Model, document: Mapping[str, Any] | None) -> list[str]:
    """Compare the model with the answers that the user expects; return a report.

    `document` is expected.json, or None. Raises ProofFailed.
    """
    if document is None:
        return []
    batch = parse_rows(model.contract, document["rows"])
    if problems := batch.problems:
        raise ProofFailed(
            f"Row {problems[0].row} of {files.EXPECTED} has an expected answer, but "
            f"{problems[0].feature} {problems[0].message}."
        )
    if (reason := failure(model, batch)) is not None:
        raise ProofFailed(f"The model fails on the rows of {files.EXPECTED}: {reason}.")
    exact = model.manifest.task.kind != "regression"
    predictions = list(model.predict(batch))
    found = list(disagreements(document, predictions, exact=exact))
    if found:
        explained = explain(document, predictions, model.manifest.task.kind, model.contract.output)
        reason = (
            explained.sentence
            if explained is not None
            else (
                "If the answers are right, the model file, the features or their order, the "
                "transformers before the model, or the output (threshold, transform) are not those "
                "of the notebook."
            )
        )
        raise ProofFailed(
            f"The model does not give the answers that you expected: {len(found)} of {len(batch)} "
            f"rows differ. The first of them is {found[0]}. {reason}",
            explained.output if explained is not None else None,
        )
    return [f"The model gives the {len(batch)} answers that you expected."]


def check_golden(model: Model, golden: Golden, expected: Mapping[str, Any] | None) -> Golden:
    """Return the golden predictions with the present labels.

    `expected` is expected.json, or None. Raises ProofFailed with what changes if some do.
    """
    batch = parse_rows(model.contract, golden.rows)
    if problems := batch.problems:
        refusal = (
            f"{files.FEATURES} does not take row {problems[0].row} of {files.GOLDEN} any more: "
            f"{problems[0].feature} {problems[0].message}."
        )
    else:
        predictions = list(model.predict(batch))
        found = golden_differences(golden, predictions)
        if not found:
            return dataclasses.replace(golden, predictions=predictions)
        refusal = (
            f"The model does not reproduce its recorded predictions ({len(found)} values differ): "
            f"{'; '.join(found[:MAX_DIFFERENCES])}."
        )
    changes = "; ".join(answer_changes(model, golden, expected))
    raise ProofFailed(
        f"{refusal} With {files.FEATURES} as it is now, {changes}. If that is meant, record the "
        f"answers anew:\n{ACCEPT}"
    )


def _accepted_changes(
    project: Path, model: Model, former: Golden | None, expected: Mapping[str, Any] | None
) -> list[str]:
    """Write the expected answers that the model gives now; return which answers change."""
    found = answer_changes(model, former, expected)
    if expected is not None:
        document, _ = updated_expected(model, expected)
        if document["rows"]:
            files.write(project / files.EXPECTED, files.dumps(document))
        else:
            (project / files.EXPECTED).unlink()
    return [f"{sentence[0].upper()}{sentence[1:]}." for sentence in found] or ["No answer changes."]


def _changes_since_former_model(project: Path, model: Model, manifest: Manifest) -> list[str]:
    """Return a sentence on the answers that change since another version was verified."""
    former = read_kept_answers(project)
    if former is None or former.are_of(manifest):
        return []
    return [f"Compared with version {former.version}, {changes_since(model, former.golden)}."]


def record_golden(model: Model) -> Golden:
    """Predict rows of the sample, and one row with null for each nullable feature.

    Raises ProofFailed if a row's prediction depends on the other rows of a batch.
    """
    rows = predictable_rows(model)[:SAMPLE_ROWS]
    nullable = [feature.name for feature in model.contract.features if feature.nullable]
    rows += [{**rows[0], name: None} for name in nullable[:ROWS_WITH_NULL]]
    in_batch = list(model.predict(Batch.of_rows(rows)))
    # A frame of thousands of columns takes a second to make.
    count = max(MIN_ROWS_ALONE, MAX_CELLS_ALONE // len(model.contract.column_kinds))
    alone = [model.predict(Batch.of_rows([row]))[0] for row in rows[:count]]
    tolerance = tolerance_for(in_batch[:count], alone, _largest_coefficient(model))
    as_json = [
        {name: whole(value) if isinstance(value, float) else value for name, value in row.items()}
        for row in rows
    ]
    return Golden(as_json, in_batch, tolerance)


def tolerance_for(
    in_batch: Sequence[Prediction], alone: Sequence[Prediction], largest_coefficient: float
) -> float:
    """Return the tolerance within which rows in a batch and alone get the same predictions.

    Raises ProofFailed if there is none.
    """
    tolerances = [RELATIVE_TOLERANCE, WIDE_TOLERANCE]
    if largest_coefficient >= LARGE_COEFFICIENT:
        tolerances.append(ROUNDED)
    for tolerance in tolerances:
        if not (found := differences(in_batch, alone, tolerance)):
            return tolerance
    raise ProofFailed(
        f"The model answers differently for one row alone and among others: {found[0]}."
    )


def _largest_coefficient(model: Model) -> float:
    """Return the largest absolute coefficient of a linear model, 0 for any other."""
    steps = getattr(model.estimator, "steps", None)
    last = steps[-1][1] if steps else model.estimator
    coefficients = getattr(last, "coef_", None)
    return float(abs(coefficients).max()) if isinstance(coefficients, np.ndarray) else 0.0


def _with_working_input(model: Model) -> Model:
    """Return the model with arrays as its input if it fails on frames and works with arrays.

    Only for a model file that does not say what it was trained on.
    """
    if model.manifest.columns is not None or model.manifest.input != "frame" or model.stages:
        return model
    batch = Batch.of_rows(example_rows(model))
    with_arrays = model.with_manifest(dataclasses.replace(model.manifest, input="array"))
    if failure(model, batch) is not None and failure(with_arrays, batch) is None:
        return with_arrays
    return model


def reasons_of_failure() -> Iterator[str]:
    """Prove the project in the working directory; yield why that failed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn warns of the unknown categories
            print(prove(Path(), accepts_answers=os.environ.get("ACCEPT") == "answers"))
        if (peak := resource_limits.peak_memory()) is not None:
            print(resource_limits.in_a_dyno(peak))
    except MemoryError:
        yield resource_limits.out_of_memory()
    except ProofFailed as error:
        if error.output:
            files.write(files.BETTER_OUTPUT, files.dumps(error.output))
        yield str(error)
    except ModelError as error:
        yield str(error)
    except ModelActed as act:
        yield f"{act}. {MUST_ONLY_COMPUTE}"
    except Exception as error:
        yield (
            f"The verification failed after the model was loaded: {type(error).__name__}: {error}"
        )


if __name__ == "__main__":
    sys.exit("\n".join(reasons_of_failure()) or None)
