"""Adopt: take a model file into the project. Inspect, decide, write `model/` and the pins.

Standard library only, no clock, no randomness, no network: the same inputs write the same bytes.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from service.contract import Contract, json_text
from workbench import categories, expected, features, hints, lock, proposals, transformers, trust
from workbench import code as own_code
from workbench import project as files
from workbench.answers import Answers, Part, read_features
from workbench.code import Code, read_code
from workbench.environment import find_python
from workbench.inspect import Bundle, Facts, Outlines, Refused, bundle_of, model_facts
from workbench.inspect.boosters import LIBRARIES
from workbench.messages import WorkbenchError, listing
from workbench.pins import NoPins, Pins, imported_as, pins, pythons
from workbench.sample import Sample, read_rows, read_sample

# What needs nobody's trust. Of other libraries the pins know some of their own time; of the rest
# `make lock` finds a version that goes with these.
SUPPORTED = frozenset(
    """
    catboost cloudpickle imbalanced-learn joblib lightgbm numpy pandas scikit-learn scipy skops
    statsmodels threadpoolctl xgboost
    """.split()
)


@dataclass(frozen=True)
class Adoption:
    """All that was decided; nothing is written yet."""

    source: Path
    facts: Facts
    contract: Contract
    manifest: dict[str, Any]
    pins: Pins
    code: Code | None
    transformers: Mapping[Path, str]  # names in the project, below model/, by source
    expected: Mapping[str, Any] | None
    proposed: proposals.Proposal | None
    former: frozenset[str]  # libraries of the model that is replaced
    notices: tuple[str, ...]

    def summary(self) -> str:
        """Name what was adopted, in two lines."""
        known, classes = f"{self.facts.task}", self.facts.classes
        if self.facts.binary is not None and self.contract.output.asks_for_classes:
            known, classes = "classification", self.facts.binary
        if classes:
            known += f" into {listing([json_text(c) for c in classes])}"
        libraries = ", ".join([*_written_by(self.facts), f"Python {self.pins.python}"])
        return (
            f"Adopted {describe(self.facts)} from {self.source}:\n"
            f"{known}, {len(self.contract.features)} features, {libraries}."
        )


def describe(facts: Facts) -> str:
    """Name the estimator as people do: Pipeline (ColumnTransformer, LogisticRegression)."""
    module, _, root = facts.class_name.rpartition(".")
    if root == "Booster":
        root = f"{LIBRARIES[module.split('.')[0]]} Booster"
    steps = [step.class_name.rsplit(".", 1)[-1] for step in facts.steps]
    return f"{root} ({', '.join(steps)})" if steps else root


def decide(
    answers: Answers,
    previous: Mapping[str, Any] | None = None,
    *,
    reshape: bool = False,
    promised: Mapping[str, Any] | None = None,
) -> Adoption:
    """Decide everything about an adoption. Raises WorkbenchError with all problems.

    `previous` is the manifest of the model that is replaced, if there is one: what the workbench
    itself wrote into features.json then is no declaration of the user's. `reshape` lets the model
    have other features than features.json, of which those are kept that it still has. `promised`
    are the answers that the user expected of the model that is replaced.
    """
    read = transformers.Files()
    code = read_code(answers.path(answers.model_code)) if answers.model_code.strip() else None
    model, bundle = _model(answers, read, code.outlines if code is not None else {})
    own = previous["derived"] if previous else {}
    sample, answer = _sample(answers), read_features(answers)
    model = features.with_names_of_training(model, answer, sample)
    notices = list(model.notices)
    model = _with_task(model, notices)
    beside = transformers.transformers_of(answers, answer, bundle, model, sample, read, notices)
    facts = transformers.with_transformers(model, beside.fitted)
    facts = categories.before_transformers(model, facts, [t.columns for t in beside.fitted])
    if bundle is not None:
        facts = _named_by_bundle(facts, bundle, notices)
    if reshape and facts.feature_names is not None:
        answer = features.reshaped(answer, facts)
    if sample is not None:
        answer = features.forget(answer, own)
    answer = features.forget_categories(answer, facts, own)
    if not beside.fitted and beside.labels is None:
        notices += transformers.beside(answers.model.path, facts, read)
    problems = [*own_code.problems(facts, code), *trust.problems(facts, answers.trusted, code)]
    if code is not None and not code.prepares and not own_code.own_names(facts, code):
        notices.append(f"The model does not need {code.path.name}, so it was left out.")
        code = None
    prepares = code is not None and code.prepares
    pinned = None
    try:
        needs_pandas = (
            facts.fitted_on_frame
            or (bool(beside.fitted) and model.feature_names is not None)
            or "pandas" in facts.distributions
            or bool(_others(facts))  # which nearly all need it
            or (code is not None and (prepares or "pandas" in code.imports))
        )
        pinned = _pins(facts, _choose_python(facts, answers, previous), needs_pandas)
        notices += hints.notices(answers.model.path.absolute(), facts, pinned)
        notices += _about_code(facts, pinned.python)
    except (NoPins, WorkbenchError) as error:
        problems.append(str(error))
    names = transformers.files_of(beside.fitted, answers.model.path)
    before = features.Before(
        transformers.to_contract(beside.fitted, names),
        transformers.categories_of(beside.fitted),
        beside.labels,
    )
    try:
        contract = features.contract_of(facts, answer, sample, prepares, notices, before)
        inputs = [column.name for column in contract.columns([])]
        told = categories.known_categories(facts, inputs, sample) if not prepares else {}
        known = categories.completed(told, contract, previous)
        problems += categories.problems(facts, known)
        notices += categories.notices(told, known)
        examples = features.examples(contract, sample, previous)
        answered = (
            expected.given(contract, sample)
            if sample is not None
            else expected.kept(contract, promised if _is_same(facts, previous) else None)
        )
    except WorkbenchError as error:
        raise WorkbenchError([*problems, *error.problems]) from None
    if problems or pinned is None:
        raise WorkbenchError(problems)
    last = previous or {"version": 0, "sample": None}
    about = _about_the_model(facts, pinned, answers.model)
    if beside.fitted:
        columns = model.feature_names
        about["model"]["columns"] = list(columns) if columns is not None else None
    manifest = {
        "name": answers.project_slug,
        "title": answers.project_name,
        "description": answers.description,
        "version": last["version"] + 1,
        "verified": False,
        **about,
        "categories": categories.to_json({**categories.of_model(model), **known}),
        "code": code.to_json(own_code.own_names(facts, code)) if code is not None else None,
        "transformers": transformers.to_manifest(beside.fitted, names, about["model"]["file"]),
        "sample": answers.sample.name if answers.sample else last["sample"],
        # A text may be empty, so there is nothing to find out about it.
        "derived": {}
        if facts.takes_texts
        else features.derived(contract, answer, own, categories.enforced(known)),
        "examples": examples,
    }
    proposed = None
    if not prepares and not facts.takes_texts:
        declared, seen = features.forget(answer, own).features, _seen(sample, previous)
        by_name = facts.fitted_on_frame and facts.feature_names is not None
        proposed = proposals.propose(contract, declared, seen, by_name=by_name)
    if proposed is not None:
        notices.append(proposed.notice(about["model"], answers.trusted))
    return Adoption(
        answers.model.path,
        facts,
        contract,
        manifest,
        pinned,
        code,
        names,
        answered,
        proposed,
        frozenset(previous["libraries"] if previous else ()),
        tuple(notices),
    )


def _is_same(facts: Facts, previous: Mapping[str, Any] | None) -> bool:
    """Tell whether the model is the one that is there already."""
    last = previous["model"] if previous is not None else {}
    return (facts.sha256, facts.member) == (last.get("sha256"), last.get("member"))


def _seen(sample: Sample | None, previous: Mapping[str, Any] | None) -> proposals.Seen | None:
    """Return what can be seen of the model's columns: in the sample, or in what is left of it."""
    if sample is not None:
        return proposals.Seen(sample.columns, lambda: read_rows(sample.path))
    if previous is not None and previous["sample"] is not None:
        return proposals.Seen.in_rows(previous["examples"])
    return None


