"""Find the columns of a sample that are no features: the target, and an index."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model_service.contract.contract import Contract
from model_service.contract.json_values import Scalar
from model_service.contract.typed_text import sample_number
from workbench.adopt.csv.sample import EXPECTED_COLUMN, ColumnFacts, Sample
from workbench.errors import listing
from workbench.inspect import ModelFacts

# Names that hardly any feature has, without underscores, spaces and case.
_TARGET = re.compile(
    r"y|ytrue|target\w*|\w*target|labels?|class|outcome|response|groundtruth|dependentvariable"
)
# Names of targets of well-known data sets: enough for a column that holds the model's classes, or
# for the last one if the model predicts numbers.
_USUAL = frozenset(
    """
    survived churn churned exited attrition default diagnosis species variety quality loanstatus
    loanapproved approved status result fraud isfraud spam isspam sentiment category income risk
    deposit subscribed purchased clicked stroke heartdisease cardio left placed winner rating
    price saleprice sellingprice houseprice medv medianhousevalue charges salary mpg cnt count sales
    score strength wage profit revenue fareamount tripduration yield expenses premium co2emissions
    """.split()
)
_SEPARATORS = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Columns:
    """The columns of a sample by what they are for a model that does not name its own."""

    features: tuple[str, ...]
    index: tuple[str, ...] = ()
    target: str | None = None  # only if it is certain
    likely: str | None = None  # what can be the target, if none is certain

    def notes(self, sample: Sample) -> Iterator[str]:
        """Yield which columns were left out."""
        if self.index:
            yield f"{listing(self.index)} of {sample.path.name} counts its rows: left out."
        if self.target is not None:
            yield (
                f"{self.target} of {sample.path.name} is what the model predicts, so it is no "
                "feature."
            )


def feature_columns(facts: ModelFacts, sample: Sample) -> Columns:
    """Return the columns that can be a model's features; as many as it takes, if possible."""
    names = tuple(sample.columns)
    target = find_target(facts, sample, names)
    # Texts become several columns, so that as many columns as the model takes are a coincidence.
    is_sure = target is not None and (_is_called_target(target) or _has_texts(sample))
    if len(names) == facts.n_features and not is_sure:
        return Columns(names)
    index = tuple(name for name in names if sample.columns[name].counts_rows)
    left_out = {EXPECTED_COLUMN, *index}
    if facts.n_features is not None and len(names) - len(left_out & {*names}) < facts.n_features:
        left_out, index = {EXPECTED_COLUMN}, ()  # it was trained on the index
    rest = tuple(name for name in names if name not in left_out)
    if len(rest) == facts.n_features and not is_sure:
        return Columns(rest, index)
    if target in rest:
        return Columns(tuple(name for name in rest if name != target), index, target)
    likely = _likely(facts, sample, rest)
    if likely is not None and facts.n_features and _is_only_text(sample, rest, likely):
        return Columns(tuple(name for name in rest if name != likely), index, likely)
    return Columns(rest, index, likely=likely)


def _is_only_text(sample: Sample, names: Sequence[str], likely: str) -> bool:
    """Return whether what is likely the target is the last column, and all others are numbers."""
    others = [name for name in names if name != likely]
    return (
        likely == names[-1]
        and not sample.columns[likely].numeric
        and all(sample.columns[name].numeric for name in others)
        and not any(_is_identifier(sample, name) for name in others)
    )


def _has_texts(sample: Sample) -> bool:
    """Return whether a column has texts that hardly any training takes for two numbers."""
    columns = sample.columns.values()
    return any(c.type == "text" or (not c.numeric and len(c.categories or ()) > 2) for c in columns)


