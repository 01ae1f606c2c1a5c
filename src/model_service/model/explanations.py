"""The explanations of a loaded model: what belongs to it, and the file that verify wrote."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from model_service.contract.batch import Batch
from model_service.contract.parsing import parse_rows
from model_service.explain.explainer import Explainer, Subject, WrongFile, read_explainer
from model_service.model.model import Model

logger = logging.getLogger(__name__)

EXPLAIN_FILE = "explain.npz"
MAX_EXAMPLES = 32


def subject_of(model: Model) -> Subject:
    """Return a model as a subject of explanations."""
    task = model.manifest.task
    classes: Any = task.classes
    if model.contract.output.targets is not None and task.kind == "classification":
        classes = _classes_by_target(model.estimator, len(model.contract.output.targets))
    return Subject(
        model.estimator,
        model.contract,
        model.input_builder,
        task.kind,
        classes,
        task.probabilities,
        model.fast_path is not None,
    )


def _classes_by_target(estimator: Any, target_count: int) -> list[list[Any]]:
    """Return the classes of each target; those of a multilabel model are a no and a yes."""
    found = getattr(estimator, "classes_", None)
    if found is None or len(found) != target_count or not hasattr(found[0], "tolist"):
        return [[0, 1]] * target_count
    listed = [known.tolist() for known in found]
    return listed if all(isinstance(known, list) for known in listed) else [[0, 1]] * target_count


def fingerprint(model: Model) -> str:
    """Return a hash of all that explanations depend on beside the rows of the background."""
    manifest, output = model.manifest, model.contract.output
    features = [
        {k: v for k, v in feature.to_json().items() if k in ("name", "type", "encode", "one_hot")}
        for feature in model.contract.features
    ]
    decision = [output.positive, output.threshold] if output.background == "positive" else None
    content = {
        "model": manifest.model.sha256,
        "transformers": [entry.sha256 for entry in manifest.transformers],
        "stages": [transformer.to_json() for transformer in model.contract.transformers],
        "code": manifest.code.sha256 if manifest.code is not None else None,
        "features": features,
        "background": output.background,
        "decision": decision,
        "task": [manifest.task.kind, manifest.task.probabilities, manifest.input],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def example_batch(model: Model) -> Batch | None:
    """Return the golden rows, which mixed rows are made of; None if there are none."""
    if model.golden is None:
        return None
    batch = parse_rows(model.contract, model.golden.rows[:MAX_EXAMPLES])
    return None if batch.problems else batch


def with_explanations(model: Model, directory: Path) -> Model:
    """Return the model with the explanations that verify proved, if they are there."""
    proven = model.manifest.explanations
    if not proven.proven:
        return model
    try:
        content = (directory / EXPLAIN_FILE).read_bytes()
        if hashlib.sha256(content).hexdigest() != proven.file_sha256:
            raise WrongFile("it is not the file that verify wrote; restore it from git")
        explainer: Explainer = read_explainer(
            content, subject_of(model), fingerprint(model), example_batch(model)
        )
    except OSError:
        return model.without_explanations(f"model/{EXPLAIN_FILE} is missing; run make verify.")
    except WrongFile as error:
        return model.without_explanations(f"model/{EXPLAIN_FILE}: {error}.")
    return model.with_explainer(explainer)