def _model(
    answers: Answers, read: transformers.Files, outlines: Outlines
) -> tuple[Facts, Bundle | None]:
    """Return the facts of the model that was named, and of what else lies in its file.

    `outlines` are those of the user's own classes. Raises WorkbenchError where the file holds
    several models and none is named.
    """
    part = answers.model
    document, file = read.read(part.path, "model_path")
    bundle = bundle_of(document.root) if part.member is None else None
    member = part.member
    if bundle is not None and len(bundle.models) == 1:
        member = bundle.models[0].name
    elif bundle is not None and bundle.models:
        raise WorkbenchError(
            f"model_path: {part.path.name} holds {len(bundle.models)} models; which one? Answer "
            f"{' or '.join(f'model_path={answers.model_path}#{m.name}' for m in bundle.models)}."
        )
    try:
        facts = model_facts(document, file, member, outlines)
    except Refused as error:
        raise WorkbenchError(f"model_path: {part}: {error}") from None
    return facts, bundle


def _with_task(facts: Facts, notices: list[str]) -> Facts:
    """Return the facts with a task: a model of which nothing tells one answers as it is."""
    if facts.task is not None:
        return facts
    notices.append(
        f"It is not known what {facts.estimator} predicts, so its answers are given as they are, "
        "like those of a regression. If it is a classifier, let its class descend from "
        "ClassifierMixin and set classes_ in fit."
    )
    return replace(facts, task="regression")


