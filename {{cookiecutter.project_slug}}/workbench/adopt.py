"""Adopt: take a model file into the project. Inspect, decide, write `model/` and the pins.

Standard library only, no clock, no randomness, no network: the same inputs write the same bytes.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.contract import (
    Contract,
    ContractError,
    Feature,
    Row,
    did_you_mean,
    json_text,
    parse_contract,
)
from workbench import project as files
from workbench.answers import Answers, FeaturesAnswer, read_features
from workbench.environment import find_python
from workbench.inspect import Facts, Refused, inspect
from workbench.lock import requirements_in, unlocked
from workbench.messages import WorkbenchError, listing
from workbench.pins import NoPins, Pins, pins, pythons
from workbench.sample import BOOLEANS, EXAMPLES, MISSING, ColumnFacts, Sample, read_sample

# What the pins know about. Everything else that a model file refers to is refused by name.
SUPPORTED = {"scikit-learn", "numpy", "scipy", "pandas", "joblib", "threadpoolctl"}
_NOTHING = object()
VECTORIZERS = "sklearn.feature_extraction.text."


@dataclass(frozen=True)
class Adoption:
    """All that was decided; nothing is written yet."""

    source: Path
    facts: Facts
    contract: Contract
    manifest: dict[str, Any]
    pins: Pins
    python: Path | None
    notices: tuple[str, ...]

    def summary(self) -> str:
        """Name what was adopted, in two lines."""
        known = f"{self.facts.task}"
        if self.facts.classes:
            known += f" into {listing([json_text(c) for c in self.facts.classes])}"
        libraries = f"scikit-learn {self.pins.model['scikit-learn']}, Python {self.pins.python}"
        return (
            f"Adopted {describe(self.facts)} from {self.source}:\n"
            f"{known}, {len(self.contract.features)} features, {libraries}."
        )


def describe(facts: Facts) -> str:
    """Name the estimator as people do: Pipeline (ColumnTransformer, LogisticRegression)."""
    root = facts.class_name.rsplit(".", 1)[-1]
    steps = [step.class_name.rsplit(".", 1)[-1] for step in facts.steps]
    return f"{root} ({', '.join(steps)})" if steps else root


def decide(answers: Answers, previous: Mapping[str, Any] | None = None) -> Adoption:
    """Decide everything about an adoption. Raises WorkbenchError with all problems.

    `previous` is the manifest of the model that is replaced, if there is one: what the workbench
    itself wrote into features.json then is no declaration of the user's.
    """
    try:
        facts = inspect(answers.model)
    except Refused as error:
        raise WorkbenchError(f"model_path: {answers.model}: {error}") from None
    answer = read_features(answers)
    sample = _sample(answers)
    problems = [*_outside(facts, answers), *_not_yet(facts, answers)]
    notices = list(facts.notices)
    python, executable = None, None
    pinned: Pins | None = None
    try:
        python, executable = _choose_python(facts, answers, previous)
        pinned = pins(
            facts.libraries.get("scikit-learn", ""),
            python,
            pandas=facts.feature_names is not None or "pandas" in facts.distributions,
            numpy_major=facts.numpy_major,
        )
    except (NoPins, WorkbenchError) as error:
        problems.append(str(error))
    try:
        entries = _features(facts, answer, sample, notices)
        contract = _contract(entries, answer)
        examples = _examples(contract, sample, previous)
    except WorkbenchError as error:
        raise WorkbenchError([*problems, *error.problems]) from None
    if problems or pinned is None:
        raise WorkbenchError(problems)
    own = previous["derived"] if previous else {}
    derived = {
        key: _derived(contract, answer, key, own.get(key, {})) for key in ("nullable", "strict")
    }
    if _is_text(facts):
        derived = {key: {} for key in derived}
    manifest = {
        "name": answers.project_slug,
        "title": answers.project_name,
        "description": answers.description,
        "version": (previous["version"] + 1) if previous else 1,
        "verified": False,
        "task": facts.task,
        "classes": list(facts.classes) if facts.classes is not None else None,
        "estimator": describe(facts),
        "probabilities": facts.has_probabilities,
        "input": _input(facts),
        "columns": list(facts.feature_names) if facts.feature_names is not None else None,
        "python": pinned.python,
        "libraries": dict(pinned.model),
        "model": {
            "file": f"model{_suffix(answers.model, facts)}",
            "sha256": facts.sha256,
            "bytes": facts.size,
            "source": answers.model.name,
        },
        "transformers": [],
        "sample": answers.sample.name if answers.sample else (previous or {}).get("sample"),
        "derived": derived,
        "examples": examples,
    }
    return Adoption(answers.model, facts, contract, manifest, pinned, executable, tuple(notices))


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
    (project / files.GOLDEN).unlink(missing_ok=True)
    for path, text in _texts(adoption, project).items():
        files.write(project / path, text)


def _texts(adoption: Adoption, project: Path) -> dict[Path, str]:
    pinned = adoption.pins
    requirements = project / "requirements.in"
    kept = requirements.read_text(encoding="utf-8") if requirements.exists() else ""
    return {
        files.FEATURES: files.dumps(adoption.contract.to_json()),
        files.MANIFEST: files.dumps(adoption.manifest),
        files.PYTHON_VERSION: f"{pinned.python}\n",
        Path("requirements.in"): requirements_in(pinned, kept),
        Path("requirements.txt"): unlocked({**pinned.model, **pinned.service}),
        Path("requirements-test.txt"): unlocked(pinned.tests),
    }


def _sample(answers: Answers) -> Sample | None:
    try:
        return read_sample(answers.sample) if answers.sample else None
    except WorkbenchError as error:
        raise WorkbenchError([f"sample_data: {problem}" for problem in error.problems]) from None


def _outside(facts: Facts, answers: Answers) -> Iterator[str]:
    """Say which names the file refers to that nobody vouches for."""
    unknown = [name for name in facts.unknown_names if name not in answers.trusted]
    if unknown:
        yield (
            f"The model file refers to {listing(unknown)}, outside the libraries that are known "
            f"to be harmless. If you trust {'them' if len(unknown) > 1 else 'it'}, answer "
            f"trust={','.join(unknown)}"
        )
    foreign = sorted(set(facts.distributions) - SUPPORTED)
    if foreign:
        yield (
            f"The model needs {listing(foreign)}, which cannot be served yet; "
            "give a model made of scikit-learn estimators."
        )


def _not_yet(facts: Facts, answers: Answers) -> Iterator[str]:
    if facts.custom_names:
        yield (
            f"The model file refers to {listing(facts.custom_names)}, defined in a script or "
            "notebook. Code of your own cannot be served yet; use scikit-learn's own classes."
        )
    for name in ("transformers", "model_code"):
        if getattr(answers, name).strip():
            yield f"{name} cannot be used yet; put all steps into one Pipeline and leave it empty."
    if "#" in answers.model_path and not answers.model.exists():
        yield "model_path: a member of a file cannot be named yet; save the model on its own."
    if facts.n_outputs > 1:
        yield "The model predicts several targets at once, which cannot be served yet."
    if facts.task is None:
        yield f"It is not known what {facts.estimator} predicts, so it cannot be served."


def _choose_python(
    facts: Facts, answers: Answers, previous: Mapping[str, Any] | None
) -> tuple[str, Path | None]:
    """Return the version, and an interpreter of it if one runs here."""
    version = facts.libraries.get("scikit-learn")
    if version is None:
        raise WorkbenchError(
            "The model file does not say which scikit-learn wrote it; save it anew."
        )
    fitting = pythons(version, facts.numpy_major if facts.numpy_major == 2 else None)
    if previous and previous["python"] in fitting:
        # A retrain is no reason to move to another Python.
        return previous["python"], find_python(previous["python"])
    if answers.python_version == "auto":
        for python in fitting:
            if executable := find_python(python):
                return python, executable
        return fitting[0], None
    if answers.python_version not in fitting:
        raise WorkbenchError(
            f"python_version: the model was saved with scikit-learn {version}, which has no "
            f"wheels for Python {answers.python_version}; give {listing(fitting)} or auto."
        )
    return answers.python_version, find_python(answers.python_version)


def _is_text(facts: Facts) -> bool:
    first = facts.steps[0].class_name if facts.steps else facts.class_name
    return first.startswith(VECTORIZERS)


def _input(facts: Facts) -> str:
    if _is_text(facts):
        return "texts"
    return "frame" if facts.feature_names is not None else "array"


def _suffix(path: Path, facts: Facts) -> str:
    suffix = path.suffix.lower()
    if re.fullmatch(r"\.[a-z0-9]{1,12}", suffix):
        return suffix
    return ".joblib" if facts.container == "joblib" else ".pkl"


def _features(
    facts: Facts, answer: FeaturesAnswer, sample: Sample | None, notices: list[str]
) -> list[dict[str, Any]]:
    """Return features.json's entries: the answer wins over the model, the model over the sample."""
    if _is_text(facts):
        return _text_feature(answer)
    given = list(answer.features)
    if not given:
        names = facts.feature_names
        if names is None and sample is not None:
            names = tuple(sample.columns)
        if names is None:
            raise WorkbenchError(
                f"The model takes {_count(facts)} and their names are not in the file; "
                "answer features= with the names in the order of training, or give sample_data."
            )
        given = [{"name": name} for name in names]
    given = _in_model_order(given, facts, sample, notices)
    if sample is None:
        return [{"type": "number", "nullable": False, **entry} for entry in given]
    absent = [e["name"] for e in given if e["name"] not in sample.columns]
    if absent:
        raise WorkbenchError(
            [
                f"sample_data: {sample.path.name} has no column {name!r}"
                f"{did_you_mean(name, sample.columns)}"
                for name in absent[:20]
            ]
        )
    return [{**_from_sample(sample.columns[e["name"]], e), **e} for e in given]


