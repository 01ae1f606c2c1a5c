"""Describe the predictions of a raw booster: a boosting model without its scikit-learn class.

The prediction is the number that the library's own `predict` returns. For two classes that is the
probability (CatBoost: the log-odds) of the second one, so the task is regression, and the contract
can ask for the classes in `binary` instead. For more classes the library returns probabilities: the
task is classification, and the prediction is the likeliest class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from workbench.inspect.facts import BoosterFacts, ClassLabel
from workbench.inspect.formats import pickled_boosters
from workbench.inspect.pickle.values import Global, Instance
from workbench.inspect.refused_file import RefusedFile, too_big

RAW = frozenset(
    (
        Global("catboost.core", "CatBoost"),
        Global("lightgbm.basic", "Booster"),
        Global("xgboost.core", "Booster"),
    )
)
# The libraries' names of objectives. All others, such as the user's own, predict plain numbers.
BINARY = ("Logloss", "binary", "binary:logistic")
MULTICLASS = ("MultiClass", "MultiClassOneVsAll", "multi:softprob", "multiclass", "multiclassova")
CLASS_INDEX = ("multi:softmax",)
LOG_LINK = ("Poisson", "Tweedie")  # CatBoostRegressor predicts the exponential of these

MAX_CLASSES = 100_000


@dataclass(frozen=True)
class BoosterOutput:
    """The predictions of a raw booster; the fields are those of ModelFacts."""

    task: str
    classes: tuple[ClassLabel, ...] | None
    binary: tuple[ClassLabel, ...] | None
    n_outputs: int
    notices: tuple[str, ...]


def is_raw(cls: Global) -> bool:
    """Return whether a class is a boosting model without scikit-learn's methods."""
    return cls in RAW


def output_of(model: Instance) -> BoosterOutput:
    """Describe the predictions of a raw booster. Raises RefusedFile if it cannot be read."""
    facts, library = pickled_boosters.facts_of(model), pickled_boosters.library_of(model.cls)
    if not pickled_boosters.is_fitted(model):
        raise RefusedFile(
            "unfitted",
            f"The {library} model in the file has not been fitted.",
            "Train it before you save it.",
        )
    if facts is None:
        raise too_big(f"the {library} model in it is too large or too damaged to be read")
    multiclass = facts.objective in MULTICLASS and 1 < facts.n_classes < MAX_CLASSES
    binary = facts.objective in BINARY and facts.n_outputs == 1
    numbers: tuple[ClassLabel, ...] = tuple(range(facts.n_classes if multiclass else 2))
    classes = facts.classes or numbers
    notices = tuple(_notices(facts, str(library), classes, multiclass, binary))
    if multiclass:
        return BoosterOutput("classification", classes, None, 1, notices)
    n_outputs = facts.n_outputs
    if library == "LightGBM":  # an objective of the user's own has that many outputs
        n_outputs = facts.n_classes
    elif library == "CatBoost":
        n_outputs = 1 if binary else facts.n_classes
    return BoosterOutput("regression", None, classes if binary else None, n_outputs, notices)


def _notices(
    facts: BoosterFacts,
    library: str,
    classes: tuple[ClassLabel, ...],
    multiclass: bool,
    binary: bool,
) -> Iterator[str]:
    name = f"A raw {library} model of {facts.objective}"
    if multiclass and facts.classes is None:
        yield (
            f"{name} answers with the likeliest class and the probabilities. It does not say its "
            f"classes: they are 0 to {len(classes) - 1}, as in training."
        )
    elif binary:
        number = "the log-odds" if library == "CatBoost" else "the probability"
        yield (
            f"{name} answers with its own number, {number} of class {classes[1]}, unless the "
            f"output of a features file has `labels` of {classes[0]} and {classes[1]}, or "
            "`threshold` and `positive`: then with the class."
        )
    elif facts.objective in CLASS_INDEX:
        yield f"{name} answers with its own number, the index of the class, without probabilities."
    elif facts.objective in LOG_LINK:
        yield (
            f"{name} answers with its own number, a logarithm; `transform` of the output undoes it."
        )
    if facts.stopped_early:
        yield (
            "Its training stopped early. A raw Booster answers with all of its trees, "
            "XGBClassifier with those up to the best round: for that, save the best part alone, "
            "booster[:booster.best_iteration + 1]."
        )
