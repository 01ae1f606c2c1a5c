"""MLServer, its own runtime for scikit-learn: https://docs.seldon.ai/mlserver/examples/sklearn.

Adaptive batching: https://docs.seldon.ai/mlserver/user-guide/adaptive-batching.
"""

import json
import os
import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp())
port = int(os.environ["PORT"])
model = {
    "name": "model",
    "implementation": "mlserver_sklearn.SKLearnModel",
    "parameters": {"uri": os.environ["MODEL"]},
    "max_batch_size": 32,
    "max_batch_time": 0.005,
}
settings = {
    "debug": False,
    "host": "127.0.0.1",
    "http_port": port,
    "grpc_port": port + 1,
    "metrics_port": port + 2,
    "parallel_workers": 1,
}
(folder / "model-settings.json").write_text(json.dumps(model))
(folder / "settings.json").write_text(json.dumps(settings))
os.chdir(folder)
os.execvp("mlserver", ["mlserver", "start", "."])
