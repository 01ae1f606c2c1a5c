"""The adopted model: the only module that unpickles. Validated rows in, predictions out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

import joblib

from model_service.columns import categories
from model_service.columns.frames import InputKind, model_input
from model_service.columns.transformers import Stage, final_input, stages
from model_service.contract.contract import (
    Column,
    Contract,
    ContractError,
    Output,
    Row,
    Scalar,
    Table,
    check_categories,
    check_output,
    read_contract,
)
from model_service.contract.golden import RELATIVE_TOLERANCE, Golden, GoldenError, read_golden
from model_service.contract.profile import Profile, read_profiles
from model_service.errors import StartError
from model_service.fast_path import FastPath, NotCompiled, compile_fast_path
from model_service.model import adapters, custom_code, predictions
from model_service.model.predictions import Prediction
from model_service.model.statsmodels_adapter import StatsmodelsAdapter

logger = logging.getLogger(__name__)


class ModelError(StartError):
    """The model must not serve; the message says why and what to do, in one line."""


@dataclass(frozen=True)
class Manifest:
    """What the service needs of model/manifest.json; `document` is all of it."""

    name: str
    title: str
    description: str
    version: int
    verified: bool
    task: str
    probabilities: bool
    input: InputKind
    columns: tuple[str, ...] | None
    categories: Mapping[str, categories.Categories]
    python: str
    libraries: Mapping[str, str | None]
    file: str
    sha256: str
    member: str | None
    model_columns: tuple[str, ...] | None
    transformers: Sequence[Mapping[str, Any]]
    code: Mapping[str, Any] | None
    classes: Sequence[Scalar] | None
    binary: Sequence[Scalar] | None
    outputs: int
    examples: list[Row]
    profiles: Mapping[str, Profile]
    plan: Mapping[str, str]
    document: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read the manifest. Raises ModelError."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                name=document["name"],
                title=document["title"],
                description=document["description"],
                version=document["version"],
                verified=document["verified"],
                task=document["task"],
                probabilities=document["probabilities"],
                input=document["input"],
                columns=tuple(document["columns"]) if document["columns"] else None,
                categories=categories.read(document["categories"]),
                python=document["python"],
                libraries=document["libraries"],
                file=document["model"]["file"],
                sha256=document["model"]["sha256"],
                member=document["model"].get("member"),
                model_columns=tuple(document["model"].get("columns") or ()) or None,
                transformers=document["transformers"],
                code=document["code"],
                classes=document["classes"],
                binary=document["binary"],
                outputs=document["outputs"],
                examples=document["examples"],
                profiles=read_profiles(document.get("profile")),
                plan=document.get("plan") or {"serves": "native"},
                document=document,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ModelError(f"{path} is not a manifest ({reason}); run make adopt.") from None

    @cached_property
    def about(self) -> Mapping[str, str | int]:
        """The model in an answer of /predict."""
        return {"name": self.name, "version": self.version}

    def as_asked(self, output: Output) -> Manifest:
        """Return what the model does for this output: a raw booster may be asked for classes."""
        if self.binary is None or not output.asks_for_classes:
            return self
        return dataclasses.replace(
            self, task="classification", classes=self.binary, probabilities=True
        )

    def example(self, number: int = 0) -> Row:
        """Return a row that the model takes and that is nobody's: each value from another row."""
        rows = self.examples
        names = enumerate(rows[0], start=number)
        return {name: rows[place % len(rows)][name] for place, name in names}

    def public(self) -> dict[str, Any]:
        """Return what /metadata shows: all but the sample and the workbench's own notes."""
        hidden = ("binary", "examples", "derived", "profile", "sample")
        shown = {key: value for key, value in self.document.items() if key not in hidden}
        answered = ("task", "classes", "probabilities")
        return shown | {key: getattr(self, key) for key in answered}


# From a frame of features to the frame that the model was trained on.
Prepare = Callable[[Any], Any]


