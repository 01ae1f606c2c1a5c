"""Retrain: put another model file in the place of the present one, as one reviewable change."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from model_service.contract.contract import Contract, ContractError, read_contract
from workbench import files
from workbench.adopt.answers import Answers, problems
from workbench.adopt.decide import decide
from workbench.adopt.expected_answers import read_expected
from workbench.adopt.transformer_files import FOLDER, NUMBERED
from workbench.adopt.write import write
from workbench.errors import UserError, bullets, listing
from workbench.lock import lock
from workbench.lock.environment import run

VARIABLES = {
    "model_path": "MODEL",
    "features": "FEATURES",
    "sample_data": "SAMPLE",
    "transformers": "TRANSFORMERS",
    "model_code": "CODE",
    "trust": "TRUST",
}


def read_options(options: Mapping[str, str]) -> argparse.Namespace:
    """Return the command's options by the names that `adopt` uses."""
    names = ("model", "features", "sample", "transformers", "code", "trust", "accept")
    return argparse.Namespace(**{name: options.get(name.upper(), "") for name in names})


def adopt(project: Path, options: argparse.Namespace) -> str:
    """Adopt another model file; return what changed. Raises WorkbenchError, writing nothing."""
    previous = files.read_manifest(project)
    try:
        before = read_contract(project / files.FEATURES)
    except ContractError as error:
        raise UserError([f"{files.FEATURES}: {p}" for p in error.problems]) from None
    answers = Answers(
        project_name=previous["title"],
        project_slug=previous["name"],
        description=previous["description"],
        model_path=options.model,
        folder=Path.cwd(),
        features=options.features or str(project / files.FEATURES),
        sample_data=options.sample,
        transformers=options.transformers,
        model_code=options.code or (str(project / files.CODE) if previous["code"] else ""),
        trust=options.trust,
    )
    wrong = problems(answers)
    if options.accept not in ("", "breaking"):
        wrong.append(f"ACCEPT={options.accept!r} means nothing; leave it out or say breaking.")
    if wrong:
        raise UserError(_as_variables(wrong))
    reshape = options.accept == "breaking" and not options.features
    promised = read_expected(project)
    try:
        decided = decide(answers, previous, reshape=reshape, promised=promised)
    except UserError as error:
        said = _as_variables(error.problems)
        if not options.features and any(problem.startswith("FEATURES: ") for problem in said):
            said.append(
                "If the new model has other features on purpose, run it again with "
                "ACCEPT=breaking, or give FEATURES=."
            )
        raise UserError(said) from None
    changed = list(changes(before, decided.contract, previous, decided.manifest))
    breaking = [sentence for breaks, sentence in changed if breaks]
    if breaking and options.accept != "breaking":
        raise UserError(
            [*breaking, "These break callers. If that is meant, run it again with ACCEPT=breaking."]
        )
    write(decided, project)
    same = previous["model"]["sha256"] == decided.facts.sha256
    notices = list(decided.notices)
    if not same and not options.transformers:
        notices += not_taken(previous["transformers"], options.model)
    if promised is not None and decided.expected is None:
        notices.append(
            f"{files.EXPECTED} held the answers of the model before and is gone; give SAMPLE= with "
            "those that you expect of this one."
        )
    sentences = [sentence for _, sentence in changed]
    if not changed:
        sentences.append("nothing: it is the same file" if same else "the model file alone")
    return "\n".join(
        [
            decided.summary(),
            *(f"Note: {notice}" for notice in notices),
            f"Version {decided.manifest['version']}. What changed:",
            bullets(sentences),
            "Next: make verify, git add --all, git commit.",
        ]
    )


def not_taken(kept: Sequence[Mapping[str, Any]], model: str) -> Iterator[str]:
    """Point out files beside a retrained model that look like those kept from the model before."""
    folder = Path(model.rpartition("#")[0] or model).expanduser().parent
    paths: dict[str, str] = {}
    for entry in kept:
        if entry["file"].startswith(f"{FOLDER}/"):
            sibling = folder / NUMBERED.sub("", entry["source"])
            other = sibling.is_file() and _sha256(sibling) != entry["sha256"]
            paths[entry["file"]] = str(sibling if other else files.MODEL / entry["file"])
    others = [Path(path).name for file, path in paths.items() if path != str(files.MODEL / file)]
    if others:
        answer = shlex.quote(",".join(paths.values()))
        yield (
            f"{listing(others)} beside the new model {'is' if len(others) == 1 else 'are'} not "
            "what the model before had, which is kept. If the new model was trained with it, run "
            f"make adopt MODEL={shlex.quote(model)} TRANSFORMERS={answer}"
        )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _as_variables(problems: Sequence[str]) -> list[str]:
    """Name the variables of `make adopt` where the messages name cookiecutter's questions."""
    names = "|".join(VARIABLES)
    return [
        re.sub(rf"\b({names})(?=[:=]| is | cannot )", lambda m: VARIABLES[m[1]], problem)
        for problem in problems
    ]


