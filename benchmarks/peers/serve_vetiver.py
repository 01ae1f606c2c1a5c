"""vetiver: https://rstudio.github.io/vetiver-python/stable/."""

import os
from pathlib import Path

import joblib
import pandas as pd
from vetiver import VetiverAPI, VetiverModel

file = Path(os.environ["MODEL"])
rows = pd.read_json(file.with_name("rows.json"), dtype=False)
has_text = list(rows) == ["text"]
model = VetiverModel(joblib.load(file), "model", prototype_data=None if has_text else rows.head(1))
app = VetiverAPI(model, check_prototype=not has_text).app
