"""Ask the service of an adopted model and print its answers, from the environment of its pins.

python ask.py PROJECT ROWS.csv
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd

from model_service.model.loading import load_model
from model_service.web.app import create_app

for project, rows in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
    client = create_app(load_model(Path(project, "model"))).test_client()
    table = pd.read_csv(rows).astype(object)
    records = table.where(table.notna(), None).to_dict("records")
    response = client.post("/predict", json={"rows": records})
    assert response.status_code == 200, response.text
    print(json.dumps(json.loads(response.text)["predictions"]))
