"""Convert the models of a folder in this environment, and print those that predict differently.

python compare.py FOLDER NAMES.json NEW_FOLDER
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from workbench.inspect.pickle.values import Global
from workbench.resave import load_old

warnings.simplefilter("ignore")
# Sums of products: another BLAS rounds them otherwise; so does another SciPy on some processors the
# logistic function, behind the probabilities of gradient boosting.
RELATIVE, ABSOLUTE = 1e-12, 1e-13
EXACT = "tree forest extra_trees bagging boosting_regressor neighbors columns_ordinal".split()


def differences(folder: Path, names: dict[str, Any], new: Path) -> Iterator[str]:
    native = json.loads((folder / "native.json").read_text(encoding="utf-8"))
    inputs = {"rows": np.array(native["rows"]), "texts": native["texts"]}
    if (folder / "frame.csv").exists():
        import pandas as pd  # noqa: PLC0415  # only where the old environment had it

        inputs["frame"] = pd.read_csv(folder / "frame.csv")
    for path, allowed in names.items():
        expected = native["models"][path]
        content = (folder / path).read_bytes()
        joblib.dump(load_old(content, {Global(*name) for name in allowed}), new / path)
        model = joblib.load(new / path)
        for method in ("predict", "predict_proba"):
            if method not in expected:
                continue
            served = np.asarray(getattr(model, method)(inputs[expected["kind"]]))
            wanted = np.asarray(expected[method])
            if not same(served, wanted, exact=path.startswith(tuple(EXACT))):
                yield f"{path}: {method} differs"


def same(served: Any, wanted: Any, *, exact: bool) -> bool:
    if exact or served.dtype.kind != "f":
        return bool((served == wanted).all())
    return bool(np.allclose(served, wanted, rtol=RELATIVE, atol=ABSOLUTE))


if __name__ == "__main__":
    folder, listed, new = map(Path, sys.argv[1:])
    names = json.loads(listed.read_text(encoding="utf-8"))
    print(json.dumps(list(differences(folder, names, new))))