def rollback(project: Path) -> str:
    """Bring the model before back from git; return what was done. Raises WorkbenchError.

    An adoption that is not committed yet is undone; a committed one is answered with the files of
    the last commit that had another version.
    """
    present = files.read_manifest(project)["version"]
    committed = _version_at(project, "HEAD")
    edited = _git(project, "status", "--porcelain", "--", str(files.MODEL)).strip()
    if committed == present and edited:
        raise UserError(f"{files.MODEL}/ has changes that git does not have; commit them first.")
    for commit in _git(project, "log", "--format=%H", "--", str(files.MANIFEST)).split():
        version = _version_at(project, commit)
        if version == present:
            continue
        paths = [str(path) for path in (files.MODEL, files.PYTHON_VERSION, *lock.FILES)]
        _git(project, "rm", "-r", "--quiet", "--force", "--ignore-unmatch", "--", str(files.MODEL))
        _git(project, "clean", "--quiet", "--force", "--", str(files.MODEL))
        _git(project, "checkout", commit, "--", *paths)
        return (
            f"Version {version} of {commit[:10]} is back, instead of {present}. "
            "Next: make verify, git diff --staged, git commit."
        )
    raise UserError("git has no other version of the model to go back to.")


def _version_at(project: Path, commit: str) -> int:
    text = _git(project, "show", f"{commit}:./{files.MANIFEST.as_posix()}")
    return int(json.loads(text)["version"])


def _git(project: Path, *arguments: str) -> str:
    return run(["git", *arguments], what=f"git {arguments[0]}", cwd=project)


def changes(
    before: Contract, after: Contract, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[tuple[bool, str]]:
    """Yield what differs for callers, each with whether it breaks them."""
    was, now = before.by_name, after.by_name
    for name in was:
        if name not in now:
            yield True, f"feature {name} is gone"
    for name, feature in now.items():
        if name not in was:
            yield True, f"feature {name} is new, and every row must have it"
            continue
        earlier = was[name]
        if feature.type != earlier.type:
            yield True, f"feature {name} was a {earlier.type} and is a {feature.type}"
        if earlier.nullable and not feature.nullable:
            yield True, f"feature {name} may not be null any more"
        lost = [c for c in earlier.categories or () if c not in (feature.categories or ())]
        if feature.closed and lost:
            yield True, f"feature {name} has lost the categories {', '.join(map(str, lost))}"
        gained = [c for c in feature.categories or () if c not in (earlier.categories or ())]
        if earlier.categories and gained:
            yield False, f"feature {name} has the new categories {', '.join(map(str, gained))}"
    for key, what in (("task", "the task was"), ("classes", "the classes were")):
        if old[key] != new[key]:
            yield True, f"{what} {old[key]}, now {new[key]}"
    if old["probabilities"] and not new["probabilities"]:
        yield True, "answers have no probabilities any more"
    if old["python"] != new["python"]:
        yield False, f"Python was {old['python']} and is {new['python']}"
    if old["estimator"] != new["estimator"]:
        yield False, f"the estimator was {old['estimator']} and is {new['estimator']}"
    for name in sorted({*old["libraries"], *new["libraries"]}):
        one, other = old["libraries"].get(name, "none"), new["libraries"].get(name, "none")
        if one != other:
            yield False, f"{name} was {one or 'not locked'} and is {other or 'not locked yet'}"
    for sentence in _other_transformers(old["transformers"], new["transformers"]):
        yield False, sentence
    sizes = old["model"]["bytes"], new["model"]["bytes"]
    if sizes[0] != sizes[1]:
        yield False, f"the model file had {sizes[0]:,} bytes and has {sizes[1]:,}"


def _other_transformers(
    old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield what differs in the fitted files before the model, those of a bundle by their name."""
    was, now = ({_name(entry): entry for entry in entries} for entries in (old, new))
    for name in {**was, **now}:
        if name not in now:
            yield f"the transformer {name} is gone"
        elif name not in was:
            yield f"the transformer {name} is new: {now[name]['estimator']}"
        elif was[name]["estimator"] != now[name]["estimator"]:
            yield (
                f"the transformer {name} was {was[name]['estimator']} "
                f"and is {now[name]['estimator']}"
            )
    fitted = {entry["file"]: entry["sha256"] for entry in old}
    for file, digest in {entry["file"]: entry["sha256"] for entry in new}.items():
        if file.startswith(f"{FOLDER}/") and fitted.get(file, digest) != digest:
            yield f"{file} is another file"


def _name(entry: Mapping[str, Any]) -> str:
    file = NUMBERED.sub("", Path(entry["file"]).name)
    return f"{file}#{entry['member']}" if entry["member"] else file
