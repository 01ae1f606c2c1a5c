"""Convert models in XGBoost's old binary format into the present one.

    python -m workbench.resave_booster    in a folder with `old` and `names.json`; makes new.joblib

`workbench.convert` starts it in the sandbox of the verification. `names.json` has the class of
scikit-learn's kind, null for a Booster, and the names of the features, null for none. For a model
inside of a Pipeline or a dict, `workbench.resave` reads the file, with the classes of `reader_of`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib
import xgboost

from workbench.inspect.formats.xgboost_model import binary_model
from workbench.inspect.old_booster import own_names

OLD, NEW, NAMES = "old", "new.joblib", "names.json"
CONVERTED = "new.ubj"
WRAPPERS = {"XGBClassifier": xgboost.XGBClassifier, "XGBRegressor": xgboost.XGBRegressor}


def main() -> None:
    """Convert the model `old` of the working directory."""
    about = json.loads(Path(NAMES).read_text(encoding="utf-8"))
    booster = xgboost.Booster(model_file=OLD)
    if about["feature_names"] is not None:
        booster.feature_names = about["feature_names"]
    wrapper = about["wrapper"]
    joblib.dump(booster if wrapper is None else _wrapped(WRAPPERS[wrapper](), booster), NEW)


def reader_of(name: str) -> type:
    """Return the class that an unpickler takes for one of XGBoost: its objects become present ones.

    What is neither a model nor a Booster, such as the encoder of the classes, is left out of them.
    """
    if name == "Booster":
        return type(name, (xgboost.Booster,), {"__setstate__": _set_booster})
    if name in WRAPPERS:
        return type(name, (WRAPPERS[name],), {"__setstate__": _set_model})
    return type(name, (), {})


def _set_booster(self: Any, state: Mapping[str, Any]) -> None:
    content = binary_model(bytes(state["handle"]))
    if content is None:
        raise ValueError("the file has a model in another format than the old one")
    self.__class__ = xgboost.Booster
    self.__init__(model_file=bytearray(content))
    names = own_names(state.get("feature_names"))
    if names:
        self.feature_names = names


def _set_model(self: Any, state: Mapping[str, Any]) -> None:
    self.__class__ = WRAPPERS[type(self).__name__]
    self.__init__()
    if isinstance(state.get("_Booster"), xgboost.Booster):
        _wrapped(self, state["_Booster"])


def _wrapped(model: Any, booster: Any) -> Any:
    booster.save_model(CONVERTED)
    model.load_model(CONVERTED)
    return model


if __name__ == "__main__":
    main()
