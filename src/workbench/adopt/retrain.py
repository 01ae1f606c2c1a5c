"""Replace the model of a project by another file, as one reviewable change."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from model_service.contract.contract import Contract, ContractError, Scalar
from model_service.contract.schema import read_contract
from model_service.model.manifest import Manifest, TransformerFile
from workbench import files
from workbench.adopt.answers import Answers, check_answers
from workbench.adopt.decide import Adoption, decide
from workbench.adopt.expected_answers import read_expected
from workbench.adopt.problems import MAKE_ADOPT, AnswerError, Notes
from workbench.adopt.transformer_files import FOLDER, NUMBERED
from workbench.adopt.write import write
from workbench.errors import UserError, bullets, listing


@dataclass(frozen=True)
class AdoptOptions:
    """The options of `make adopt`, as the user types them: MODEL=… FEATURES=… and so on."""

    model: str
    features: str = ""
    sample: str = ""
    transformers: str = ""
    code: str = ""
    trust: str = ""
    accept: str = ""

    @property
    def accepts_breaking(self) -> bool:
        return self.accept == "breaking"


def read_options(options: Mapping[str, str]) -> AdoptOptions:
    """Return the options of a command line by name."""
    names = [field.name for field in fields(AdoptOptions)]
    return AdoptOptions(**{name: options.get(name.upper(), "") for name in names})


def adopt(project: Path, options: AdoptOptions) -> str:
    """Adopt another model file; return what changed. Raises UserError, writing nothing."""
    before = _read_contract(project)
    previous, expected = files.read_manifest(project), read_expected(project)
    adoption = _decide(project, options, previous, expected)
    changes = list(find_changes(before, adoption.contract, previous, adoption.manifest))
    breaking = [change.sentence for change in changes if change.breaking]
    if breaking and not options.accepts_breaking:
        raise UserError(
            [*breaking, "These break callers. If that is meant, run it again with ACCEPT=breaking."]
        )
    write(adoption, project)
    same_file = previous.model.sha256 == adoption.facts.sha256
    sentences = [change.sentence for change in changes]
    if not changes:
        sentences = ["nothing: it is the same file" if same_file else "the model file alone"]
    notes = (*adoption.notes, *_notes_on_files(options, previous, expected, adoption))
    return "\n".join(
        [
            adoption.summary(),
            *(f"Note: {note}" for note in notes),
            f"Version {adoption.manifest.about.version}. What changed:",
            bullets(sentences),
            "Next: make verify, git add --all, git commit.",
        ]
    )


def _read_contract(project: Path) -> Contract:
    try:
        return read_contract(project / files.FEATURES)
    except ContractError as error:
        raise UserError([f"{files.FEATURES}: {p}" for p in error.problems]) from None


def _decide(
    project: Path,
    options: AdoptOptions,
    previous: Manifest,
    expected: Mapping[str, Any] | None,
) -> Adoption:
    """Decide the adoption that the options describe. Raises UserError."""
    answers = Answers(
        project_name=previous.about.title,
        project_slug=previous.about.name,
        description=previous.about.description,
        model_path=options.model,
        folder=Path.cwd(),
        features=options.features or str(project / files.FEATURES),
        sample_data=options.sample,
        transformers=options.transformers,
        model_code=options.code
        or (str(project / files.MODEL / previous.code.file) if previous.code else ""),
        trust=options.trust,
        names=MAKE_ADOPT,
        accept_other_features=options.accepts_breaking and not options.features,
    )
    wrong = [problem.shown(MAKE_ADOPT) for problem in check_answers(answers)]
    if options.accept and not options.accepts_breaking:
        wrong.append(f"ACCEPT={options.accept!r} is unknown; leave it out or give ACCEPT=breaking.")
    if wrong:
        raise UserError(wrong)
    try:
        return decide(answers, previous, expected)
    except AnswerError as error:
        wrong = [problem.shown(MAKE_ADOPT) for problem in error.found]
        features_differ = any(problem.question == "features" for problem in error.found)
        if features_differ and not options.features:
            wrong.append(
                "If the new model has other features on purpose, run it again with "
                "ACCEPT=breaking, or give FEATURES=."
            )
        raise UserError(wrong) from None


def _notes_on_files(
    options: AdoptOptions,
    previous: Manifest,
    expected: Mapping[str, Any] | None,
    adoption: Adoption,
) -> Notes:
    """Return notes on files of the previous model that were kept or removed."""
    notes: list[str] = []
    if previous.model.sha256 != adoption.facts.sha256 and not options.transformers:
        notes += _newer_transformers(previous.transformers, options.model)
    if expected is not None and adoption.expected is None:
        notes.append(
            f"{files.EXPECTED} held the expected answers of the previous model and was removed; "
            "give SAMPLE= with those of the new model."
        )
    return tuple(notes)


def _newer_transformers(kept: Sequence[TransformerFile], model: str) -> Iterator[str]:
    """Yield a note on files in the new model's folder that differ from the kept ones."""
    folder = Path(model.rpartition("#")[0] or model).expanduser().parent
    paths: dict[str, str] = {}
    for transformer in kept:
        if transformer.file.startswith(f"{FOLDER}/"):
            newer = folder / NUMBERED.sub("", transformer.source)
            differs = newer.is_file() and _sha256(newer) != transformer.sha256
            kept_path = files.MODEL / transformer.file
            paths[transformer.file] = str(newer if differs else kept_path)
    others = [Path(path).name for file, path in paths.items() if path != str(files.MODEL / file)]
    if others:
        answer = shlex.quote(",".join(paths.values()))
        differ = "differs" if len(others) == 1 else "differ"
        yield (
            f"{listing(others)} in the new model's folder {differ} from the previous model's, "
            "which is kept. If the new model was trained with it, run "
            f"make adopt MODEL={shlex.quote(model)} TRANSFORMERS={answer}"
        )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Change:
    """A difference between two adopted models, and whether it breaks callers."""

    breaking: bool
    sentence: str


