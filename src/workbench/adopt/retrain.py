"""Replace the model of a project by another file, as one reviewable change."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from model_service.contract.contract import Contract
from model_service.contract.golden import GoldenError, read_golden
from model_service.contract.parsing import parse_rows
from model_service.model.manifest import Manifest, TransformerFile
from workbench import files
from workbench.adopt.answers import Answers
from workbench.adopt.beside.transformer_files import FOLDER, NUMBERED
from workbench.adopt.changes import Change, find_changes, is_same_model
from workbench.adopt.check_answers import check_answers
from workbench.adopt.csv.expected_answers import read_expected
from workbench.adopt.csv.kept_sample import read_kept_sample
from workbench.adopt.csv.sample_rows import decode_row
from workbench.adopt.decide import Adoption, decide
from workbench.adopt.kept_answers import keep_recorded_answers
from workbench.adopt.problems import MAKE_ADOPT, AnswerError, Notes
from workbench.adopt.refusal import Command, refused
from workbench.adopt.write import write
from workbench.committed_versions import highest_version
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
    def accepted(self) -> frozenset[str]:
        return frozenset(filter(None, (word.strip() for word in self.accept.split(","))))

    @property
    def accepted_effects(self) -> frozenset[str]:
        """The changes that are accepted: who accepts that callers break, accepts other answers."""
        return self.accepted | {"answers"} if "breaking" in self.accepted else self.accepted

    def command(self, accept: str) -> Command:
        """Return the command that was typed, with ACCEPT= besides."""
        given = {"MODEL": self.model, "FEATURES": self.features, "SAMPLE": self.sample}
        given |= {"TRANSFORMERS": self.transformers, "CODE": self.code, "TRUST": self.trust}
        return Command(("make", "adopt"), {**given, "ACCEPT": accept}, MAKE_ADOPT, under_make=True)


def read_options(options: Mapping[str, str]) -> AdoptOptions:
    """Return the options of a command line by name."""
    names = [field.name for field in fields(AdoptOptions)]
    return AdoptOptions(**{name: options.get(name.upper(), "") for name in names})


def adopt(project: Path, options: AdoptOptions) -> str:
    """Adopt another model file; return what changed. Raises UserError, writing nothing."""
    before = files.read_contract(project)
    previous, expected = files.read_manifest(project), read_expected(project)
    decided = _decide(project, options, before, previous, expected)
    adoption = _with_new_version(project, _with_known_nulls(before, decided))
    changes = list(find_changes(before, adoption.contract, previous, adoption.manifest))
    _require_accepted(changes, options)
    same_model = is_same_model(previous, adoption.manifest)
    keeps_golden = same_model and all(change.effect == "none" for change in changes)
    keep_recorded_answers(project, previous)
    write(adoption, project, _golden(project, adoption.contract) if keeps_golden else None)
    sentences = [change.sentence for change in changes]
    if not changes:
        sentences = ["nothing: it is the same file" if same_model else "the model file alone"]
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


def _with_known_nulls(before: Contract, adoption: Adoption) -> Adoption:
    """Return the adoption with null for each feature that had it; verify then asks the model.

    That a new sample has no empty cell says nothing about what the model takes.
    """
    contract, manifest, had = adoption.contract, adoption.manifest, before.by_name
    names = {
        feature.name
        for feature in contract.features
        if not feature.nullable
        and "nullable" in manifest.derived.get(feature.name, {})
        and feature.name in had
        and had[feature.name].nullable
    }
    features = [replace(f, nullable=f.nullable or f.name in names) for f in contract.features]
    derived = {
        name: {**members, "nullable": True} if name in names else members
        for name, members in manifest.derived.items()
    }
    return replace(
        adoption,
        contract=replace(contract, features=tuple(features)),
        manifest=replace(manifest, derived=derived),
    )


def _with_new_version(project: Path, adoption: Adoption) -> Adoption:
    """Return the adoption with a version that no model in git has: after a rollback some are newer.

    Two models of one version could not be told apart.
    """
    about = adoption.manifest.about
    version = max(about.version, highest_version(project) + 1)
    return replace(
        adoption, manifest=replace(adoption.manifest, about=replace(about, version=version))
    )


_MEANING = {
    "breaking": "These changes break callers.",
    "answers": "With these changes the same model answers something else.",
}


def _require_accepted(changes: Sequence[Change], options: AdoptOptions) -> None:
    """Raise UserError if there are changes that the user has to accept first."""
    gated = [c for c in changes if c.effect not in options.accepted_effects | {"none"}]
    effects = [effect for effect in _MEANING if any(c.effect == effect for c in gated)]
    if not effects:
        return
    accept = ",".join(dict.fromkeys([*sorted(options.accepted), *effects]))
    hint = ", or give FEATURES= with what callers send" if "breaking" in effects else ""
    raise UserError(
        [change.sentence for change in gated],
        [
            " ".join(_MEANING[effect] for effect in effects),
            f"If that is meant, run it again with ACCEPT={accept}{hint}:",
            options.command(accept).line(),
        ],
    )


def _golden(project: Path, contract: Contract) -> Mapping[str, Any] | None:
    """Return golden.json of the same model with the rows that another contract takes."""
    try:
        golden = read_golden(project / files.GOLDEN)
    except GoldenError as error:
        raise UserError(str(error)) from None
    if golden is None:
        return None
    rows = [decode_row(row, contract) for row in golden.rows]
    pairs = [
        (row, prediction)
        for row, prediction in zip(rows, golden.predictions, strict=True)
        if not parse_rows(contract, [row]).problems
    ]
    kept = replace(golden, rows=[r for r, _ in pairs], predictions=[p for _, p in pairs])
    return kept.to_json() if pairs else None


def _decide(
    project: Path,
    options: AdoptOptions,
    before: Contract,
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
    )
    if unknown := options.accepted - set(_MEANING):
        raise UserError(
            f"ACCEPT={options.accept!r} is unknown ({listing(sorted(unknown))}); leave it out, or "
            "give ACCEPT=breaking, ACCEPT=answers or ACCEPT=breaking,answers."
        )
    problems = list(check_answers(answers))
    command = options.command(options.accept)
    if problems:
        raise refused(problems, command, Path.cwd())
    if not options.sample:
        answers = replace(answers, kept_rows=read_kept_sample(before, project))
    try:
        return decide(answers, previous, expected)
    except AnswerError as error:
        problems = list(error.found)
    # Of a model with other features these are the changes, which the user then can accept.
    if not options.features and any(problem.question == "features" for problem in problems):
        with suppress(AnswerError):
            return decide(replace(answers, accept_other_features=True), previous, expected)
    raise refused(problems, command, Path.cwd())


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
