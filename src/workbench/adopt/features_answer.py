"""The features answer: names, or a file of names, of features, or of a whole contract."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_service.contract.contract import ContractError, Examples, Transformer
from model_service.contract.schema import parse_contract, parse_feature
from model_service.contract.typed_text import is_number
from workbench import files
from workbench.adopt.answers import PICKLES, Answers, Signature, is_file, split_names
from workbench.adopt.csv.csv_table import read_header, read_text
from workbench.adopt.missing_file import FEATURE_FILES, missing_file
from workbench.adopt.problems import AnswerError, Problem, concerning
from workbench.errors import listing
from workbench.inspect import RefusedFile, read_document, texts_in


@dataclass(frozen=True)
class FeaturesAnswer:
    """What the user declares about the features: any of the fields of each."""

    features: tuple[Mapping[str, Any], ...] = ()
    output: Mapping[str, Any] | None = None
    transformers: tuple[Transformer, ...] = ()
    service: Mapping[str, Any] | None = None
    folder: Path = Path()  # paths of the transformers are relative to it
    examples: Examples = "mixed"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(feature["name"] for feature in self.features)


def read_features(answers: Answers) -> FeaturesAnswer:
    """Read the features answer: a file, or names. Raises AnswerError."""
    answer = answers.features.strip()
    if answers.features_document is not None:
        return _from_json(answers.features_document, answers.folder / files.PROPOSED.name)
    if not answer:
        signature = answers.signature or Signature()
        return FeaturesAnswer(signature.features)
    path = answers.path(answer)
    if is_file(path):
        with concerning("features"):
            return _from_file(path)
    looks_like_file = path.suffix.lower() in FEATURE_FILES or answer.startswith((".", "~", "/"))
    if looks_like_file and "," not in answer:
        raise AnswerError(missing_file(answers, "features", answer))
    return _from_names(split_names(answer), "features")


def _from_file(path: Path) -> FeaturesAnswer:
    if path.suffix.lower() in PICKLES:
        return _from_names(_pickled_names(path), str(path))
    text = read_text(path)
    if text.lstrip()[:1] in ("[", "{"):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            message = f"{path} is not valid JSON: {error}."
            raise AnswerError(Problem("features", message)) from None
        return _from_json(document, path)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if _is_header(lines, path.suffix.lower() == ".csv"):
        return _from_names(tuple(read_header(path)), str(path))
    return _from_names(tuple(lines), str(path))


def _pickled_names(path: Path) -> tuple[str, ...]:
    """Return the names in a pickled list, which often accompanies a model."""
    try:
        names = texts_in(read_document(path).root)
    except RefusedFile as error:
        raise AnswerError(Problem("features", f"{path}: {error}")) from None
    if names is None:
        message = f"{path} holds no list of names; give names, or a text file."
        raise AnswerError(Problem("features", message))
    return names


def _is_header(lines: list[str], is_csv: bool) -> bool:
    """Return whether a file is a CSV with a header, not a list with one name a line."""
    if not is_csv:
        return len(lines) == 1 and "," in lines[0]
    is_list = len(lines) > 1 and not any(mark in line for line in lines for mark in ",;\t|")
    return not is_list or any(is_number(line) for line in lines)


def texts_of_json(document: object) -> tuple[str, ...] | None:
    """Return a list of texts, also the only one in an object: {"data_columns": ["area", …]}."""
    if isinstance(document, dict):
        lists = [value for value in document.values() if isinstance(value, list)]
        document = lists[0] if len(lists) == 1 and "features" not in document else None
    is_list = isinstance(document, list) and all(isinstance(item, str) for item in document)
    return tuple(document) if is_list and document else None  # type: ignore[arg-type]


def _from_json(document: object, path: Path) -> FeaturesAnswer:
    """Read a list of names, of features or of both, or a contract."""
    if (names := texts_of_json(document)) is not None:
        return _from_names(names, str(path))
    output: Mapping[str, Any] | None = None
    transformers: tuple[Transformer, ...] = ()
    examples: Examples = "mixed"
    service: Mapping[str, Any] | None = None
    if isinstance(document, dict):
        if isinstance(document.get("features"), list):
            features = [{"name": e} if isinstance(e, str) else e for e in document["features"]]
            document = {**document, "features": features}
        try:
            contract = parse_contract(document)
        except ContractError as error:
            raise AnswerError(
                [Problem("features", f"{path}: {problem}.") for problem in error.problems]
            ) from None
        output, transformers = contract.output.to_json(), contract.transformers
        examples = contract.examples
        service = contract.service.to_json()
        document = document["features"]
    entries: list[Mapping[str, Any]] = []
    problems: list[Problem] = []
    for number, entry in enumerate(document if isinstance(document, list) else [], start=1):
        feature = {"name": entry} if isinstance(entry, str) else entry
        try:
            parse_feature(feature)
        except ContractError as error:
            problems += [
                Problem("features", f"{path}: feature {number}: {problem}.")
                for problem in error.problems
            ]
        else:
            entries.append(feature)
    if problems:
        raise AnswerError(problems)
    _check_names([entry["name"] for entry in entries], str(path))
    return FeaturesAnswer(tuple(entries), output, transformers, service, path.parent, examples)


def _from_names(names: tuple[str, ...], source: str) -> FeaturesAnswer:
    _check_names(names, source)
    return FeaturesAnswer(tuple({"name": name} for name in names))


def _check_names(names: Sequence[str], source: str) -> None:
    if not names or "" in names:
        message = f"{source} has an empty name; each feature needs one."
        raise AnswerError(Problem("features", message))
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        message = f"{source} names {listing(repeated)} more than once."
        raise AnswerError(Problem("features", message))
