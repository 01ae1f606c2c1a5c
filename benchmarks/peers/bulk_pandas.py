"""The peer of bulk.py: pandas and the model itself, in a process of its own.

    python bulk_pandas.py MODEL CSV ROWS JSON ROWS OUTPUT

writes both files if they do not exist. Then it reads a word from each line of standard input, `csv`
or `json`, predicts that file, and prints the seconds of CPU time and of wall-clock time. The CSV
with predictions is written to OUTPUT.
"""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path

import joblib
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples" / "loan_model"))
import train as loan  # noqa: E402

SEED = 7


def write_rows(as_csv: Path, csv_rows: int, as_json: Path, json_rows: int) -> None:
    """Write loans without the target, as a CSV and as a JSON request."""
    text = loan.to_csv(loan.simulate(csv_rows, SEED))
    frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    frame.drop(columns=loan.TARGET).to_csv(as_csv, index=False)
    rows = pd.read_csv(as_csv, nrows=json_rows).to_json(orient="records")
    as_json.write_text(f'{{"rows": {rows}}}', encoding="utf-8")


def main(model_file: str, csv_file: str, csv_rows: str, *others: str) -> None:
    """Predict a file for each line of standard input."""
    json_file, json_rows, output_file = others
    as_csv, as_json, output = Path(csv_file), Path(json_file), Path(output_file)
    if not as_json.exists():
        write_rows(as_csv, int(csv_rows), as_json, int(json_rows))
    model = joblib.load(model_file)
    for word in sys.stdin:
        path = as_csv if word.strip() == "csv" else as_json
        body = path.read_bytes()
        cpu, clock = time.process_time(), time.perf_counter()
        if path is as_csv:
            frame = pd.read_csv(io.BytesIO(body))
        else:
            frame = pd.DataFrame(json.loads(body)["rows"])
        probabilities = model.predict_proba(frame)
        if path is as_csv:
            for index, name in enumerate(model.classes_):
                frame[f"probability_{name}"] = probabilities[:, index]
            answer = frame.to_csv(index=False)
        else:
            answer = json.dumps({"predictions": probabilities.tolist()})
        cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
        if path is as_csv:
            output.write_text(answer, encoding="utf-8")
        print(json.dumps([cpu, clock]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
