"""Answer the questions from an MLflow model folder: its MLmodel, input example and requirements.

https://mlflow.org/docs/latest/ml/model/ describes them. `model_path` is the folder, its MLmodel, or
the model file in it. What the user answers wins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from workbench.adopt.answers import Answers, Signature
from workbench.adopt.csv.csv_table import read_text
from workbench.adopt.problems import AnswerError, Notes, Problem
from workbench.adopt.yaml_subset import NotInSubset, Yaml, parse_yaml
from workbench.errors import UserError

DESCRIPTION = "MLmodel"
# The flavours that are served, and their entries that name the model file.
FILES: Mapping[str, str] = {
    "sklearn": "pickled_model",
    "xgboost": "data",
    "lightgbm": "data",
    "catboost": "data",
}
VERSIONS: Mapping[str, tuple[str, str]] = {  # the entry with the version of each library
    "sklearn": ("scikit-learn", "sklearn_version"),
    "xgboost": ("xgboost", "xgb_version"),
    "lightgbm": ("lightgbm", "lgb_version"),
    "catboost": ("catboost", "catboost_version"),
}
OTHERS: Mapping[str, str] = {
    "fastai": "fastai",
    "h2o": "H2O",
    "keras": "Keras",
    "langchain": "LangChain",
    "onnx": "ONNX",
    "paddle": "Paddle",
    "pmdarima": "pmdarima",
    "prophet": "Prophet",
    "pytorch": "PyTorch",
    "sentence_transformers": "sentence-transformers",
    "spacy": "spaCy",
    "spark": "Spark",
    "statsmodels": "statsmodels",
    "tensorflow": "TensorFlow",
    "transformers": "Transformers",
}
TYPES: Mapping[str, str] = {
    "boolean": "boolean",
    "datetime": "date",
    "double": "number",
    "float": "number",
    "integer": "integer",
    "long": "integer",
    "string": "category",
}
_PIN = re.compile(r"^\s*([A-Za-z0-9._-]+)\s*===?\s*([^\s;#,\\*]+)\s*(?:[;#].*)?$", re.MULTILINE)


class _NotDescribed(Exception):
    """The MLmodel does not describe a model that is served: `reason` is a sentence."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason} {advice}")
        self.reason = reason


def with_mlflow_folder(answers: Answers) -> tuple[Answers, Notes]:
    """Return the answers with those of an MLflow folder in the place of missing ones, and notes.

    A model file that is answered by itself needs no description. Raises AnswerError for a folder
    whose model is not served.
    """
    folder = _folder_of(answers)
    if folder is None:
        return answers, ()
    path = answers.model.path
    try:
        return _described(answers, folder), ()
    except _NotDescribed as error:
        if path.is_dir() or path.name == DESCRIPTION:
            raise AnswerError(Problem("model_path", str(error))) from None
        return answers, (f"{error.reason} {path.name} was adopted without its {DESCRIPTION}.",)


def _described(answers: Answers, folder: Path) -> Answers:
    """Return the answers with those of the folder. Raises AnswerError and _NotDescribed."""
    description = _description(folder)
    flavor, entries = _flavor(folder, description)
    path = _model_file(folder, flavor, entries)
    if answers.model.path.is_file() and answers.model.path.name not in (DESCRIPTION, path.name):
        return answers  # another file in the folder
    typed = Path(answers.model_path.strip())
    typed = typed if answers.model.path.is_dir() else typed.parent
    example = None if answers.sample_data.strip() else _example(folder, description)
    return replace(
        answers,
        model_path=str(typed / path.name) if answers.model.member is None else answers.model_path,
        sample_data=str(typed / example) if example else answers.sample_data,
        signature=Signature(
            features=() if answers.features.strip() else tuple(_features(folder, description)),
            of_classifier=str(entries.get("model_class")).endswith(".XGBClassifier"),
            versions=dict(_versions(folder, flavor, entries)),
        ),
    )


