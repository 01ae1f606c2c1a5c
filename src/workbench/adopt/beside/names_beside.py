"""Find the names of a nameless model's features: in a list beside it, or in the author's code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from workbench.adopt.answers import joined
from workbench.adopt.beside.transformer_files import Neighbour
from workbench.adopt.case import Case
from workbench.adopt.code.names_in_code import WrittenNames, names_in_code
from workbench.adopt.csv.raw_columns import with_likely_dummies
from workbench.adopt.csv.sample import Sample
from workbench.adopt.csv.target_column import feature_columns, plain
from workbench.adopt.problems import Changes, Problem, Repair
from workbench.adopt.unnamed_columns import propose_columns
from workbench.errors import listing
from workbench.inspect import first_scalings

# What a list of the features is called: columns.json, model_features.pkl, x_cols.pkl.
NAMES_FILE = re.compile(r"col|feat|input|names|variables", re.IGNORECASE)


def names_beside(case: Case, count: int | None) -> Problem | None:
    """Return the problem that the names are beside the model and not in the answers, or None.

    `count` is how many columns the model takes, or what comes before it.
    """
    if count is None or not _is_nameless(case):
        return None
    if case.bundle is not None and case.bundle.names(count) is not None:
        return None
    return _list_of_names(case, count) or _names_in_code(case, count)


def _list_of_names(case: Case, count: int) -> Problem | None:
    """Return the problem that a list beside the model has the names that nothing else has."""
    lists = {
        neighbour.texts: neighbour
        for neighbour in case.neighbours
        if neighbour.texts is not None and len(neighbour.texts) == count
        if neighbour.part.path.suffix != ".npy" and neighbour.texts != case.sample_columns
        # With a sample its columns are the features, unless the list has another order of them, or
        # dummy columns that are made of them.
        if case.sample is None or _are_of_sample(neighbour.texts, case.sample)
    }
    if len(lists) != 1:
        return None
    ((names, neighbour),) = lists.items()
    question, answer = case.answers.names.features, case.answers.shown_path(neighbour.part)
    message = (
        f"{neighbour.name} beside the model lists {len(names or ())} names, as many columns as the "
        f"model takes ({listing(names or ())}). "
    )
    if certain := _are_certain_names(case, neighbour):
        message += "So they are its features, in this order"
    else:
        message += f"If they are its features in the order of training, answer {question}={answer}"
    when = "If they are others, name them in the order of training:"
    otherwise: tuple[tuple[str, Changes], ...] = ((when, {"features": "NAME,NAME,…"}),)
    return Problem(
        None,
        message,
        Repair({"features": answer}, otherwise=otherwise if certain else (), certain=certain),
    )


def _is_nameless(case: Case) -> bool:
    """Return whether neither the answers nor the fitted files name the features."""
    if case.declared.features or case.model.feature_names is not None or case.model.takes_texts:
        return False
    fitted = case.transformers.fitted
    return not any(one.facts.feature_names or one.facts.takes_texts for one in fitted)


def _names_in_code(case: Case, count: int) -> Problem | None:
    """Return the problem that the author's code has the names that nothing else has."""
    if case.previous is not None or case.code is not None:
        return None
    written = names_in_code(count, case.sources)
    if written is None:
        return None
    if case.sample is not None:
        written = replace(written, names=_as_in_sample(written.names, case.sample))
    if case.sample is not None and not _is_other_choice(written, case.sample, case):
        return None
    answer = joined(written.names)
    verb = "gives the model" if written.reaches_model else "lists"
    message = (
        f"The names of the features are not in the file. {written.where} {verb} {count} columns, "
        f"as many as it takes ({listing(written.names)})"
    )
    is_scaled = written.is_transformed and not case.transformers.fitted
    are_sent = not is_scaled and not written.computed  # as the model takes them
    certain = are_sent and not _can_be_of_other(count, case)
    if written.computed:
        message += (
            f", and computes {listing(written.computed)} before that. If callers send what it "
            f"computes, paste the last line; if not, answer {case.answers.names.model_code}=FILE "
            f"with a function prepare(frame), and {case.answers.names.features}= with what they "
            "know"
        )
    if certain:
        message += ". So they are its features, in this order"
    elif are_sent:
        message += (
            "; but another model beside it takes as many. If they are its features in the order "
            "of training, paste the last line"
        )
    if is_scaled:
        message += (
            ", and transforms them before that. No fitted file here does: save it, and answer "
            f"{case.answers.names.transformers}=FILE. If callers send transformed values, paste "
            "the last line"
        )
    when = "If they are others, name them in the order of training:"
    otherwise: tuple[tuple[str, Changes], ...] = ((when, {"features": "NAME,NAME,…"}),)
    repair = Repair({"features": answer}, otherwise=otherwise, certain=certain)
    return Problem(None, message, repair)


def _can_be_of_other(count: int, case: Case) -> bool:
    """Return whether the code can give these columns to another model beside this one."""
    others = {name for name, columns in case.other_models.items() if columns == count}
    if not others:
        return False
    texts = {text for source in case.sources for text in source.texts}
    named = {re.split(r"[\\/]", text)[-1] for text in texts}
    return case.answers.model.path.name not in named or bool(named & others)


def _as_in_sample(names: Sequence[str], sample: Sample) -> tuple[str, ...]:
    """Return names as the sample spells them; a variable cannot have its spaces and signs."""
    spelled: dict[str, list[str]] = {}
    for column in sample.columns:
        spelled.setdefault(plain(column), []).append(column)
    found = [spelled.get(plain(name), []) for name in names]
    known = [same[0] if len(same) == 1 else name for name, same in zip(names, found, strict=True)]
    return tuple(known) if len(set(known)) == len(known) else tuple(names)


def _is_other_choice(written: WrittenNames, sample: Sample, case: Case) -> bool:
    """Return whether the code names other features than the sample's columns in their order."""
    columns = feature_columns(case.model, sample).features
    if len(columns) == case.model.n_features:
        same = {*written.names} == {*columns}
        return same and written.reaches_model and written.names != columns
    if sum(name in sample.columns for name in written.names) * 2 > len(written.names):
        return True  # the others are computed
    root = case.model_root
    proposed = propose_columns(case.model, root, first_scalings(root), sample)
    return written.reaches_model and (proposed is None or not proposed.is_supported)


def _are_certain_names(case: Case, neighbour: Neighbour) -> bool:
    """Return whether a list can only hold the names of the features in the order of training."""
    names = neighbour.texts or ()
    if case.previous is not None or len(names) == len(case.model.classes or ()):
        return False
    if case.sample is not None:  # in another order it can be a ranking of the features
        return names == tuple(name for name in case.sample_columns if name in names)
    is_called_so = NAMES_FILE.search(neighbour.part.path.stem) is not None
    return is_called_so and case.model.n_features not in case.columns_of_others


def _are_of_sample(names: Sequence[str], sample: Sample) -> bool:
    """Return whether a list has the sample's columns, or dummy columns that are made of them."""
    entries = [{"name": name} for name in names]
    is_whole = set(names) <= set(sample.columns)
    return is_whole or bool(with_likely_dummies(entries, sample, by_name=False)[1])
