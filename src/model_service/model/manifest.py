"""model/manifest.json: the facts and decisions of an adoption, read once into typed objects.

Standard library only, because the tools read and write it too.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from model_service.columns.categories import ColumnCategories
from model_service.contract.contract import InputKind, Output
from model_service.contract.json_values import Row, Scalar
from model_service.contract.profile import Profile, read_profiles
from model_service.errors import ModelError
from model_service.model.manifest_checks import manifest_problems

# In the order in which they are written.
MEMBERS = """
    name title description version verified fast_path explanations task classes estimator binary
    outputs probabilities input columns python libraries model categories code transformers left_out
    sample derived examples profile
    """.split()
# What /metadata does not show: rows and statistics of the sample, and notes of the tools.
NOT_PUBLIC = frozenset(("binary", "examples", "derived", "left_out", "profile", "sample"))
MAX_SHOWN_PROBLEMS = 3

T = TypeVar("T")


def called(name: str) -> Any:
    """Declare a field whose member of manifest.json has another name."""
    return field(metadata={"member": name})


@dataclass(frozen=True, kw_only=True)
class About:
    """The name of the service, for people and in responses."""

    name: str  # the slug
    title: str
    description: str
    version: int  # counts the adoptions


@dataclass(frozen=True, kw_only=True)
class Task:
    """What the model predicts."""

    kind: str = called("task")  # classification, regression, clustering or outlier
    classes: tuple[Scalar, ...] | None
    # The two classes of a raw booster that predicts a number unless the contract asks for classes.
    binary: tuple[Scalar, ...] | None
    outputs: int  # the number of targets
    probabilities: bool  # whether the model has predict_proba


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The Python and the libraries that the model was verified with."""

    python: str
    libraries: Mapping[str, str | None]  # import name to version, None until it is locked


@dataclass(frozen=True, kw_only=True)
class FittedFile:
    """A file with a fitted object, and how it is loaded."""

    file: str  # relative to model/
    member: str | None = None  # of a dict or tuple in the file; a.b is member b of member a
    loader: str  # one of LOADERS in manifest_checks
    trusted: tuple[str, ...] | None = None  # names outside skops's own list; skops only
    sha256: str
    size: int = called("bytes")
    source: str  # the file's name before the adoption

    @property
    def reference(self) -> str:
        """The file and the member in it: pair.pkl#scaler."""
        return self.file if self.member is None else f"{self.file}#{self.member}"


@dataclass(frozen=True, kw_only=True)
class ModelFile(FittedFile):
    """The file of the model."""

    constant: int | None = None  # the position of a column of ones, as statsmodels adds it
    columns: tuple[str, ...] | None = None  # of the model, if transformers come before it


@dataclass(frozen=True, kw_only=True)
class TransformerFile(FittedFile):
    """The file of a transformer that is applied before the model."""

    estimator: str  # the name of its class


@dataclass(frozen=True, kw_only=True)
class CustomCode:
    """The author's own classes and functions: a file, or a folder of modules."""

    file: str
    sha256: str  # of the file, or the `digest` of the folder
    modules: Mapping[str, tuple[str, ...]]  # the names that the model file looks for, by module
    prepare: bool  # whether its prepare() makes the model's frame
    # In a folder: which module defines each of these names, and prepare.
    defined_in: Mapping[str, str] | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of modules."""
        return self.defined_in is not None

    @staticmethod
    def digest(files: Mapping[str, bytes]) -> str:
        """Return one SHA-256 for the files of a folder, by path below it."""
        whole = hashlib.sha256()
        for path, content in sorted(files.items()):
            whole.update(f"{path}\n{hashlib.sha256(content).hexdigest()}\n".encode())
        return whole.hexdigest()


@dataclass(frozen=True, kw_only=True)
class ServedBy:
    """Whether the fast path or the model's own methods serve, as verify decided."""

    path: str = called("serves")  # fast or native
    reason: str | None = None  # why it is native


