"""Build the manifest: the facts and the decisions of an adoption."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from model_service.contract.contract import InputKind
from model_service.model.manifest import (
    About,
    Environment,
    Manifest,
    ModelFile,
    ServedBy,
    Task,
    TransformerFile,
)
from workbench.adopt.answers import Part
from workbench.adopt.case import Case
from workbench.adopt.chain import Chain
from workbench.adopt.csv.category_lists import (
    closed_categories,
    manifest_categories,
    model_categories,
)
from workbench.adopt.csv.profiles import profiles
from workbench.adopt.features import derived_fields
from workbench.adopt.interface import Interface
from workbench.inspect import FileFacts, ModelFacts
from workbench.inspect.formats.pickled_boosters import LIBRARIES
from workbench.lock.pins import Pins, imported_as


def build_manifest(case: Case, chain: Chain, interface: Interface, pinned: Pins) -> Manifest:
    """Return the manifest of a model that is not verified yet."""
    answers, facts, previous = case.answers, chain.facts, case.previous
    closed = closed_categories(interface.categories)
    derived = derived_fields(interface.contract, interface.declared, closed)
    last_sample = previous.sample if previous is not None else None
    return Manifest(
        about=About(
            name=answers.project_slug,
            title=answers.project_name,
            description=answers.description,
            version=(previous.about.version if previous is not None else 0) + 1,
        ),
        task=Task(
            kind=chain.task,
            classes=facts.classes,
            binary=facts.binary,
            outputs=facts.n_outputs,
            probabilities=facts.has_probabilities,
        ),
        environment=Environment(
            python=pinned.python,
            # The version is None if it is not known yet; verify takes it from the lock.
            libraries={
                **{imported_as(name): version for name, version in pinned.model.items()},
                **dict.fromkeys(pinned.unpinned),
            },
        ),
        model=_model_file(case, chain),
        transformers=_transformer_files(case, chain),
        left_out=_left_out(case),
        code=chain.code.custom_code(chain.code.needed_names(facts)) if chain.code else None,
        estimator=describe(facts),
        input=_input(facts),
        columns=_columns(chain),
        categories=manifest_categories({**model_categories(case.model), **interface.categories}),
        verified=False,
        served_by=ServedBy(path="native", reason="It was never verified."),
        examples=interface.examples,
        sample=answers.sample.name if answers.sample else last_sample,
        # A text can be empty, so there is nothing to find out about it.
        derived={} if facts.takes_texts else derived,
        profiles=profiles(
            interface.contract, case.sample, previous.profiles if previous is not None else {}
        ),
    )


def _columns(chain: Chain) -> tuple[str, ...] | None:
    """Return the names that the chain knows its columns by, with those that it drops."""
    if chain.facts.feature_names is None:
        return None
    columns = list(chain.facts.feature_names)
    for place, name in sorted(chain.unused.items()):
        columns.insert(place, name)
    return tuple(columns)


def describe(facts: ModelFacts) -> str:
    """Name the estimator: Pipeline (ColumnTransformer, LogisticRegression)."""
    module, _, root = facts.class_name.rpartition(".")
    if root == "Booster":
        root = f"{LIBRARIES[module.split('.')[0]]} Booster"
    steps = [step.class_name.rsplit(".", 1)[-1] for step in facts.steps]
    return f"{root} ({', '.join(steps)})" if steps else root


def _model_file(case: Case, chain: Chain) -> ModelFile:
    facts, source = case.model, case.answers.model.path
    return ModelFile(
        file=f"model{_suffix(source, facts)}",
        member=facts.member,
        **_loader(facts),
        sha256=facts.sha256,
        size=facts.size,
        source=source.name,
        constant=facts.constant,
        columns=facts.feature_names if chain.fitted else None,
    )


def _transformer_files(case: Case, chain: Chain) -> tuple[TransformerFile, ...]:
    model = case.answers.model.path
    names = chain.copied_files(model)
    return tuple(
        TransformerFile(
            file=names.get(one.part.path, f"model{_suffix(model, case.model)}"),
            member=one.part.member,
            **_loader(one.file),
            sha256=one.file.sha256,
            size=one.file.size,
            source=one.part.path.name,
            estimator=one.facts.name,
        )
        for one in chain.fitted
    )


def _left_out(case: Case) -> tuple[str, ...]:
    """Return the names of what was left out on purpose, by the answers or by earlier ones."""
    before = case.previous.left_out if case.previous is not None else ()
    named = (str(Part(Path(part.path.name), part.member)) for part in case.answers.left_out)
    used = {one.part.path.name for one in case.transformers.fitted}
    return tuple(name for name in dict.fromkeys((*before, *named)) if name not in used)


def _loader(file: FileFacts) -> dict[str, Any]:
    """Return how the service loads a file."""
    if file.container == "skops":
        return {"loader": "skops", "trusted": tuple(file.trusted)}
    # joblib reads plain pickles, too.
    return {"loader": "joblib" if file.container == "pickle" else file.container}


def _input(facts: ModelFacts) -> InputKind:
    if facts.takes_texts:
        return "texts"
    return "frame" if facts.fitted_on_frame else "array"


def _suffix(path: Path, facts: ModelFacts) -> str:
    suffix = path.suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,12}", suffix) else facts.suffix
