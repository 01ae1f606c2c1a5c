"""Build `model/manifest.json`: the facts and the decisions of an adoption."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from workbench.adopt.case import Case
from workbench.adopt.category_lists import categories_to_json, closed_categories, model_categories
from workbench.adopt.chain import Chain
from workbench.adopt.features import derived_fields
from workbench.adopt.interface import Interface
from workbench.adopt.profiles import profiles
from workbench.inspect import FileFacts, ModelFacts
from workbench.inspect.formats.pickled_boosters import LIBRARIES
from workbench.lock.pins import Pins, imported_as


def build_manifest(case: Case, chain: Chain, interface: Interface, pinned: Pins) -> dict[str, Any]:
    """Return the manifest of a model that is not verified yet."""
    answers, facts, previous = case.answers, chain.facts, case.previous
    closed = closed_categories(interface.categories)
    derived = derived_fields(interface.contract, interface.declared, closed)
    last_sample = previous.sample if previous is not None else None
    return {
        "name": answers.project_slug,
        "title": answers.project_name,
        "description": answers.description,
        "version": (previous.version if previous is not None else 0) + 1,
        "verified": False,
        "plan": {"serves": "native", "reason": "It was never verified."},
        "task": facts.task,
        "classes": list(facts.classes) if facts.classes is not None else None,
        "estimator": describe(facts),
        # The two classes of a raw booster that returns a number; labels or a threshold select them.
        "binary": list(facts.binary) if facts.binary is not None else None,
        "outputs": facts.n_outputs,
        "probabilities": facts.has_probabilities,
        "input": _input(facts),
        "columns": list(facts.feature_names) if facts.feature_names is not None else None,
        "python": pinned.python,
        # None if the version is not known yet; verify takes it from the lock.
        "libraries": {
            **{imported_as(name): version for name, version in pinned.model.items()},
            **dict.fromkeys(pinned.unpinned),
        },
        "model": _model(case, chain),
        "categories": categories_to_json({**model_categories(case.model), **interface.categories}),
        "code": chain.code.to_json(chain.code.needed_names(facts)) if chain.code else None,
        "transformers": _transformers(case, chain),
        "sample": answers.sample.name if answers.sample else last_sample,
        # A text can be empty, so there is nothing to find out about it.
        "derived": {} if facts.takes_texts else derived,
        "examples": interface.examples,
        "profile": profiles(
            interface.contract, case.sample, previous.profile if previous is not None else None
        ),
    }


def describe(facts: ModelFacts) -> str:
    """Name the estimator: Pipeline (ColumnTransformer, LogisticRegression)."""
    module, _, root = facts.class_name.rpartition(".")
    if root == "Booster":
        root = f"{LIBRARIES[module.split('.')[0]]} Booster"
    steps = [step.class_name.rsplit(".", 1)[-1] for step in facts.steps]
    return f"{root} ({', '.join(steps)})" if steps else root


def _model(case: Case, chain: Chain) -> dict[str, Any]:
    facts, source = case.model, case.answers.model.path
    entry = {
        "file": f"model{_suffix(source, facts)}",
        "member": facts.member,
        **_loader(facts),
        "constant": facts.constant,
        "sha256": facts.sha256,
        "bytes": facts.size,
        "source": source.name,
    }
    if chain.fitted:
        names = facts.feature_names
        entry["columns"] = list(names) if names is not None else None
    return entry


def _transformers(case: Case, chain: Chain) -> list[dict[str, Any]]:
    model = case.answers.model.path
    names = chain.copied_files(model)
    return [
        {
            "file": names.get(one.part.path, f"model{_suffix(model, case.model)}"),
            "member": one.part.member,
            **_loader(one.file),
            "sha256": one.file.sha256,
            "bytes": one.file.size,
            "source": one.part.path.name,
            "estimator": one.facts.name,
        }
        for one in chain.fitted
    ]


def _loader(file: FileFacts) -> dict[str, Any]:
    """Return how the service loads a file."""
    if file.container == "skops":
        return {"loader": "skops", "trusted": list(file.trusted)}
    # joblib reads plain pickles, too.
    return {"loader": "joblib" if file.container == "pickle" else file.container}


def _input(facts: ModelFacts) -> str:
    if facts.takes_texts:
        return "texts"
    return "frame" if facts.fitted_on_frame else "array"


def _suffix(path: Path, facts: ModelFacts) -> str:
    suffix = path.suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,12}", suffix) else facts.suffix
