"""The proof: the model loads and predicts in the pinned environment. Runs in `.venv`.

It loads the model as the service does, through service.model, and asks it what it takes.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from model_service.contract.contract import Batch, Contract, Feature, Row, Scalar, json_text
from model_service.contract.golden import (
    RELATIVE_TOLERANCE,
    Golden,
    differences,
    golden_differences,
)
from model_service.contract.parsing import parse_rows
from model_service.contract.typed_text import whole
from model_service.errors import ModelError
from model_service.model.loading import load_model
from model_service.model.manifest import Manifest, ServedBy
from model_service.model.model import Model
from workbench import files
from workbench.adopt.expected_answers import disagreements as unexpected
from workbench.adopt.expected_answers import read_expected
from workbench.errors import listing
from workbench.verify import resource_limits
from workbench.verify.fast_path_proof import choose_path

# Golden rows are in git, checked at every boot and sent by every smoke test: few are enough.
SAMPLE_ROWS, MISSING_ROWS = 24, 8
SHOWN = 5
ILL_CONDITIONED = 1e-5
NO_SAMPLE = (
    "This row is made up, because no sample was given: give sample_data, a CSV of typical rows, or "
    "a features file that says what each feature is."
)


class ProofFailed(Exception):
    """The model does not do what its contract or its goldens say."""


def prove(project: Path) -> str:
    """Record goldens, or check those that are there; return what was done.

    Raises Disproved and ModelError. Writes features.json, manifest.json and golden.json.
    """
    model = load_model(project / files.MODEL)
    model.fast_path = None  # the goldens are the model's own answers
    manifest = Manifest.read(project / files.MANIFEST)
    if model.golden is not None:
        golden = _reproduce(model, model.golden)
        done = [
            f"The model reproduces its {len(golden.rows)} recorded predictions.",
            *as_expected(model, read_expected(project)),
        ]
    else:
        model = _with_its_input(model)
        manifest = dataclasses.replace(manifest, input=model.manifest.input)
        before = model.contract
        check_encoders(model)
        model = model.with_contract(complete(model, manifest.derived))
        promised = as_expected(model, read_expected(project))
        golden = record(model)
        documents = {feature.name: feature.to_json() for feature in model.contract.features}
        derived = {
            name: {key: documents[name].get(key) for key in keys}
            for name, keys in manifest.derived.items()
        }
        manifest = dataclasses.replace(manifest, derived=derived, examples=golden.rows)
        files.write(project / files.FEATURES, files.dumps(model.contract.to_json()))
        done = [
            f"The model predicts; {len(golden.rows)} predictions are recorded in {files.GOLDEN}.",
            *promised,
            *_lost(before, model.contract),
        ]
    served_by = choose_path(model, golden.rows)
    manifest = dataclasses.replace(manifest, served_by=served_by, verified=True)
    done.append(_served(served_by))
    document = dataclasses.asdict(golden)
    if golden.tolerance == RELATIVE_TOLERANCE:
        del document["tolerance"]
    files.write(project / files.GOLDEN, files.dumps(document))
    files.write(project / files.MANIFEST, files.dumps(manifest.to_json()))
    return "\n".join(done)


def _served(by: ServedBy) -> str:
    if by.path == "fast":
        return "Its fast path predicts what the model's own methods predict, and serves."
    return f"The model's own methods serve, which are slower than a fast path. {by.reason}"


def _lost(before: Contract, after: Contract) -> Iterator[str]:
    """Say what features.json promised and the model does not take."""
    for was, now in zip(before.features, after.features, strict=True):
        if was.nullable and not now.nullable:
            yield f"Note: {now.name} may not be null, for the model fails on it."


def as_expected(model: Model, document: Mapping[str, Any] | None) -> list[str]:
    """Hold the model against the answers that the user expects. Raises Disproved."""
    if document is None:
        return []
    batch = parse_rows(model.contract, document["rows"])
    if problems := batch.problems:
        raise ProofFailed(
            f"Row {problems[0].row} of {files.EXPECTED} has an expected answer, but "
            f"{problems[0].feature} {problems[0].message}."
        )
    if (error := _failure(model, batch)) is not None:
        raise ProofFailed(f"The model fails on the rows of {files.EXPECTED}: {error}.")
    exact = model.manifest.task.kind != "regression"
    found = list(unexpected(document, model.predict(batch), exact=exact))
    if found:
        raise ProofFailed(
            f"The model does not give the answers that you expected: {len(found)} of {len(batch)} "
            f"rows differ. The first of them is {found[0]}. If the answers are right, the model "
            "file, the features or their order, the transformers before the model, or the output "
            "(threshold, transform) are not those of the notebook."
        )
    return [f"The model gives the {len(batch)} answers that you expected."]


def _reproduce(model: Model, golden: Golden) -> Golden:
    """Return the goldens with the labels as they are called now. Raises Disproved."""
    batch = parse_rows(model.contract, golden.rows)
    if problems := batch.problems:
        raise ProofFailed(
            f"{files.FEATURES} does not take row {problems[0].row} of {files.GOLDEN} any more: "
            f"{problems[0].feature} {problems[0].message}. Undo the edit, or adopt it again: "
            f"make adopt MODEL={files.MODEL / model.manifest.model.file}"
        )
    predictions = list(model.predict(batch))
    found = golden_differences(golden, predictions)
    if found:
        raise ProofFailed(
            "The model does not reproduce its recorded predictions "
            f"({len(found)} values differ): {'; '.join(found[:SHOWN])}. If labels, threshold "
            f"or transform were edited, delete {files.GOLDEN} and run make verify again."
        )
    return dataclasses.replace(golden, predictions=predictions)


def _with_its_input(model: Model) -> Model:
    """Return the model with arrays where it fails on frames, and nobody knows what it was given."""
    if model.manifest.columns is not None or model.manifest.input != "frame" or model.stages:
        return model
    batch = Batch.of_rows(_parsed(model))
    arrays = model.with_manifest(dataclasses.replace(model.manifest, input="array"))
    works_only_so = _failure(model, batch) is not None and _failure(arrays, batch) is None
    return arrays if works_only_so else model


def complete(model: Model, derived: Mapping[str, Mapping[str, Any]]) -> Contract:
    """Return the contract with what the model really takes. Raises Disproved.

    What the sample suggested is corrected; what a person declared must hold.
    """
    rows = _working_rows(model)
    features = [_complete(model, rows, feature, derived) for feature in model.contract.features]
    return dataclasses.replace(model.contract, features=tuple(features))


def _complete(
    model: Model, rows: list[Row], feature: Feature, derived: Mapping[str, Mapping[str, Any]]
) -> Feature:
    changes: dict[str, Any] = {}
    own = derived.get(feature.name, {})
    on_null = _takes(model, rows, _with(feature, nullable=True), None)
    if "nullable" in own:
        changes["nullable"] = on_null is None
    elif feature.nullable and on_null is not None:
        raise ProofFailed(
            f"{files.FEATURES} says that {feature.name} may be null, but the model fails "
            f'on it ({on_null}). Set "nullable" to false.'
        )
    for category in feature.categories or ():
        on_listed = _takes(model, rows[:1], feature, category)
        if on_listed is not None:
            raise ProofFailed(
                f"{files.FEATURES} lists {json.dumps(category)} for {feature.name}, but the model "
                f"fails on it ({on_listed}). Take it from the list."
            )
    if feature.categories and ("strict" in own or feature.strict is False):
        on_unseen = _takes(model, rows, _with(feature, strict=False), unseen_category(feature))
        if "strict" in own:
            changes["strict"] = on_unseen is not None
        elif on_unseen is not None:
            raise ProofFailed(
                f"{files.FEATURES} says that {feature.name} takes other categories, but the "
                f'model fails on them ({on_unseen}). Set "strict" to true.'
            )
    return _with(feature, **changes)


def check_encoders(model: Model) -> None:
    """Compare the contract with what the encoders in the model were fitted on. Raises Disproved.

    An encoder that ignores unknown values takes numbers for texts without a word.
    """
    kinds = model.contract.column_kinds
    for name, values in fitted_categories(model.estimator):
        known = [v for v in values if isinstance(v, (str, bool, int)) or _is_number(v)]
        texts = any(isinstance(value, str) for value in known)
        kind = kinds.get(name, "object")
        if not known or kind == "object" or (kind == "text") == texts:
            continue
        shown = json.dumps(known[:10], ensure_ascii=False)
        raise ProofFailed(
            f"{files.FEATURES} has {name} as a {'number' if texts else 'text'}, but the model was "
            f"trained on {shown}. Give sample_data, or a features file with its categories."
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def fitted_categories(estimator: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yield each column that an encoder of a ColumnTransformer was fitted on, with its values."""
    inner = [getattr(estimator, name, None) for name in ("best_estimator_", "estimator_")]
    inner += [step for _, step in getattr(estimator, "steps", ())]
    for part in inner:
        if part is not None:
            yield from fitted_categories(part)
    for _, transformer, columns in getattr(estimator, "transformers_", ()):
        for step in [transformer, *(s for _, s in getattr(transformer, "steps", ()))]:
            categories = getattr(step, "categories_", None)
            # Where a step before dropped a column, positions mean nothing any more.
            if isinstance(categories, list) and len(categories) == len(columns):
                for column, values in zip(columns, categories, strict=True):
                    if isinstance(column, str):
                        yield column, values.tolist()