def _about_code(facts: Facts, python: str) -> Iterator[str]:
    """Say why this Python was chosen, where the file holds code for it."""
    if facts.code_pythons is None:
        return
    yield (
        f"The file holds code that was pickled by Python {' or '.join(facts.code_pythons)}, and no "
        f"other can run it; so the service runs on Python {python}."
    )


def _named_by_bundle(facts: Facts, bundle: Bundle, notices: list[str]) -> Facts:
    """Return the facts with the names that lie beside the model in its file, if it has none."""
    if bundle.threshold is not None and facts.classes is not None and len(facts.classes) == 2:
        positive = json.dumps(facts.classes[1], ensure_ascii=False)
        notices.append(
            f"The model's file holds a threshold, {bundle.threshold}. If your app decides by it, "
            f'put "positive": {positive}, "threshold": {bundle.threshold} into the output of the '
            "features file."
        )
    names = bundle.names(facts.n_features)
    if facts.feature_names is not None or names is None:
        return facts
    notices.append(f"The features are named as in the model's file: {listing(names)}.")
    return replace(facts, feature_names=names)


def _about_the_model(facts: Facts, pinned: Pins, source: Part) -> dict[str, Any]:
    return {
        "task": facts.task,
        "classes": list(facts.classes) if facts.classes is not None else None,
        "estimator": describe(facts),
        # The classes of a raw booster that answers a number: the contract may ask for them.
        "binary": list(facts.binary) if facts.binary is not None else None,
        "outputs": facts.n_outputs,
        "probabilities": facts.has_probabilities,
        "input": _input(facts),
        "columns": list(facts.feature_names) if facts.feature_names is not None else None,
        "python": pinned.python,
        # Where the version is not known yet, verify writes that of the lock.
        "libraries": {
            **{imported_as(name): version for name, version in pinned.model.items()},
            **dict.fromkeys(pinned.unpinned),
        },
        "model": {
            "file": f"model{_suffix(source.path, facts)}",
            "member": facts.member,
            **transformers.loading(facts),
            "constant": facts.constant,
            "sha256": facts.sha256,
            "bytes": facts.size,
            "source": source.path.name,
        },
    }


def write(adoption: Adoption, project: Path) -> None:
    """Write what was decided into the project; recorded predictions go with their model."""
    model = adoption.manifest["model"]["file"]
    target = project / files.MODEL / model
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.resolve() != adoption.source.resolve():
        staged = target.with_name(f".{model}.new")
        shutil.copyfile(adoption.source, staged)
        staged.replace(target)
    for old in target.parent.glob("model.*"):
        if old != target:
            old.unlink()
    _write_transformers(adoption, project)
    for gone in (files.GOLDEN, files.EXPECTED, files.PROPOSED, files.CODE):
        (project / gone).unlink(missing_ok=True)
    for path, text in _texts(adoption, project).items():
        files.write(project / path, text)


def _write_transformers(adoption: Adoption, project: Path) -> None:
    """Copy the fitted files; they may come from the very folder that is replaced."""
    folder = project / files.MODEL / transformers.FOLDER
    contents = {name: source.read_bytes() for source, name in adoption.transformers.items()}
    if folder.exists():
        shutil.rmtree(folder)
    for name, content in contents.items():
        files.write(project / files.MODEL / name, content)


