"""MLflow: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/."""

import os
import tempfile
from pathlib import Path

import joblib
import mlflow

path = Path(tempfile.mkdtemp()) / "model"
mlflow.sklearn.save_model(
    joblib.load(os.environ["MODEL"]),
    path,
    serialization_format="cloudpickle",
    pyfunc_predict_fn="predict_proba",
)
command = ["mlflow", "models", "serve", "--model-uri", str(path), "--env-manager", "local"]
os.execvp("mlflow", [*command, "--port", os.environ["PORT"], "--workers", "1"])