def find_changes(
    before: Contract, after: Contract, old: Manifest, new: Manifest
) -> Iterator[Change]:
    """Yield the differences that matter to callers and reviewers."""
    yield from _changed_features(before, after)
    if old.task.kind != new.task.kind:
        yield Change(True, f"the task was {old.task.kind}, now {new.task.kind}")
    if old.task.classes != new.task.classes:
        was, now = _classes(old), _classes(new)
        yield Change(True, f"the classes were {was}, now {now}")
    if old.task.probabilities and not new.task.probabilities:
        yield Change(True, "predictions no longer have probabilities")
    if old.environment.python != new.environment.python:
        python, other = old.environment.python, new.environment.python
        yield Change(False, f"Python was {python} and is {other}")
    if old.estimator != new.estimator:
        yield Change(False, f"the estimator was {old.estimator} and is {new.estimator}")
    yield from _changed_libraries(old.environment.libraries, new.environment.libraries)
    for sentence in _changed_transformers(old.transformers, new.transformers):
        yield Change(False, sentence)
    size, other_size = old.model.size, new.model.size
    if size != other_size:
        yield Change(False, f"the model file had {size:,} bytes and has {other_size:,}")


def _classes(manifest: Manifest) -> list[Scalar] | None:
    return list(manifest.task.classes) if manifest.task.classes is not None else None


def _changed_libraries(
    old: Mapping[str, str | None], new: Mapping[str, str | None]
) -> Iterator[Change]:
    for name in sorted({*old, *new}):
        version, other = old.get(name, "none"), new.get(name, "none")
        if version != other:
            sentence = f"{name} was {version or 'not locked'} and is {other or 'not locked yet'}"
            yield Change(False, sentence)


def _changed_features(before: Contract, after: Contract) -> Iterator[Change]:
    was, now = before.by_name, after.by_name
    for name in was:
        if name not in now:
            yield Change(True, f"feature {name} is gone")
    for name, feature in now.items():
        if name not in was:
            yield Change(True, f"feature {name} is new, and every row must have it")
            continue
        earlier = was[name]
        if feature.type != earlier.type:
            yield Change(True, f"feature {name} was a {earlier.type} and is a {feature.type}")
        if earlier.nullable and not feature.nullable:
            yield Change(True, f"feature {name} can no longer be null")
        lost = [c for c in earlier.categories or () if c not in (feature.categories or ())]
        if feature.closed and lost:
            shown = ", ".join(map(str, lost))
            yield Change(True, f"feature {name} has lost the categories {shown}")
        gained = [c for c in feature.categories or () if c not in (earlier.categories or ())]
        if earlier.categories and gained:
            shown = ", ".join(map(str, gained))
            yield Change(False, f"feature {name} has the new categories {shown}")


def _changed_transformers(
    old: Sequence[TransformerFile], new: Sequence[TransformerFile]
) -> Iterator[str]:
    """Yield the differences in the fitted files before the model, matched by name."""
    was, now = ({_name(one): one for one in transformers} for transformers in (old, new))
    for name in {**was, **now}:
        if name not in now:
            yield f"the transformer {name} is gone"
        elif name not in was:
            yield f"the transformer {name} is new: {now[name].estimator}"
        elif was[name].estimator != now[name].estimator:
            yield (f"the transformer {name} was {was[name].estimator} and is {now[name].estimator}")
    digests = {one.file: one.sha256 for one in old}
    for file, digest in {one.file: one.sha256 for one in new}.items():
        if file.startswith(f"{FOLDER}/") and digests.get(file, digest) != digest:
            yield f"{file} is another file"


def _name(transformer: TransformerFile) -> str:
    """Return the name for messages, without the number that adopt adds."""
    file = NUMBERED.sub("", Path(transformer.file).name)
    return f"{file}#{transformer.member}" if transformer.member else file