def _count(facts: Facts) -> str:
    number = facts.n_features
    return "an unknown number of features" if number is None else _plural(number, "feature")


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _text_feature(answer: FeaturesAnswer) -> list[dict[str, Any]]:
    if len(answer.features) > 1:
        raise WorkbenchError(
            f"features: the model takes one text, and {len(answer.features)} features are named "
            f"({listing(answer.names)}); name one."
        )
    entry = dict(answer.features[0]) if answer.features else {"name": "text"}
    return [{**entry, "type": "text", "nullable": False}]


def _model_columns(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        column
        for entry in entries
        for column in (entry["one_hot"].values() if entry.get("one_hot") else [entry["name"]])
    ]


def _in_model_order(
    given: list[Mapping[str, Any]], facts: Facts, sample: Sample | None, notices: list[str]
) -> list[Mapping[str, Any]]:
    """Check the names against the model; accept another order if the model knows the names."""
    columns = _model_columns(given)
    expected = facts.feature_names
    if expected is None:
        if facts.n_features is not None and len(columns) != facts.n_features:
            raise WorkbenchError(_wrong_number(columns, facts, sample))
        return given
    left = [name for name in expected if name not in columns]
    problems = [
        f"features: the model has no feature {name!r}{did_you_mean(name, left)}"
        for name in columns
        if name not in expected
    ]
    problems += [f"features: {name!r} is missing; the model was trained on it." for name in left]
    if problems:
        if len(columns) > len(expected):
            problems.append(f"features: {_wrong_number(columns, facts, sample)}")
        raise WorkbenchError(problems)
    if columns == list(expected):
        return given
    place = {name: number for number, name in enumerate(expected)}
    notices.append("The features are in another order than the model's; the model's is kept.")
    return sorted(given, key=lambda entry: place[_model_columns([entry])[0]])