def _with(feature: Feature, **changes: Any) -> Feature:
    return dataclasses.replace(feature, **changes)


def unseen_category(feature: Feature) -> Scalar:
    """Return a value of the categories' type that is none of them."""
    categories = feature.categories or ()
    numbers = [c for c in categories if isinstance(c, (int, float))]
    return max(numbers) + 1 if numbers and len(numbers) == len(categories) else "a new category"


def _working_rows(model: Model) -> list[Row]:
    """Return the examples that the model predicts. Raises Disproved if it fails on a real one.

    A real row with missing values may fail, for then the feature is not nullable; of rows that
    were made up, one that works is enough.
    """
    made_up = model.manifest.sample is None
    working, failures = [], []
    for row in _parsed(model):
        error = _failure(model, Batch.of_rows([row]))
        if error is None:
            working.append(row)
        else:
            failures.append((row, error))
    serious = [failed for failed in failures if not made_up and None not in failed[0].values()]
    if serious or not working:
        row, error = (serious or failures)[0]
        shown, hint = json.dumps(row, ensure_ascii=False), f" {NO_SAMPLE}" if made_up else ""
        if "could not convert string to float" in error:
            hint = _needs_codes(model.contract)
        raise ProofFailed(f"The model fails on {shown}: {error}.{hint}")
    return working