def find_target(facts: ModelFacts, sample: Sample, names: Sequence[str]) -> str | None:
    """Return the column that is certainly the target, or None."""
    possible = [name for name in names if _is_possible(sample.columns[name], facts)]
    called = [name for name in possible if _is_called_target(name)]
    if len(called) == 1:
        return called[0]
    known = [name for name in possible if plain(name) in _USUAL]
    if facts.task != "classification":
        return known[0] if not called and known == [names[-1]] else None
    with_classes = [name for name in possible if _holds_classes(sample.columns[name], facts)]
    if len(with_classes) == 1 and not called:
        return with_classes[0]
    return known[0] if len(known) == 1 and not called else None


def target_beside(facts: ModelFacts, sample: Sample, contract: Contract) -> str | None:
    """Return the column beside the features that is the only target, or None.

    The first or last column is the target if all others are features, and its values can be one.
    """
    if facts.task not in ("classification", "regression") or contract.output.targets is not None:
        return None
    used = {EXPECTED_COLUMN, *contract.by_name, *contract.unused}
    used |= {name for f in contract.features for name in (f.one_hot or {}).values()}
    names = [name for name, c in sample.columns.items() if name not in used and not c.counts_rows]
    found = find_target(facts, sample, names) if names else None
    columns = list(sample.columns)
    if found is None and len(names) == 1 and names[0] in (columns[0], columns[-1]):
        is_possible = _is_possible(sample.columns[names[0]], facts)
        return names[0] if is_possible and not _is_identifier(sample, names[0]) else None
    return found


def called_target(names: Sequence[str]) -> str | None:
    """Return the only name that hardly any feature has, or that pandas gives to an index."""
    found = [name for name in names if _is_called_target(name) or name == "Unnamed: 0"]
    return found[0] if len(found) == 1 else None


def is_target(facts: ModelFacts, column: ColumnFacts) -> bool:
    """Return whether a column holds the classes of the model, or their labels."""
    return facts.task == "classification" and _is_possible(column, facts)


def _is_identifier(sample: Sample, name: str) -> bool:
    """Return whether a column has another whole number in each row."""
    numbers = [sample_number(row.get(name)) for row in sample.rows]
    whole = [number for number in numbers if number is not None and number.is_integer()]
    return len(numbers) == len(whole) == len(set(whole))


def _likely(facts: ModelFacts, sample: Sample, names: Sequence[str]) -> str | None:
    """Return the last column that can be the target, if the model takes one column less."""
    if facts.n_features is not None and len(names) != facts.n_features + 1:
        return None
    possible = [name for name in names if _is_possible(sample.columns[name], facts)]
    if facts.task is None or not possible:
        return None
    at_ends = [name for name in possible if name in (names[0], names[-1])]
    # A spelling too many is no reason to take a column from the middle.
    is_text = facts.task == "classification" and not sample.columns[names[-1]].numeric
    return at_ends[-1] if at_ends else names[-1] if is_text else possible[-1]


def _is_called_target(name: str) -> bool:
    return _TARGET.fullmatch(plain(name)) is not None


def plain(name: str) -> str:
    """Return a name without case, spaces and signs."""
    return _SEPARATORS.sub("", name).casefold()


def _is_possible(column: ColumnFacts, facts: ModelFacts) -> bool:
    """Return whether a column can hold what the model predicts."""
    if facts.task == "regression":
        return column.numeric
    if facts.task != "classification":
        return _is_called_target(column.name)
    return _holds_classes(column, facts) or _holds_labels(column, facts)


def _holds_classes(column: ColumnFacts, facts: ModelFacts) -> bool:
    return _classes(facts) == {*(column.categories or ())} != set()


def _holds_labels(column: ColumnFacts, facts: ModelFacts) -> bool:
    """Return whether a text column has as many values as the model has codes of classes."""
    values, classes = column.categories or (), _classes(facts)
    coded = all(isinstance(label, (int, float)) for label in classes)
    return not column.numeric and coded and len(values) == len(classes) > 0


def _classes(facts: ModelFacts) -> set[Scalar]:
    return {*(facts.classes or facts.binary or ())}
