"""An MLflow model folder, as `mlflow.sklearn.save_model` writes it for a nameless forest."""

import json
from pathlib import Path

import cloudpickle
import numpy as np
from sklearn.ensemble import RandomForestRegressor

random = np.random.RandomState(0)
rows = random.uniform(0, 9, size=(90, 3))
model = RandomForestRegressor(n_estimators=5, random_state=0).fit(rows, rows[:, 1] * 3)
names = ["alcohol", "sugar", "acid"]
folder = Path("mlmodel")
folder.mkdir()
with (folder / "model.pkl").open("wb") as file:
    cloudpickle.dump(model, file)
columns = json.dumps([{"type": "double", "name": name, "required": True} for name in names])
(folder / "MLmodel").write_text(f"""\
artifact_path: model
flavors:
  python_function:
    loader_module: mlflow.sklearn
    model_path: model.pkl
    python_version: 3.11.7
  sklearn:
    pickled_model: model.pkl
    serialization_format: cloudpickle
    sklearn_version: 1.5.2
mlflow_version: 2.16.2
saved_input_example_info:
  artifact_path: input_example.json
  pandas_orient: split
  type: dataframe
signature:
  inputs: '{columns}'
  outputs: '[{{"type": "double"}}]'
""")
example = {"columns": names, "data": rows[:3].tolist()}
(folder / "input_example.json").write_text(json.dumps(example))
(folder / "requirements.txt").write_text("mlflow==2.16.2\nscikit-learn==1.5.2\n")
native = {
    "rows": [dict(zip(names, row, strict=True)) for row in rows[:9].tolist()],
    "predictions": model.predict(rows[:9]).tolist(),
}
Path("native.json").write_text(json.dumps(native))