class Model:
    """A loaded model and what is known about it.

    Where it has a plan, the plan answers; where the plan cannot, the model's own methods do.
    """

    def __init__(
        self,
        estimator: Any,
        contract: Contract,
        manifest: Manifest,
        golden: Golden | None = None,
        prepare: Prepare | None = None,
        stages: Sequence[Stage] = (),
        plan: FastPath | None = None,
    ) -> None:
        self.contract, self.manifest, self.golden = contract, manifest, golden
        self.estimator, self.prepare, self.stages = estimator, prepare, stages
        self.plan = plan
        self._threads = threading.local()

    def predict(self, rows: Sequence[Row]) -> Sequence[Prediction]:
        """Predict validated rows; one answer a row, in the shape of /predict.

        Rows that are kept by feature get answers that are kept by what they say.
        """
        if not rows:
            return []
        if self.plan is not None:
            # What a plan raises is no error of the rows: the model's own methods say if there is.
            with suppress(Exception):
                return self.by_plan(self.plan, rows)
        return self.natively(rows)

    def by_plan(self, plan: FastPath, rows: Sequence[Row]) -> Sequence[Prediction]:
        """Predict rows by a plan. Raises whatever it raises."""
        self._start_no_threads()
        if plan.predict_row is not None and len(rows) == 1 and isinstance(rows, list):
            # Whatever is raised: the way of many rows says whether there is an error.
            with suppress(Exception):
                row = self.contract.values(rows[0])
                found = plan.predict_row([row[name] for name in self._names])
                return [self._form.answer(*found)]
        values, probabilities = plan.predict_columns(self.contract.columns(rows))
        return self._answers(rows, values, probabilities)

    def natively(self, rows: Sequence[Row]) -> Sequence[Prediction]:
        """Predict rows by the model's own methods. Raises whatever they raise."""
        self._start_no_threads()
        native = self._input(self.contract.columns(rows))
        last, native = _before_last(self.estimator, native)
        values = last.predict(native)
        probabilities = last.predict_proba(native) if self.manifest.probabilities else None
        return self._answers(rows, values, probabilities)

    def _answers(
        self, rows: Sequence[Row], values: Any, probabilities: Any
    ) -> Sequence[Prediction]:
        found = self._form.answers(values, probabilities)
        return found if isinstance(rows, Table) else list(found)

    def _start_no_threads(self) -> None:
        """Let joblib start no threads for this one, from the first prediction on."""
        # A saved n_jobs=-1 would start threads for one row and sum a forest in changing order. To
        # say so for each prediction anew would cost a tenth of one.
        if not hasattr(self._threads, "backend"):
            self._threads.backend = joblib.parallel_backend("sequential")

    @cached_property
    def _form(self) -> predictions.PredictionFormat:
        return predictions.PredictionFormat(
            self.contract.output, getattr(self.estimator, "classes_", None)
        )

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """The columns in the order of the model's."""
        named = self.manifest.columns
        return named or tuple(column.name for column in self.contract.columns([]))

    def make_plan(self) -> FastPath:
        """Make the plan of this model. Raises NotPlanned."""
        manifest = self.manifest
        if self.prepare is not None:
            raise NotCompiled("The author's prepare() makes its columns of a frame.")
        if manifest.categories:
            raise NotCompiled("It takes columns as categories, which are made in a frame.")
        return compile_fast_path(
            self.estimator,
            self.stages,
            kind=manifest.input,
            column_names=manifest.columns,
            model_columns=manifest.model_columns,
            probabilities=manifest.probabilities,
            # Some steps refuse dates, and predictions of several targets are made of arrays.
            single_rows=self.contract.output.targets is None
            and all(feature.kind != "date" for feature in self.contract.features),
        )

    @property
    def answers_rows_alike(self) -> bool:
        """Whether verify saw that a row is answered alone as it is among others."""
        # It notes a wider tolerance where more than the last bits of a sum move.
        return self.golden is not None and self.golden.tolerance <= RELATIVE_TOLERANCE

    @property
    def predicts_rows_alone(self) -> bool:
        """Whether a row goes another way alone than among others."""
        return self.plan is not None and self.plan.predict_row is not None

    def with_contract(self, contract: Contract) -> Model:
        """Return the same model behind another contract."""
        inner = (self.golden, self.prepare, self.stages, self.plan)
        return Model(self.estimator, contract, self.manifest, *inner)

    def _input(self, columns: Sequence[Column]) -> Any:
        kind, names, known = self.manifest.input, self.manifest.columns, self.manifest.categories
        if self.prepare is None:
            data = model_input(categories.as_values(columns, known), kind, names)
        else:
            data = self.prepare(model_input(columns, "frame", None))
            data = data[list(names)] if names is not None else data.to_numpy()
        for stage in self.stages:
            data = stage.apply(data)
        if self.stages:
            data = final_input(data, self.stages[-1].after, self.manifest.model_columns)
        return categories.restored(data, known)


