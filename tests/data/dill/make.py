"""Make the files beside this one: models saved by dill, as many courses teach it.

uv run --no-project --python 3.11 --with dill==0.4.0,scikit-learn==1.6.1,pandas make.py
"""

from pathlib import Path

import dill
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

HERE = Path(__file__).resolve().parent
ROWS = pd.DataFrame(
    {"income": np.linspace(1000, 9000, 30), "area": ["Rural", "Urban", "Semiurban"] * 10}
)
DECISIONS = ["Y", "N", "Y"] * 10

columns = ColumnTransformer(
    [("numbers", StandardScaler(), ["income"]), ("texts", OneHotEncoder(dtype=float), ["area"])]
)
pipeline = make_pipeline(columns, LogisticRegression()).fit(ROWS, DECISIONS)
with_code = make_pipeline(FunctionTransformer(lambda rows: rows), pipeline).fit(ROWS, DECISIONS)

for name, model in {"pipeline": pipeline, "lambda": with_code}.items():
    # Code names the file that it is of: without this machine's folder, and as long as before.
    folder = str(HERE).encode()
    content = dill.dumps(model).replace(folder, b"." * len(folder))
    (HERE / f"{name}.pkl").write_bytes(content)