def _wrong_number(columns: Sequence[str], facts: Facts, sample: Sample | None) -> str:
    message = f"The model takes {_count(facts)}, and {len(columns)} are named ({listing(columns)})."
    target = _likely_target(columns, facts, sample)
    if target is not None:
        rest = [name for name in columns if name != target]
        message += f" {target!r} looks like the target: answer features={_as_answer(rest)}"
    else:
        message += " Answer features= with the names in the order of training."
    return message


def _as_answer(names: Sequence[str]) -> str:
    return ",".join(f'"{name}"' if "," in name else name for name in names)


def _likely_target(columns: Sequence[str], facts: Facts, sample: Sample | None) -> str | None:
    """Guess which column the model predicts: its cells are the classes, or it stands at an end."""
    if facts.n_features is None or len(columns) != facts.n_features + 1:
        return None
    if facts.feature_names is not None:
        return next((name for name in columns if name not in facts.feature_names), None)
    if sample is not None and facts.classes:
        classes = {json_text(c) for c in facts.classes}
        classes |= {f"{c}.0" for c in classes} | {c.capitalize() for c in classes}
        of_classes = [
            n for n in columns if n in sample.columns and sample.columns[n].distinct <= classes
        ]
        if len(of_classes) == 1:
            return of_classes[0]
    known = re.compile(r"(y|target|label|class|outcome|.*status|.*_?target)", re.I)
    return next((n for n in columns if known.fullmatch(n)), columns[-1])