def _before_last(estimator: Any, data: Any) -> tuple[Any, Any]:
    """Take data through a pipeline, as its predict does and its predict_proba would do again."""
    if type(estimator).__module__ != "sklearn.pipeline":
        return estimator, data
    *before, (_, last) = estimator.steps
    for _, step in before:
        if step is not None and step != "passthrough":
            data = step.transform(data)
    return last, data


def load_model(directory: Path) -> Model:
    """Load the model of a project. Raises ModelError before anything is unpickled.

    The file is read only if its SHA-256, the Python and the libraries are the manifest's:
    a pickle read by other versions can fail, or answer differently without a word.
    """
    try:
        contract = read_contract(directory / "features.json")
    except ValueError as error:
        raise ModelError(f"{directory / 'features.json'}: {error}. Mend it.") from None
    manifest = Manifest.read(directory / "manifest.json").as_asked(contract.output)
    check_contract(contract, manifest)
    check_versions(manifest)
    try:
        golden = read_golden(directory / "golden.json")
    except GoldenError as error:
        raise ModelError(str(error)) from None
    prepare = _load_code(directory, manifest.code) if manifest.code is not None else None
    loaded: dict[str, Any] = {}
    for entry in (manifest.document["model"], *manifest.transformers):
        if (file := entry["file"]) not in loaded:
            loaded[file] = _load(directory / file, entry, manifest.task)
    by_name = {
        _reference(entry, manifest): member_of(loaded[entry["file"]], entry["member"])
        for entry in manifest.transformers
    }
    columns = manifest.columns or tuple(column.name for column in contract.columns([]))
    before = stages(((by_name[t.file], t.columns) for t in contract.transformers), columns)
    model = member_of(loaded[manifest.file], manifest.member)
    estimator = adapters.estimator(model, manifest.classes)
    if (constant := manifest.document["model"]["constant"]) is not None:
        estimator = StatsmodelsAdapter(estimator, constant)
    adopted = Model(estimator, contract, manifest, golden, prepare, before)
    if manifest.verified and manifest.plan["serves"] == "plan":
        try:
            adopted.plan = adopted.make_plan()
        except NotCompiled as reason:
            logger.warning("the plan that was proven cannot be made: %s; run make verify", reason)
    return adopted


def _reference(entry: Mapping[str, Any], manifest: Manifest) -> str:
    """Return how the contract names a transformer; `#member` is one of the model file's own."""
    file = "" if entry["file"] == manifest.file else entry["file"]
    return f"{file}#{entry['member']}" if entry["member"] is not None else str(file)


