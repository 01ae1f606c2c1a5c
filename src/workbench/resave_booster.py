"""Load a model in XGBoost's old binary format, and save it in the present one.

    python -m workbench.resave_booster    in a folder with `old` and `names.json`; makes new.joblib

`workbench.convert` starts it in the sandbox of the verification. `names.json` has the class of
scikit-learn's kind, null for a Booster, and the names of the features, null for none.
"""

from __future__ import annotations

import json
from pathlib import Path

import joblib
import xgboost

OLD, NEW, NAMES = "old", "new.joblib", "names.json"
WRAPPERS = {"XGBClassifier": xgboost.XGBClassifier, "XGBRegressor": xgboost.XGBRegressor}


def main() -> None:
    """Convert the model `old` of the working directory."""
    about = json.loads(Path(NAMES).read_text(encoding="utf-8"))
    booster = xgboost.Booster(model_file=OLD)
    if about["feature_names"] is not None:
        booster.feature_names = about["feature_names"]
    if about["wrapper"] is None:
        joblib.dump(booster, NEW)
        return
    booster.save_model("new.ubj")
    model = WRAPPERS[about["wrapper"]]()
    model.load_model("new.ubj")
    joblib.dump(model, NEW)


if __name__ == "__main__":
    main()
