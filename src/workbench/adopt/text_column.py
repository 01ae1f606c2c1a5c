"""Find the column of a sample that holds the texts of a text model."""

from __future__ import annotations

from model_service.contract.json_values import Scalar
from workbench.adopt.case import Case
from workbench.adopt.csv.raw_columns import Entry
from workbench.adopt.csv.sample import EXPECTED_COLUMN, ColumnFacts, Sample
from workbench.adopt.csv.target_column import is_target
from workbench.adopt.features_answer import FeaturesAnswer
from workbench.adopt.problems import AnswerError, Notes, Problem, Repair
from workbench.errors import listing
from workbench.inspect import ModelFacts

DEFAULT_NAME = "text"


def text_feature(declared: FeaturesAnswer, case: Case, facts: ModelFacts) -> tuple[Entry, Notes]:
    """Return the only feature of a model that takes texts. Raises AnswerError."""
    if len(declared.features) > 1:
        message = (
            f"the model takes one text, and {len(declared.features)} features are named "
            f"({listing(declared.names)}); name one."
        )
        raise AnswerError(Problem("features", message))
    name, sample = DEFAULT_NAME, case.sample
    notes: Notes = sample.notes if sample is not None else ()
    if declared.features:
        name = declared.features[0]["name"]
        if sample is not None and name not in sample.columns and DEFAULT_NAME not in sample.columns:
            raise AnswerError(_no_such_column(name, sample, facts))
    elif sample is not None and DEFAULT_NAME not in sample.columns:
        name = _only_text(sample, facts)
        notes += (f"The texts are the column {name} of {sample.path.name}.",)
    entry: Entry = declared.features[0] if declared.features else {"name": name}
    return {**entry, "type": "text", "nullable": False}, notes


def _only_text(sample: Sample, facts: ModelFacts) -> str:
    """Return the name of the column with the texts. Raises AnswerError if it is not clear."""
    possible = _texts(sample, facts)
    of_words = [c for c in possible if c.cells.spaced * 2 > c.rows - c.missing]
    found = of_words or possible
    # Behind a comma too many, a CSV has more cells than names: the rest of some texts.
    found = [column for column in found if column.named] or found
    if len(found) == 1:
        return found[0].name
    names = [column.name for column in found] or list(sample.columns)
    message = (
        f"the model takes one text, and it is not clear which column of {sample.path.name} holds "
        f"it: {listing(names)}. Name it: features={names[0]}"
    )
    raise AnswerError(Problem("features", message, Repair({"features": names[0]})))


def _texts(sample: Sample, facts: ModelFacts) -> list[ColumnFacts]:
    """Return the columns of text that are not what the model predicts."""
    return [
        column
        for column in sample.columns.values()
        if column.type in ("text", "category")
        and column.name != EXPECTED_COLUMN
        and not is_target(facts, column)
    ]


def _no_such_column(name: str, sample: Sample, facts: ModelFacts) -> Problem:
    texts: list[Scalar] = [column.name for column in _texts(sample, facts)]
    shown = [str(text) for text in texts] or list(sample.columns)
    message = (
        f"{sample.path.name} has no column {name!r}; its columns of text are {listing(shown)}. "
        f"Name the one that the model was trained on: features={shown[0]}"
    )
    return Problem("features", message, Repair({"features": shown[0]}))