def _description(folder: Path) -> Mapping[str, Yaml]:
    """Read the MLmodel. Raises _NotDescribed."""
    try:
        return parse_yaml(read_text(folder / DESCRIPTION))
    except (NotInSubset, UserError) as error:
        reason = f"{folder / DESCRIPTION} cannot be read: {error}."
        raise _NotDescribed(reason, "Give the model file in its folder.") from None


def _folder_of(answers: Answers) -> Path | None:
    """Return the MLflow folder that the model's path is, or is in."""
    path = answers.model.path
    folder = path if path.is_dir() else path.parent
    return folder if answers.model_path.strip() and (folder / DESCRIPTION).is_file() else None


def _flavor(folder: Path, description: Mapping[str, Yaml]) -> tuple[str, Mapping[str, Yaml]]:
    """Return the flavour that is served, with its entries. Raises _NotDescribed."""
    flavors = description.get("flavors")
    flavors = flavors if isinstance(flavors, dict) else {}
    for name in FILES:
        if isinstance(entries := flavors.get(name), dict):
            return name, entries
    served = "MLflow's flavours sklearn, xgboost, lightgbm and catboost are served."
    named = [library for flavor, library in OTHERS.items() if flavor in flavors]
    others = sorted(set(flavors) - {"python_function"})
    if named or others:
        library = named[0] if named else others[0]
        reason = f"{folder} is an MLflow model of {library}, which is not served."
        raise _NotDescribed(reason, served)
    raise _NotDescribed(
        f"{folder} is an MLflow model whose predict method is code of your own "
        "(mlflow.pyfunc.PythonModel), which only MLflow runs.",
        f"{served} Save the fitted model in it by itself, and give that.",
    )


def _model_file(folder: Path, flavor: str, entries: Mapping[str, Yaml]) -> Path:
    """Return the model file that the flavour names. Raises _NotDescribed."""
    name = entries.get(FILES[flavor])
    plain = isinstance(name, str) and PurePosixPath(name).name == name
    if not isinstance(name, str) or not plain or not (folder / name).is_file():
        raise _NotDescribed(
            f"{folder / DESCRIPTION} names the model file {name}, which is not in that folder.",
            "Give the path of the model file.",
        )
    return folder / name


def _versions(folder: Path, flavor: str, entries: Mapping[str, Yaml]) -> Iterator[tuple[str, str]]:
    """Yield the versions that requirements.txt and the flavour name, the latter last."""
    path = folder / "requirements.txt"
    if path.is_file():
        yield from _PIN.findall(read_text(path))
    distribution, entry = VERSIONS[flavor]
    if isinstance(version := entries.get(entry), str):
        yield distribution, version


def _features(folder: Path, description: Mapping[str, Yaml]) -> Iterator[Mapping[str, Any]]:
    """Yield the columns of the signature as features; a tensor has no names. Raises AnswerError."""
    signature = description.get("signature")
    inputs = signature.get("inputs") if isinstance(signature, dict) else None
    if not isinstance(inputs, str):
        return
    try:
        columns = json.loads(inputs)
    except ValueError:
        message = f"{folder / DESCRIPTION} has a signature that is no JSON; answer features=."
        raise AnswerError(Problem("features", message)) from None
    for column in columns if isinstance(columns, list) else ():
        name = column.get("name") if isinstance(column, dict) else None
        if not isinstance(name, str):
            return
        kind = column.get("type")
        if kind not in TYPES:
            message = (
                f"{folder / DESCRIPTION}: the column {name} is of MLflow's type {kind}, which is "
                f"not served; the types are {', '.join(TYPES)}."
            )
            raise AnswerError(Problem("features", message))
        optional = column.get("required") is False
        yield {"name": name, "type": TYPES[kind], **({"nullable": True} if optional else {})}


def _example(folder: Path, description: Mapping[str, Yaml]) -> str | None:
    """Return the name of the input example if it is a table with named columns."""
    info = description.get("saved_input_example_info")
    if not isinstance(info, dict) or info.get("type") != "dataframe":
        return None
    name = info.get("artifact_path")
    plain = isinstance(name, str) and PurePosixPath(name).name == name
    return name if isinstance(name, str) and plain and (folder / name).is_file() else None