@dataclass(frozen=True, kw_only=True)
class Explanations:
    """Whether there are explanations, as verify decided."""

    proven: bool = False
    reason: str | None = None  # why there are none
    file_sha256: str | None = None  # of explain.npz
    of: str | None = None  # what is explained: log-odds, score, probability, value, log or vote
    by: str | None = None  # linear, trees or mixed rows
    background: int | None = None  # rows that a row is compared with


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What manifest.json holds."""

    about: About
    task: Task
    environment: Environment
    model: ModelFile
    transformers: tuple[TransformerFile, ...]
    code: CustomCode | None
    estimator: str  # the model in words: Pipeline (StandardScaler, LogisticRegression)
    input: InputKind  # what the model was trained on
    columns: tuple[str, ...] | None  # the features' columns in the model's order, None: unnamed
    categories: Mapping[str, ColumnCategories]
    verified: bool
    served_by: ServedBy
    examples: Sequence[Row]  # rows that the model takes, as requests have them
    sample: str | None  # the file name of the sample
    derived: Mapping[str, Mapping[str, Any]]  # what adopt derived of each feature
    profiles: Mapping[str, Profile]
    explanations: Explanations = Explanations()
    left_out: tuple[str, ...] = ()  # fitted files that were beside the model, left out on purpose

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read a file. Raises ModelError."""
        restore = f"Restore it: git checkout -- {path}"
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            message = f"{path} is missing. Restore it from git, or run make adopt."
            raise ModelError(message) from None
        except (OSError, ValueError, RecursionError) as error:
            raise ModelError(f"{path} cannot be read: {error}. {restore}") from None
        if problems := list(manifest_problems(document)):
            shown = "; ".join(problems[:MAX_SHOWN_PROBLEMS])
            raise ModelError(f"{path}: {shown}. {restore}")
        try:
            return cls.from_json(document)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ModelError(f"{path} is not a manifest ({reason}). {restore}") from None

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Manifest:
        """Build it from its JSON. Raises KeyError, TypeError, ValueError or AttributeError."""
        return cls(
            about=_read(About, document),
            task=_read(Task, document),
            environment=_read(Environment, document),
            model=_read(ModelFile, document["model"]),
            transformers=tuple(_read(TransformerFile, e) for e in document["transformers"]),
            code=_read(CustomCode, document["code"]) if document["code"] is not None else None,
            estimator=document["estimator"],
            input=document["input"],
            columns=tuple(document["columns"]) if document["columns"] else None,
            categories={
                name: _read(ColumnCategories, entry)
                for name, entry in document["categories"].items()
            },
            verified=document["verified"],
            served_by=_read(ServedBy, document.get("fast_path") or {"serves": "native"}),
            explanations=_read(Explanations, document.get("explanations") or {"proven": False}),
            examples=document["examples"],
            sample=document["sample"],
            derived=document["derived"],
            profiles=read_profiles(document.get("profile")),
            left_out=tuple(document.get("left_out") or ()),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the content of manifest.json."""
        members = {
            **_written(self.about),
            **_written(self.task),
            **_written(self.environment),
            "model": _written(self.model, optional=("trusted", "columns")),
            "transformers": [_written(entry, optional=("trusted",)) for entry in self.transformers],
            "code": (
                _written(self.code, optional=("defined_in",)) if self.code is not None else None
            ),
            "estimator": self.estimator,
            "input": self.input,
            "columns": _lists(self.columns),
            "categories": {name: _written(entry) for name, entry in self.categories.items()},
            "verified": self.verified,
            "fast_path": _written(self.served_by, optional=("reason",)),
            "explanations": _written(
                self.explanations, optional=("reason", "file_sha256", "of", "by", "background")
            ),
            "examples": list(self.examples),
            "sample": self.sample,
            "derived": self.derived,
            "left_out": list(self.left_out) or None,
            "profile": [profile.to_json() for profile in self.profiles.values()] or None,
        }
        return {name: members[name] for name in MEMBERS}

    def public(self) -> dict[str, Any]:
        """Return what /metadata shows: no rows and no statistics of the sample."""
        return {name: value for name, value in self.to_json().items() if name not in NOT_PUBLIC}

    @property
    def serves_fast_path(self) -> bool:
        """Whether verify proved the fast path equal to the model's own methods."""
        return self.verified and self.served_by.path == "fast"

    @property
    def in_response(self) -> Mapping[str, str | int]:
        """The member `model` of a response of /predict."""
        return {"name": self.about.name, "version": self.about.version}

    @property
    def prepares(self) -> bool:
        """Whether the author's prepare() makes the model's frame from the features."""
        return self.code is not None and self.code.prepare

    def for_output(self, output: Output) -> Manifest:
        """Return the manifest with the task that the contract's output asks for.

        A raw booster that predicts a number predicts classes if the output names them.
        """
        task = self.task
        if task.binary is None or not output.asks_for_classes:
            return self
        asked = dataclasses.replace(
            task, kind="classification", classes=task.binary, probabilities=True
        )
        return dataclasses.replace(self, task=asked)

    def example(self, number: int = 0) -> Row:
        """Return a row that the model takes and that belongs to no person.

        Each of its values comes from another example.
        """
        rows = self.examples
        names = enumerate(rows[0], start=number)
        return {name: rows[place % len(rows)][name] for place, name in names}


def _read(cls: Callable[..., T], entry: Mapping[str, Any]) -> T:
    """Build a dataclass from the members of a JSON object. Raises TypeError if one is missing."""
    found = {name: declared.name for name, declared in _members(cls) if name in entry}
    return cls(**{field_name: _tuples(entry[name]) for name, field_name in found.items()})


def _written(value: Any, optional: Sequence[str] = ()) -> dict[str, Any]:
    """Return the members of a dataclass; those that are `optional` only if they have a value."""
    members = {name: _lists(getattr(value, declared.name)) for name, declared in _members(value)}
    return {k: v for k, v in members.items() if v is not None or k not in optional}


def _members(dataclass_or_instance: Any) -> Iterator[tuple[str, dataclasses.Field[Any]]]:
    for declared in dataclasses.fields(dataclass_or_instance):
        yield declared.metadata.get("member", declared.name), declared


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_tuples, value))
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return value


def _lists(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(map(_lists, value))
    if isinstance(value, Mapping):
        return {key: _lists(inner) for key, inner in value.items()}
    return value
