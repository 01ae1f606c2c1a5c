"""Find a Pipeline or a bundle beside a bare model that holds the same model and what is before it.

Notebooks save both. A caller of the bare model would have to send scaled and encoded columns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from workbench.adopt.answers import Answers, Part
from workbench.adopt.beside.transformer_files import SUFFIXES, FileReader, files_beside
from workbench.adopt.problems import AnswerError, Changes, Problem, Repair
from workbench.errors import listing
from workbench.inspect import bundle_of, final_estimator, same_fit, step_names
from workbench.inspect.pickle.values import Instance

MAX_STEPS = 5  # that a message names


@dataclass(frozen=True)
class WholeModel:
    """A file that holds the answered model behind its transformers."""

    part: Part
    kind: str  # for messages: a Pipeline (StandardScaler, SVC)


def whole_models(
    model: Part, root: object, left_out: Collection[Part], reader: FileReader
) -> Iterator[WholeModel]:
    """Yield the files beside a bare model that hold it behind its transformers.

    `root` is what the model is. What is left out on purpose, or cannot be read, is passed over.
    """
    if not isinstance(root, Instance) or step_names(root) or model.member is not None:
        return
    passed = {model.path.resolve(), *(part.path.resolve() for part in left_out)}
    for path in files_beside(model.path):
        if path.suffix.lower() not in SUFFIXES or path.resolve() in passed:
            continue
        try:
            document, _ = reader.look_at(path, "model_path")
        except (AnswerError, OSError):
            continue
        kind = _kind_of_whole(document.root, root)
        if kind is not None:
            yield WholeModel(Part(path), kind)


def _kind_of_whole(candidate: object, model: Instance) -> str | None:
    if isinstance(candidate, Instance) and (steps := step_names(candidate)):
        is_whole = len(steps) > 1 and same_fit(final_estimator(candidate), model)
        return f"a Pipeline ({listing(steps, MAX_STEPS)})" if is_whole else None
    bundle = bundle_of(candidate)
    if len(bundle.models) != 1 or not bundle.transformers:
        return None
    names = [member.name for member in (*bundle.transformers, *bundle.models)]
    is_whole = same_fit(bundle.models[0].value, model)
    return f"a bundle ({listing(names, MAX_STEPS)})" if is_whole else None


def problem_of_whole(whole: WholeModel, answers: Answers) -> Problem:
    """Return the problem that the bare model was answered, and not the file with all of it."""
    shown, bare = answers.shown_path(whole.part), answers.model.path.name
    message = (
        f"{whole.part.path.name} beside {bare} is {whole.kind} with the same fitted model in it. "
        f"Callers of {bare} alone have to send what the steps before it make; answer "
        f"{answers.names.model_path}={shown}"
    )
    alone: Changes = {
        "model_path": answers.model_path,
        "transformers": ",".join(filter(None, [answers.transformers, f"-{shown}"])),
    }
    otherwise = ((f"To serve {bare} alone:", alone),)
    return Problem(None, message, Repair({"model_path": shown}, otherwise=otherwise))
