"""The work of cookiecutter's hooks: check the answers, adopt, verify, commit, say what is next."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from cookiecutter.environment import StrictEnvironment

import wheels
from workbench import files, vendor
from workbench.adopt.answers import BUNDLED_EXAMPLE, PICKLES, Answers, with_example
from workbench.adopt.check_answers import check_answers
from workbench.adopt.decide import Adoption, decide
from workbench.adopt.problems import AnswerError, Problem, Repair
from workbench.adopt.refusal import AGAIN, Command, refused
from workbench.adopt.write import write
from workbench.errors import CannotVerify, UserError, bullets
from workbench.lock.environment import run
from workbench.progress import step
from workbench.smoke import curl
from workbench.verify import verify

# A longer request, with hundreds of features, would fill the terminal.
MAX_REQUEST_LETTERS = 2000


def read_answers(context: Mapping[str, Any], raw: Mapping[str, Any] | None = None) -> Answers:
    """Read the answers from cookiecutter's context."""
    values = with_example(context, Path(context["__example"]))
    names = {field.name for field in fields(Answers)} & set(context)
    return Answers(
        **{name: values[name] for name in names}, folder=Path(context["__folder"]), raw=raw or {}
    )


def read_command(context: Mapping[str, Any], raw: Mapping[str, Any], template: Path) -> Command:
    """Return the command that gives these answers; defaults are left out."""
    document = json.loads((template / "cookiecutter.json").read_text(encoding="utf-8"))
    answers = {}
    for name, default in document.items():
        if name.startswith("_"):
            continue
        value = context.get(name, default)
        typed = raw.get(name, default) != default
        if typed or value != _rendered(default, context):
            answers[name] = str(value).lower() if isinstance(value, bool) else str(value)
    words = ["cookiecutter", str(context.get("_template", template)), "--no-input"]
    if checkout := context.get("_checkout"):
        words += ["--checkout", str(checkout)]
    output = context.get("_output_dir", context["__folder"])
    if Path(output) != Path(context["__folder"]):
        words += ["--output-dir", str(output)]
    return Command(tuple(words), answers)


def _rendered(default: Any, context: Mapping[str, Any]) -> Any:
    """Return a default of cookiecutter.json; some are derived from another answer."""
    if not isinstance(default, str) or "{{" not in default:
        return default
    return StrictEnvironment(context={}).from_string(default).render(cookiecutter=context)


def refusals(
    context: Mapping[str, Any], raw: Mapping[str, Any], template: Path, project: Path
) -> UserError | None:
    """Return the refusal of the answers and of the target folder, or None if they are fine."""
    answers = read_answers(context, raw)
    if _is_cruft(context) and not answers.model.path.exists():
        return None
    document = json.loads((template / "cookiecutter.json").read_text(encoding="utf-8"))
    typed = {name: value for name, value in raw.items() if value != document.get(name)}
    problems = check_answers(replace(answers, raw=typed))
    if any(project.iterdir()):
        message = f"The folder {project} is not empty; it is left as it is. Choose another name."
        problems.append(Problem(None, message))
    if not problems:
        return None
    return refused(problems, read_command(context, raw, template), answers.folder)


def generate(context: Mapping[str, Any], raw: Mapping[str, Any], project: Path) -> str:
    """Build the wheels, adopt, verify and commit in a new project; return the last lines.

    Raises UserError; cookiecutter then removes the project.
    """
    command = read_command(context, raw, wheels.TEMPLATE)
    folder = Path(context["__folder"])
    with _refused(command, folder):
        decided = _decide(context, project)
    if decided is None:
        model = read_answers(context).model.path
        return f"{model} is not here, so no model was adopted: run make adopt MODEL=…"
    with _refused(command.with_answers(decided.taken_answers), folder):
        lines = _verify_and_commit(context, project, decided)
    taken = [*_taken(decided, command, project, folder)]
    if not files.read_manifest(project).verified:
        taken.append("It is not verified yet: type make verify in the project.")
    ending = _instead_of_the_example(context, command)
    return "\n".join(["", *lines, "", *taken, decided.summary()]) + ending


@contextmanager
def _refused(command: Command, folder: Path) -> Iterator[None]:
    """End a refusal in the command to type next."""
    try:
        yield
    except AnswerError as error:
        raise refused(error.found, command, folder) from None
    except UserError as error:
        ending = error.ending or (AGAIN, command.line())
        raise UserError(error.problems, ending) from None