def member_of(value: Any, member: str | None) -> Any:
    """Return a member of a dict or tuple that was saved as one file; `a.b` is b of a."""
    if member is None:
        return value
    if isinstance(value, Mapping):
        by_name = {str(key): inner for key, inner in value.items()}
    else:
        by_name = {str(number): inner for number, inner in enumerate(value)}
    if member in by_name:
        return by_name[member]
    outer, _, inner = member.partition(".")
    return member_of(by_name[outer], inner)


def check_contract(contract: Contract, manifest: Manifest) -> None:
    """Hold an edited contract against the model. Raises ModelError."""
    prepares = manifest.code is not None and manifest.code["prepare"]
    try:
        check_output(contract.output, manifest.task, manifest.classes, manifest.outputs)
        if not prepares:
            check_categories(contract, _categories_of_callers(contract, manifest))
    except ContractError as error:
        raise ModelError(f"features.json: {error}. Mend it.") from None
    named_files = [transformer.file for transformer in contract.transformers]
    if sorted(named_files) != sorted(
        _reference(entry, manifest) for entry in manifest.transformers
    ):
        raise ModelError(
            "features.json: the transformers are not those that were adopted; "
            "run make adopt to take others in."
        )
    if manifest.columns is None or prepares:
        return
    named = {column.name for column in contract.columns([])}
    if wrong := sorted(named ^ set(manifest.columns)):
        raise ModelError(
            f"features.json: the features are not those of the model ({', '.join(wrong[:10])}); "
            "names cannot be edited, for the model knows its columns by them."
        )


def _categories_of_callers(contract: Contract, manifest: Manifest) -> dict[str, Sequence[Scalar]]:
    """Return the model's categories, by feature, without those that a transformer makes."""
    chosen = [transformer.columns for transformer in contract.transformers]
    made = {name for columns in chosen for name in columns or manifest.categories}
    listed = categories.listed(manifest.categories)
    return {name: values for name, values in listed.items() if name not in made}


def check_versions(manifest: Manifest) -> None:
    """Compare this environment with the manifest's. Raises ModelError."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if running != manifest.python:
        raise ModelError(
            f"This is Python {running}, but the model was adopted for Python {manifest.python}; "
            "run make setup, and keep .python-version as it is."
        )
    wrong = []
    for name, wanted in manifest.libraries.items():
        installed = _installed(name) or _installed(f"{name}-cpu") or "missing"
        if wanted not in (None, installed):  # None: not locked yet
            wrong.append(f"{name} is {installed} and should be {wanted}")
    if wrong:
        raise ModelError(
            f"The model needs other libraries: {', '.join(wrong)}; run make setup, "
            "or make verify if requirements.txt was changed on purpose."
        )


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _load_code(directory: Path, code: Mapping[str, Any]) -> Prepare | None:
    path = directory / code["file"]
    with _opened(path, code["sha256"]):
        try:
            module = custom_code.load(path, code["modules"])
        except Exception as error:
            raise ModelError(f"{path} fails: {type(error).__name__}: {error}.") from error
    prepare: Prepare | None = module.prepare if code["prepare"] else None
    return prepare


def _load(path: Path, entry: Mapping[str, Any], task: str) -> Any:
    with _opened(path, entry["sha256"]) as file:
        if entry["loader"] == "joblib":
            return joblib.load(file)
        if entry["loader"] == "skops":
            import skops.io  # noqa: PLC0415  # installed for such files only

            # It refuses what is neither its own list's nor was judged when the file was adopted.
            return skops.io.load(file, trusted=entry["trusted"])
        return adapters.load(entry["loader"], file.read(), task)


@contextmanager
def _opened(path: Path, sha256: str) -> Iterator[BinaryIO]:
    """Open a file of the model if it is, byte for byte, the one that was adopted."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise ModelError(f"{path} is missing; is it ignored by git? Add it and push.") from None
    with file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
        if digest.hexdigest() != sha256:
            raise ModelError(
                f"{path} is not the file that was adopted (its SHA-256 differs); "
                "restore it from git, or run make adopt with the new file."
            )
        file.seek(0)
        yield file
