"""What a raw booster answers: a model of a boosting library without its scikit-learn class.

Its native number is the answer, as the library's own `predict` gives it: for two classes that is
the probability (CatBoost: the log-odds) of the second, so the task is regression. The contract may
ask for classes instead, between the two in `binary`. Probabilities of several classes are no
number: then the answer is the likeliest class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from workbench.inspect.errors import Refused, too_big
from workbench.inspect.facts import BoosterFacts, ClassLabel
from workbench.inspect.formats import pickled_boosters
from workbench.inspect.pickle.values import Global, Instance

RAW = frozenset(
    (
        Global("catboost.core", "CatBoost"),
        Global("lightgbm.basic", "Booster"),
        Global("xgboost.core", "Booster"),
    )
)
# What the libraries call their objectives. Others, and the user's own, give plain numbers.
BINARY = ("Logloss", "binary", "binary:logistic")
SEVERAL = ("MultiClass", "MultiClassOneVsAll", "multi:softprob", "multiclass", "multiclassova")
ONE_OF_SEVERAL = ("multi:softmax",)
LOGARITHMS = ("Poisson", "Tweedie")  # of which CatBoost's regressor gives the exponential

MOST_CLASSES = 100_000


@dataclass(frozen=True)
class BoosterOutput:
    """What a raw booster answers; the fields are those of Facts."""

    task: str
    classes: tuple[ClassLabel, ...] | None
    binary: tuple[ClassLabel, ...] | None
    n_outputs: int
    notices: tuple[str, ...]


def is_raw(cls: Global) -> bool:
    """Say whether a class is that of a model without scikit-learn's methods."""
    return cls in RAW


def answers_of(model: Instance) -> BoosterOutput:
    """Describe what a raw booster answers. Raises Refused."""
    facts, library = pickled_boosters.facts_of(model), pickled_boosters.library_of(model.cls)
    if not pickled_boosters.is_fitted(model):
        raise Refused(
            "unfitted",
            f"The {library} model in the file has not been fitted.",
            "Train it before you save it.",
        )
    if facts is None:
        raise too_big(f"the {library} model in it is too large or too damaged to be read")
    several = facts.objective in SEVERAL and 1 < facts.n_classes < MOST_CLASSES
    two = facts.objective in BINARY and facts.n_outputs == 1
    numbers: tuple[ClassLabel, ...] = tuple(range(facts.n_classes if several else 2))
    classes = facts.classes or numbers
    notices = tuple(_notices(facts, str(library), classes, several, two))
    if several:
        return BoosterOutput("classification", classes, None, 1, notices)
    n_outputs = facts.n_outputs
    if library == "LightGBM":  # a function of the user's own gives that many
        n_outputs = facts.n_classes
    elif library == "CatBoost":
        n_outputs = 1 if two else facts.n_classes
    return BoosterOutput("regression", None, classes if two else None, n_outputs, notices)


def _notices(
    facts: BoosterFacts, library: str, classes: tuple[ClassLabel, ...], several: bool, two: bool
) -> Iterator[str]:
    of = f"A raw {library} model of {facts.objective}"
    if several and facts.classes is None:
        yield (
            f"{of} answers with the likeliest class and the probabilities. It does not say its "
            f"classes: they are 0 to {len(classes) - 1}, as in training."
        )
    elif two:
        number = "the log-odds" if library == "CatBoost" else "the probability"
        yield (
            f"{of} answers with its own number, {number} of class {classes[1]}, unless the output "
            f"of a features file has `labels` of {classes[0]} and {classes[1]}, or `threshold` and "
            "`positive`: then with the class."
        )
    elif facts.objective in ONE_OF_SEVERAL:
        yield f"{of} answers with its own number, the index of the class, without probabilities."
    elif facts.objective in LOGARITHMS:
        yield f"{of} answers with its own number, a logarithm; `transform` of the output undoes it."
    if facts.stopped_early:
        yield (
            "Its training stopped early. A raw Booster answers with all of its trees, "
            "XGBClassifier with those up to the best round: for that, save the best part alone, "
            "booster[:booster.best_iteration + 1]."
        )
