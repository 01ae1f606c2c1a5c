"""Refuse parameters of known estimators that make them reach outside of the process.

`n_jobs`, `verbose`, `memory` and paths of the boosting libraries are let through, because nothing
uses them: the service predicts with joblib's sequential backend, and never fits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from workbench.inspect.pickle.object_walk import Place, items_of
from workbench.inspect.pickle.values import Dict, Global, Instance
from workbench.inspect.refused_file import RefusedFile

# Attributes of a fitted estimator, and of one in it.
ATTRIBUTE_PATH = re.compile(
    r"auto|((named_steps|named_transformers_|named_estimators_)\.[^\W_]\w*\.|"
    r"(best_estimator_|classifier_|estimator_|final_estimator_|regressor_)\.)*"
    r"(coef_|feature_importances_)"
)
RESPONSE_METHODS = frozenset(
    "auto decision_function predict predict_log_proba predict_proba score_samples transform".split()
)
# Attributes with the name of a method that is called.
METHOD_NAMES = ("_response_method", "response_method", "stack_method", "stack_method_")
# LightGBM's native code gets the parameters with each prediction; these open files and sockets.
# All aliases: https://lightgbm.readthedocs.io/en/stable/Parameters.html, and those of version 2.
LIGHTGBM_PARAMETERS = frozenset(
    """
    config config_file convert_model convert_model_file data data_filename forced_splits
    forced_splits_file forced_splits_filename forcedbins_filename forcedsplits_filename fs
    init_score_file init_score_filename initscore_filename input_init_score input_model
    is_save_binary is_save_binary_file local_listen_port local_port machine_list machine_list_file
    machine_list_filename machines mlist model_in model_input model_out model_output name_pred nodes
    num_machine num_machines output_model output_result parser_config_file port pred_name
    predict_name predict_result prediction_name prediction_result save_binary save_period
    snapshot_freq test test_data test_data_file train train_data train_data_file valid valid_data
    valid_data_file valid_data_init_scores valid_data_initscores valid_filenames valid_init_score
    valid_init_score_file workers
    """.split()
)
LIGHTGBM_DICTS = ("_other_params", "params")  # attributes with a dict of parameters
ONE_MACHINE = {
    **dict.fromkeys(("num_machine", "num_machines"), 1),
    **dict.fromkeys(("is_save_binary", "is_save_binary_file", "save_binary"), False),
    **dict.fromkeys(("save_period", "snapshot_freq"), -1),
}


def check_parameter(place: Place, value: object) -> None:
    """Raise RefusedFile if an attribute of a known estimator reaches outside."""
    if not place.of_library or place.owner is None:
        return
    cls, name = place.owner.cls, place.attribute
    if name == "input" and cls.module == "sklearn.feature_extraction.text" and value != "content":
        raise _refused(
            place,
            value,
            "it opens the files that callers name",
            "Fit it with input='content' on the texts themselves, and save again.",
        )
    if name in ("importance_getter", "getter") and not _is_getter(value):
        raise _refused(
            place,
            value,
            "it can be the path to any function",
            f"Set {name}='auto', or a path to coef_ or feature_importances_, and save again.",
        )
    if name in METHOD_NAMES and not _names_methods(value):
        raise _refused(
            place,
            value,
            "it names a method that is called",
            f"Set it to one of {', '.join(sorted(RESPONSE_METHODS))}, fit and save again.",
        )
    if name == "_skl_callbacks" and value:
        raise _refused(
            place,
            value,
            "callbacks connect to other processes",
            "Remove the callbacks with model.set_callbacks(), and save again.",
        )
    if name == "random_state" and not _is_random_state(value):
        raise _refused(
            place,
            value,
            "it is no state of a random generator",
            "Set random_state to a whole number, fit and save again.",
        )
    if name == "n_jobs" and not isinstance(value, int | float | None) and value != "deprecated":
        raise _refused(place, value, "it is no number", "Set n_jobs=None and save the model again.")
    if cls.module.startswith("interpret.") and name.endswith("_") and _is_object(value):
        raise _refused(
            place,
            value,
            "interpret hands the addresses of what it was fitted to to native code",
            "Fit the model again, and save it as it is.",
        )
    if cls.module.startswith("lightgbm."):
        _check_lightgbm(place, value)


def _is_getter(value: object) -> bool:
    """Return whether a getter of importances is a known path; functions are checked by name."""
    if isinstance(value, str):
        return ATTRIBUTE_PATH.fullmatch(value) is not None
    return value is None or isinstance(value, Global | Instance)  # not a text too long to keep


def _names_methods(value: object) -> bool:
    names = value if isinstance(value, tuple | list) else (value,)
    return all(name is None or (type(name) is str and name in RESPONSE_METHODS) for name in names)


def _is_random_state(value: object) -> bool:
    if isinstance(value, Instance):
        return value.cls.module.split(".")[:2] == ["numpy", "random"]
    # Text is "deprecated", for example. A name here needs trust: no known function makes numbers.
    return value is None or isinstance(value, int | str | Global)


def _is_object(value: object) -> bool:
    """Return whether a value is more than numbers, texts, arrays, lists and dicts."""
    return isinstance(value, Instance | Global)


def _check_lightgbm(place: Place, value: object) -> None:
    """Check a parameter of LightGBM's, or those in a dict of them."""
    pairs: Mapping[object, object] = {place.attribute: value}
    items = items_of(value)
    if items is not None:
        pairs = {key: held for key, held in items.pairs() if isinstance(key, str)}
    # What is no parameter has other keys: a classifier numbers its classes in a dict.
    is_hidden = value is not None and not _has_texts_as_keys(items)
    if place.attribute in LIGHTGBM_DICTS and is_hidden and place.is_of(value):
        raise _refused(place, value, "it is no dict of parameters", "Save the model again.")
    for name, held in pairs.items():
        if name in LIGHTGBM_PARAMETERS and held is not None and held != ONE_MACHINE.get(str(name)):
            raise RefusedFile(
                "dangerous",
                f"{place} has {name}={_shown(held)}: it names a file or another machine.",
                f"Remove it with model.set_params({name}=None), and save again.",
            )


def _has_texts_as_keys(items: Dict | None) -> bool:
    return items is not None and all(type(key) is str for key, _ in items.pairs())


def _refused(place: Place, value: object, why: str, remedy: str) -> RefusedFile:
    return RefusedFile(
        "dangerous", f"{place} has {place.attribute}={_shown(value)}: {why}.", remedy
    )


def _shown(value: object) -> str:
    if isinstance(value, Instance | Global):
        return value.cls.name if isinstance(value, Instance) else value.name
    return repr(value)[:60] if isinstance(value, str | int | float | bool) else "(…)"