def _texts(adoption: Adoption, project: Path) -> dict[Path, str]:
    pinned = adoption.pins
    requirements = project / lock.SOURCE
    kept = requirements.read_text(encoding="utf-8") if requirements.exists() else ""
    texts = {files.CODE: adoption.code.text} if adoption.code is not None else {}
    if adoption.expected is not None:
        texts[files.EXPECTED] = files.dumps(adoption.expected)
    if adoption.proposed is not None:
        texts[files.PROPOSED] = files.dumps(adoption.proposed.document)
    return {
        **texts,
        files.FEATURES: files.dumps(adoption.contract.to_json()),
        files.MANIFEST: files.dumps(adoption.manifest),
        files.PYTHON_VERSION: f"{pinned.python}\n",
        lock.SOURCE: lock.requirements_in(pinned, kept, adoption.former),
        lock.LOCK: lock.unlocked(pinned.exact),
        lock.TEST_LOCK: lock.unlocked(f"{n}=={v}" for n, v in pinned.tests.items()),
    }


def _sample(answers: Answers) -> Sample | None:
    try:
        return read_sample(answers.sample) if answers.sample else None
    except WorkbenchError as error:
        raise WorkbenchError([f"sample_data: {problem}" for problem in error.problems]) from None


def _choose_python(facts: Facts, answers: Answers, previous: Mapping[str, Any] | None) -> str:
    """Return the Python that was asked for, or the newest that fits the model and runs here."""
    fitting = pythons(
        facts.libraries,
        facts.distributions,
        facts.numpy_major if facts.numpy_major == 2 else None,
        formats=facts.formats,
    )
    if facts.code_pythons is not None:
        fitting = _for_code(facts, fitting)
    wanted = answers.python_version
    if previous and previous["python"] in fitting:
        wanted = previous["python"]  # a retrain is no reason to move to another Python
    if wanted == "auto":
        return next((python for python in fitting if find_python(python)), fitting[0])
    if facts.code_pythons is not None and wanted not in facts.code_pythons:
        raise WorkbenchError(
            f"python_version: Python {wanted} cannot run the code in the file, which was pickled "
            f"by another; give {listing(fitting)} or auto."
        )
    if wanted not in fitting:
        raise WorkbenchError(
            f"python_version: the model was saved with {listing(_written_by(facts))}, which has no "
            f"wheels for Python {wanted}; give {listing(fitting)} or auto."
        )
    return wanted


def _for_code(facts: Facts, fitting: Sequence[str]) -> tuple[str, ...]:
    """Return the Pythons that can run the code in the file, too. Raises WorkbenchError."""
    able = tuple(python for python in fitting if python in (facts.code_pythons or ()))
    if not able:
        by = " or ".join(facts.code_pythons or ()) or "different versions"
        raise WorkbenchError(
            f"The model file holds code that was pickled by Python {by}, and no other can run it; "
            f"but {listing(_written_by(facts))} can only be installed with Python "
            f"{listing(fitting)}. Fit and save the model with one of these."
        )
    return able


def _others(facts: Facts) -> tuple[str, ...]:
    """Return the libraries that the user has vouched for."""
    return tuple(sorted(set(facts.distributions) - SUPPORTED))


def _pins(facts: Facts, python: str, pandas: bool) -> Pins:
    pinned = pins(
        facts.libraries,
        python,
        distributions=facts.distributions,
        pandas=pandas,
        numpy_major=facts.numpy_major,
        formats=facts.formats,
    )
    return replace(pinned, unpinned=tuple(n for n in _others(facts) if n not in pinned.model))


def _written_by(facts: Facts) -> list[str]:
    """Name the libraries as people do: scikit-learn 1.6.1, xgboost 2.0.3."""
    formats = [f"{name} (format {found})" for name, found in facts.formats.items()]
    return [f"{name} {version}" for name, version in facts.libraries.items()] + formats


def _input(facts: Facts) -> str:
    if facts.takes_texts:
        return "texts"
    return "frame" if facts.fitted_on_frame else "array"


def _suffix(path: Path, facts: Facts) -> str:
    suffix = path.suffix.lower()
    if re.fullmatch(r"\.[a-z0-9]{1,12}", suffix):
        return suffix
    return facts.suffix
