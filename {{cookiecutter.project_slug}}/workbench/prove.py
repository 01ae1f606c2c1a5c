"""The proof: the model loads and predicts in the pinned environment. Runs in `.venv`.

It loads the model as the service does, through service.model, and asks it what it takes.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from service.contract import Contract, Feature, Row, Scalar
from service.golden import Golden, differences
from service.model import Model, ModelError, load_model
from workbench import project as files

# Golden rows are in git, checked at every boot and sent by every smoke test: few are enough.
SAMPLE_ROWS, MISSING_ROWS = 24, 8
SHOWN = 5
NO_SAMPLE = (
    "This row is made up, because no sample was given: give sample_data, a CSV of typical rows, or "
    "a features file that says what each feature is."
)


class Disproved(Exception):
    """The model does not do what its contract or its goldens say."""


def prove(project: Path) -> str:
    """Record goldens, or check those that are there; return what was done in one line.

    Raises Disproved and ModelError. Writes features.json, manifest.json and golden.json.
    """
    model = load_model(project / files.MODEL)
    manifest = dict(model.manifest.document)
    if model.golden is not None:
        _reproduce(model, model.golden)
        done = f"The model reproduces its {len(model.golden.rows)} recorded predictions."
    else:
        model = model.with_contract(complete(model, manifest["derived"]))
        golden = record(model)
        manifest["derived"] = {
            key: {
                feature.name: getattr(feature, key)
                for feature in model.contract.features
                if feature.name in manifest["derived"][key]
            }
            for key in ("nullable", "strict")
        }
        manifest["examples"] = golden.rows
        files.write(project / files.FEATURES, files.dumps(model.contract.to_json()))
        files.write(project / files.GOLDEN, files.dumps(dataclasses.asdict(golden)))
        done = f"The model predicts; {len(golden.rows)} predictions are recorded in {files.GOLDEN}."
    manifest["verified"] = True
    files.write(project / files.MANIFEST, files.dumps(manifest))
    return done


def _reproduce(model: Model, golden: Golden) -> None:
    rows, problems = model.contract.parse_rows(golden.rows)
    if problems:
        raise Disproved(
            f"{files.FEATURES} does not take row {problems[0].row} of {files.GOLDEN} any more: "
            f"{problems[0].feature} {problems[0].message}. Undo the edit, or delete "
            f"{files.GOLDEN} and run make verify to record new predictions."
        )
    found = differences(golden.predictions, model.predict(rows))
    if found:
        raise Disproved(
            "The model does not reproduce its recorded predictions "
            f"({len(found)} values differ): {'; '.join(found[:SHOWN])}."
        )


def complete(model: Model, derived: dict[str, dict[str, Any]]) -> Contract:
    """Return the contract with what the model really takes. Raises Disproved.

    What the sample suggested is corrected; what a person declared must hold.
    """
    rows = _working_rows(model)
    features = [_complete(model, rows, feature, derived) for feature in model.contract.features]
    return dataclasses.replace(model.contract, features=tuple(features))


def _complete(
    model: Model, rows: list[Row], feature: Feature, derived: dict[str, dict[str, Any]]
) -> Feature:
    changes: dict[str, Any] = {}
    on_null = _takes(model, rows, _with(feature, nullable=True), None)
    if feature.name in derived["nullable"]:
        changes["nullable"] = on_null is None
    elif feature.nullable and on_null is not None:
        raise Disproved(
            f"{files.FEATURES} says that {feature.name} may be null, but the model fails "
            f'on it ({on_null}). Set "nullable" to false.'
        )
    if feature.categories and (feature.name in derived["strict"] or feature.strict is False):
        on_unseen = _takes(model, rows, _with(feature, strict=False), unseen_category(feature))
        if feature.name in derived["strict"]:
            changes["strict"] = on_unseen is not None
        elif on_unseen is not None:
            raise Disproved(
                f"{files.FEATURES} says that {feature.name} takes other categories, but the model "
                f'fails on them ({on_unseen}). Set "strict" to true.'
            )
    return _with(feature, **changes)


def _with(feature: Feature, **changes: Any) -> Feature:
    return dataclasses.replace(feature, **changes)


def unseen_category(feature: Feature) -> Scalar:
    """Return a value of the categories' type that is none of them."""
    categories = feature.categories or ()
    numbers = [c for c in categories if isinstance(c, (int, float))]
    return max(numbers) + 1 if numbers and len(numbers) == len(categories) else "a new category"


def _working_rows(model: Model) -> list[Row]:
    """Return examples that the model predicts. Raises Disproved if it fails on a full row."""
    rows = []
    for row in _parsed(model):
        error = _failure(model, [row])
        if error is None:
            rows.append(row)
        elif None not in row.values():
            hint = "" if model.manifest.document["sample"] else f" {NO_SAMPLE}"
            shown = json.dumps(row, ensure_ascii=False)
            raise Disproved(f"The model fails on {shown}: {error}.{hint}")
    if not rows:
        raise Disproved("The model fails on every row of the sample: all have missing values.")
    return rows


def _parsed(model: Model) -> list[Row]:
    # One by one: a row that an edited contract does not take must not cost the others.
    parsed = [model.contract.parse_rows([row])[0] for row in model.manifest.examples]
    rows = [row for found in parsed for row in found]
    if not rows:
        raise Disproved(
            f"{files.FEATURES} takes none of the example rows; undo the edit, or run make adopt "
            "with SAMPLE= and rows that fit."
        )
    return rows


def _takes(model: Model, rows: Sequence[Row], feature: Feature, value: Any) -> str | None:
    """Return what goes wrong when the model meets the value, or None when nothing does."""
    features = tuple(feature if f.name == feature.name else f for f in model.contract.features)
    changed = model.with_contract(dataclasses.replace(model.contract, features=features))
    return _failure(changed, [{**row, feature.name: value} for row in rows[:3]])


def _failure(model: Model, rows: Sequence[Row]) -> str | None:
    try:
        answers = model.predict(rows)
    except Exception as error:  # whatever a model raises means that it does not take the row
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
    together = model.predict(rows)
    for row, answer in zip(rows, together, strict=True):
        if found := differences(answer, model.predict([row])[0]):
            raise Disproved(
                f"The model answers differently for one row alone and among others: {found[0]}."
            )
    return Golden(
        [{name: _as_typed(value) for name, value in row.items()} for row in rows], together
    )


def _as_typed(value: Any) -> Any:
    """Write 5000 for 5000.0, as a person would."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _main() -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what an unseen category makes scikit-learn say
            print(prove(Path()))
    except (Disproved, ModelError) as error:
        yield str(error)
    except Exception as error:
        yield f"The model cannot be loaded: {type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit("\n".join(_main()) or None)