def _needs_codes(contract: Contract) -> str:
    """Say that an app of the author's must have made numbers of text."""
    texts = [f for f in contract.features if f.categories and not f.encoded]
    if not texts:
        return ""
    example = {
        "name": texts[0].name,
        "categories": list(texts[0].categories or ()),
        "encode": {json_text(c): number for number, c in enumerate(texts[0].categories or ())},
    }
    return (
        f" The model takes numbers, and {listing([f.name for f in texts])} are text. If fitted "
        "encoders make numbers of them, answer transformers with all fitted files in the order of "
        "your app, encoders before a scaler. If your own code does, say in a features file "
        "which numbers, such as "
        f"{json.dumps(example, ensure_ascii=False)}"
    )


def _parsed(model: Model) -> list[Row]:
    # One by one: a row that an edited contract does not take must not cost the others.
    parsed = [parse_rows(model.contract, [row]) for row in model.manifest.examples]
    rows = [row for batch in parsed for row in batch.rows()]
    if not rows:
        raise ProofFailed(
            f"{files.FEATURES} takes none of the example rows; undo the edit, or run make adopt "
            "with SAMPLE= and rows that fit."
        )
    return rows


def _takes(model: Model, rows: Sequence[Row], feature: Feature, value: Any) -> str | None:
    """Return what goes wrong when the model meets the value, or None when nothing does."""
    features = tuple(feature if f.name == feature.name else f for f in model.contract.features)
    changed = model.with_contract(dataclasses.replace(model.contract, features=features))
    with_value = [{**row, feature.name: value} for row in rows[:3]]
    return _failure(changed, Batch.of_rows(with_value))


def _failure(model: Model, batch: Batch) -> str | None:
    try:
        answers = model.predict(batch)
    except MemoryError:  # no value of the row's
        raise
    except Exception as error:  # whatever a model raises means that it does not take the row
        if resource_limits.NO_NETWORK in str(error):
            raise ProofFailed(
                f"The model uses the network to predict: {error}. Save what it asks for with the "
                "model; a prediction must not wait for another service."
            ) from None
        return f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
    if any(answer["prediction"] is None for answer in answers):
        return "the prediction is not a number"
    return None


def record(model: Model) -> Golden:
    """Return goldens: rows of the sample, and one with each nullable feature missing.

    Raises Disproved where a row's prediction depends on the rows beside it.
    """
    rows = _working_rows(model)[:SAMPLE_ROWS]
    nullable = [feature.name for feature in model.contract.features if feature.nullable]
    rows += [{**rows[0], name: None} for name in nullable[:MISSING_ROWS]]
    together = list(model.predict(Batch.of_rows(rows)))
    alone = [model.predict(Batch.of_rows([row]))[0] for row in rows]
    # A Gaussian process solves so ill a system that a batch moves the eighth digit.
    tolerance = RELATIVE_TOLERANCE if not differences(together, alone) else ILL_CONDITIONED
    if found := differences(together, alone, tolerance):
        raise ProofFailed(
            f"The model answers differently for one row alone and among others: {found[0]}."
        )
    return Golden(
        [
            {
                name: whole(value) if isinstance(value, float) else value
                for name, value in row.items()
            }
            for row in rows
        ],
        together,
        tolerance,
    )


def _main() -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what an unseen category makes scikit-learn say
            print(prove(Path()))
        if (peak := resource_limits.peak_memory()) is not None:
            print(resource_limits.in_a_dyno(peak))
    except MemoryError:
        yield resource_limits.out_of_memory()
    except (ProofFailed, ModelError) as error:
        yield str(error)
    except Exception as error:
        yield f"The model cannot be loaded: {type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit("\n".join(_main()) or None)