def _taken(decided: Adoption, command: Command, project: Path, folder: Path) -> Iterator[str]:
    """Yield what was taken unasked, and the commands that undo it."""
    for problem in decided.taken:
        assert problem.repair is not None
        yield f"Not asked: {problem.message}."
        for when, other in problem.repair.otherwise:
            again = command.line({**decided.taken_answers, **other})
            yield when
            yield f"rm -rf {shlex.quote(os.path.relpath(project.resolve(), folder))} && {again}"
        yield ""


def _instead_of_the_example(context: Mapping[str, Any], command: Command) -> str:
    """Return the command for the model file beside which the bundled example was rendered."""
    if context["model_path"] != BUNDLED_EXAMPLE or _is_cruft(context):
        return ""
    folder = Path(context["__folder"])
    beside = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES)
    if not beside:
        return ""
    line = command.line({"model_path": beside[0]})
    return (
        f"\n\nThat is the bundled example; to serve {beside[0]}, which is in this folder:\n{line}"
    )


def _decide(context: Mapping[str, Any], project: Path) -> Adoption | None:
    """Build the wheels and adopt; None if cruft renders a project whose model has moved."""
    wheels.build(wheels.TEMPLATE, project / vendor.FOLDER)
    answers = read_answers(context)
    if _is_cruft(context) and not answers.model.path.exists():
        return None
    with step("Inspecting the model file"):
        decided = decide(answers)
        write(decided, project)
    return decided


def _verify_and_commit(context: Mapping[str, Any], project: Path, decided: Adoption) -> list[str]:
    """Verify and commit; return what there is to say of it, and what is next."""
    lines = [f"Note: {note}" for note in decided.notes]
    if _is_cruft(context):
        lines.append("Left to you: make verify, git init, git add --all, git commit.")
    else:
        lines += _verified(project, decided) if context["verify"] else ["Not verified, as asked."]
        lines += _commit(project, f"Serve {decided.manifest.estimator}")
    address = f"http://localhost:{os.environ.get('PORT') or 8000}"
    request = curl(project, address)
    steps = [
        f"cd {project.name}",
        *(["make verify"] if not files.read_manifest(project).verified else []),
        "make run",
        f"# then {address} in a browser, or in another terminal:",
        request if len(request) <= MAX_REQUEST_LETTERS else "make curl",
        f"heroku create {project.name} && git push heroku main",
    ]
    return [*lines, "", "Next:", *(f"  {s}" for s in steps)]


def _is_cruft(context: Mapping[str, Any]) -> bool:
    """Return whether cruft renders the project.

    An update renders it again, to compare two versions of the template: a model file that has
    moved since is no error, and there is nothing to verify or to commit.
    """
    return "_repo_dir" not in context


def _verified(project: Path, decided: Adoption) -> list[str]:
    try:
        report = verify.verify(project)
    except verify.AnswersDiffer as error:
        repair = Repair(features=decided.declared_with(error.output))
        raise AnswerError([Problem(None, message, repair) for message in error.problems]) from None
    except CannotVerify as error:
        return ["NOT VERIFIED YET:", bullets(error.problems), "Then run make verify."]
    except UserError as error:
        if error.ending or not decided.taken:
            raise
        problems = [Problem(None, message) for message in error.problems]
        raise AnswerError([*problems, *decided.taken]) from None
    if (doubt := verify.doubt_of(project)) is not None:
        _ask_for_transformers(decided, doubt)
    return [report]


def _ask_for_transformers(decided: Adoption, doubt: str) -> None:
    """Raise AnswerError if transformers were taken unasked, with which there is a doubt."""
    problems = []
    for problem in decided.taken:
        repair = problem.repair
        if repair is not None and "transformers" in repair.answers:
            ((_, without),) = repair.otherwise
            otherwise = (("To apply what was found all the same:", repair.answers),)
            message = f"{problem.message}, but then there is a doubt. {doubt}"
            problems.append(Problem(None, message, Repair(without, otherwise=otherwise)))
    if problems:
        raise AnswerError(problems)


def _commit(project: Path, message: str) -> list[str]:
    """Make a repository on main with one commit; return what the user has to do, if that fails."""

    def git(*arguments: str) -> None:
        run(["git", *arguments], what=f"git {arguments[0]}", cwd=project)

    try:
        git("init", "--quiet")
        git("symbolic-ref", "HEAD", "refs/heads/main")
        git("add", "--all")
    except (OSError, UserError) as error:
        return [f"There is no repository ({error}). Run: git init && git add --all && git commit"]
    try:
        git("commit", "--quiet", "--message", message)
    except UserError as error:
        return [
            f"All files are staged, but not committed: {error}",
            f"When that is fixed, run: git -C {project.name} commit --message '{message}'",
        ]
    return []