def _from_sample(column: ColumnFacts, entry: Mapping[str, Any]) -> dict[str, Any]:
    kind = entry.get("type") or ("category" if entry.get("categories") else column.type)
    derived: dict[str, Any] = {"type": kind, "nullable": column.missing > 0}
    if kind in ("number", "integer") and column.numeric and column.minimum <= column.maximum:
        derived["minimum"] = _whole(column.minimum)
        derived["maximum"] = _whole(column.maximum)
    if kind == "category":
        derived["categories"] = column.categories
    return derived


def _whole(number: float) -> float:
    return int(number) if number == int(number) else number


def _contract(entries: list[dict[str, Any]], answer: FeaturesAnswer) -> Contract:
    document: dict[str, Any] = {"features": entries}
    if answer.output is not None:
        document["output"] = answer.output
    try:
        return parse_contract(document)
    except ContractError as error:
        raise WorkbenchError([f"features: {problem}" for problem in error.problems]) from None


def _derived(
    contract: Contract, answer: FeaturesAnswer, key: str, own: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the values that nobody declared: the first verify corrects them from the model."""
    declared = {
        entry["name"]
        for entry in answer.features
        if key in entry and own.get(entry["name"], _NOTHING) != entry[key]
    }
    return {
        feature.name: getattr(feature, key)
        for feature in contract.features
        if feature.name not in declared and (key != "strict" or _may_be_open(feature))
    }


def _may_be_open(feature: Feature) -> bool:
    return bool(feature.categories) and not feature.encode and not feature.one_hot


def _examples(
    contract: Contract, sample: Sample | None, previous: Mapping[str, Any] | None
) -> list[Row]:
    """Return rows that the contract takes: of the sample, of the model before, or made up."""
    if sample is not None:
        by_name = {feature.name: feature for feature in contract.features}
        cells = [
            {name: from_cell(by_name[name], row.get(name, "")) for name in by_name}
            for row in sample.examples
        ]
        parsed = [contract.parse_rows([row]) for row in cells]
        rows = [row for row, (_, problems) in zip(cells, parsed, strict=True) if not problems]
        if not rows:
            problem = parsed[0][1][0]
            raise WorkbenchError(
                f"sample_data: no row of {sample.path.name} fits the features; in the first one "
                f"{problem.feature} {problem.message}."
            )
        return rows[:: max(1, len(rows) // EXAMPLES)][:EXAMPLES]
    kept = previous["examples"] if previous else []
    kept = [row for row in kept if not contract.parse_rows([row])[1]]
    return kept or [{f.name: made_up(f, n) for f in contract.features} for n in range(3)]


def from_cell(feature: Feature, cell: str) -> Any:
    """Return a cell of the sample as a request would have it."""
    if cell in MISSING:
        return None
    if feature.type in ("number", "integer"):
        try:
            return _whole(float(cell))
        except (ValueError, OverflowError):
            return cell
    if feature.type == "boolean":
        return BOOLEANS.get(cell, {"1": True, "0": False}.get(cell, cell))
    if feature.type == "category":
        return next((c for c in feature.categories or () if json_text(c) == cell), cell)
    return cell


def made_up(feature: Feature, number: int) -> Any:
    """Return the number-th plausible value of a feature of which no row is known."""
    if feature.default is not None and number == 0:
        return feature.default
    if feature.categories is not None:
        return feature.categories[number % len(feature.categories)]
    if feature.type in ("number", "integer"):
        low = feature.minimum if feature.minimum is not None else 0
        high = feature.maximum if feature.maximum is not None else low + 2
        return _whole(float(low + (high - low) * number // 2))
    simple = {"boolean": number % 2 == 0, "date": f"2024-0{number + 1}-15"}
    return simple.get(feature.type, ["some text", "another text", "more text"][number % 3])
