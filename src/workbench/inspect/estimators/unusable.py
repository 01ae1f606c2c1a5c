"""Refuse contents that cannot be served: no estimator, not fitted, or without predict."""

from __future__ import annotations

from workbench.inspect.estimators.composite import steps_of
from workbench.inspect.estimators.sklearn_classes import rules_of
from workbench.inspect.estimators.user_classes import UserClasses, has_method
from workbench.inspect.formats import pickled_boosters
from workbench.inspect.pickle.names import Estimator
from workbench.inspect.pickle.values import (
    Array,
    Blob,
    Dict,
    Global,
    Instance,
    Set,
    Several,
    is_torch,
)
from workbench.inspect.refused_file import RefusedFile

GIVE_A_MODEL = "Give a fitted scikit-learn model saved by joblib.dump or pickle.dump."

DESCRIPTIONS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (Array, "a numpy array"),
    (Dict, "a dict"),
    (Set, "a set"),
    (Several, "several objects, one after the other"),
    (tuple, "a tuple"),
    (list, "a list"),
    (str, "a text"),
    ((bytes, Blob), "text or bytes"),
    ((bool, int, float), "a number"),
)


def not_a_model(root: object) -> RefusedFile:
    """Return the refusal of a root object that is no estimator."""
    if isinstance(root, Instance) and pickled_boosters.library_of(root.cls):
        return pickled_boosters.unsupported_object(root.cls)
    if is_torch(root):
        return RefusedFile("unsupported", "The file is a PyTorch model.", GIVE_A_MODEL)
    what = f"The file holds {_description(root)}, not a model."
    return RefusedFile("not_a_model", what, GIVE_A_MODEL)


def _description(root: object) -> str:
    if isinstance(root, Global):
        return f"the class {root.name} itself"
    if isinstance(root, Instance):
        name = root.cls.name
        if name == "object":  # the file names only a helper, as for a pandas Index
            return f"an object of {root.cls.module}"
        return f"{'an' if name[:1] in 'AEIOU' else 'a'} {name}"
    return next((words for kind, words in DESCRIPTIONS if isinstance(root, kind)), "nothing")


def require_fitted(final: Instance) -> None:
    """Raise RefusedFile for an estimator that was never fitted."""
    # By scikit-learn's convention fitting adds attributes that end with an underscore.
    attributes = final.attributes()
    names = [name for name, _ in attributes.pairs()] if attributes is not None else []
    fitted = any(
        isinstance(name, str) and name.endswith("_") and not name.startswith("__") for name in names
    )
    if pickled_boosters.library_of(final.cls):
        fitted = pickled_boosters.is_fitted(final)
    if not fitted:
        raise RefusedFile(
            "unfitted",
            f"The {final.cls.name} in the file has not been fitted.",
            "Call fit before you save it.",
        )
    if pickled_boosters.is_of_old_lightgbm(final):
        raise RefusedFile(
            "old_version",
            f"The {final.cls.name} in the file was saved by a LightGBM before 3.3, and newer ones "
            "take it for one that was not fitted.",
            "Load it with the LightGBM that saved it, save its trees by "
            "model.booster_.save_model('model.txt'), and give that file.",
        )
    if rules_of(final.cls.name).wraps:
        raise RefusedFile(
            "not_refitted",
            f"The {final.cls.name} in the file holds no fitted model.",
            "Run it with refit=True, or save the model itself.",
        )


def require_transform(final: Instance, user_classes: UserClasses) -> None:
    """Raise RefusedFile for an object of the user's own class that can transform nothing.

    Only fitting gives most of them a state; how they call it is the author's choice.
    """
    name = final.cls.name
    if not has_method(final.cls, "transform", user_classes):
        raise RefusedFile(
            "not_a_transformer",
            f"Its class {name} has no method transform.",
            "Give a fitted transformer, or put what the class does into a function prepare.",
        )
    if final.cls.name and final.attributes() is None and not final.args:
        raise RefusedFile(
            "unfitted",
            f"The {name} in the file has no attributes, so it has not been fitted.",
            "Call fit before you save it.",
        )


def require_prediction(final: Instance, known: Estimator) -> None:
    """Raise RefusedFile for a known estimator that cannot predict for new rows."""
    name = final.cls.name
    rules = rules_of(name)
    can_predict = "predict" in known.methods or "predict?" in known.methods
    if rules.can_predict is not None:
        can_predict = rules.can_predict(final)
    if steps_of(final):
        raise RefusedFile(
            "not_a_model",
            "The pipeline in the file ends without a model.",
            "Save the whole fitted pipeline, whose last step predicts.",
        )
    if can_predict:
        return
    if known.kind == "transformer":
        raise RefusedFile(
            "not_a_model",
            f"The file holds a {name}, which transforms but does not predict.",
            "Give the model; a transformer belongs to the question `transformers`.",
        )
    raise RefusedFile(
        "not_a_model",
        f"The file holds a {name}, which cannot predict for new rows.",
        "Give a model that has a predict method.",
    )
