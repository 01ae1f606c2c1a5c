"""Files scored beside the oldest libraries that are served, by a pool and by Dask."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import pytest
from conftest import EXAMPLE, environment
from zoo.run_zoo import YEARS, adopt_into, run
from zoo.run_zoo import environment as new_environment

from workbench.lock.environment import find_python
from workbench.lock.table import PYARROW

from .conftest import HERE

pytestmark = [pytest.mark.slow, pytest.mark.heavy]
ROWS = 60_000  # of several parts
TRAIN = """
import json, sys
import joblib, pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
frame = pd.read_csv(sys.argv[1], dtype={"dependents": str})
target = frame.pop("loan_status")
numbers = frame.select_dtypes("number").columns
steps = make_column_transformer(
    (SimpleImputer(), numbers),
    (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()),
     [name for name in frame if name not in numbers]),
)
model = make_pipeline(steps, RandomForestClassifier(20, random_state=0)).fit(frame, target)
joblib.dump(model, sys.argv[2])
print(json.dumps(model.predict_proba(frame)[:, 1].tolist()))
"""
PROVE = """
import sys
from pathlib import Path
from workbench.verify.prove import prove
prove(Path(sys.argv[1]))
"""


def test_a_pool_and_dask_score_with_the_oldest_pins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = find_python("3.10")
    if base is None:
        pytest.skip("Python 3.10 does not run here")
    trained = new_environment(base, YEARS["1.0"][:4], tmp_path / "trained")
    model, sample = tmp_path / "model.joblib", EXAMPLE / "sample.csv"
    expected = json.loads(run(trained, "-c", TRAIN, str(sample), model))
    answers = {"model_path": str(model), "features": str(EXAMPLE / "features.json")}
    pins = adopt_into(tmp_path, {**answers, "sample_data": str(sample)}, "3.10")
    extra = ("distributed", f"pyarrow=={PYARROW['3.10']}")
    python = new_environment(base, (*pins, *extra), tmp_path / "pinned")
    project = tmp_path / "project"
    run(python, "-c", PROVE, project)

    header, *rows = sample.read_text(encoding="utf-8").splitlines()
    loans, parquet = tmp_path / "loans.csv", tmp_path / "loans.parquet"
    loans.write_text("\n".join([header, *(rows * (ROWS // len(rows)))]), encoding="utf-8")
    run(python, HERE / "parquet_files.py", "write", loans, parquet, "20000")

    def score(source: Path, name: str, **options: str) -> bytes:
        output = tmp_path / f"{name}{source.suffix}"
        words = {"INPUT": str(source), "OUTPUT": str(output), **options}
        run(python, "-m", "workbench.score", *(f"{k}={v}" for k, v in words.items()))
        return output.read_bytes()

    monkeypatch.chdir(project)
    cluster = subprocess.Popen(
        [python, HERE / "dask_cluster.py"],
        env=environment(OMP_NUM_THREADS="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert cluster.stdout is not None
        engine = f"dask://{cluster.stdout.readline().strip()}"
        for source in (loans, parquet):
            alone = score(source, "alone", JOBS="1")
            assert score(source, "pool", JOBS="2") == alone
            assert score(source, "dask", ENGINE=engine) == alone
    finally:
        cluster.communicate("")
    with (tmp_path / "alone.csv").open(newline="") as file:
        found = [float(row["probability_Y"]) for row in csv.DictReader(file)]
    assert found[: len(expected)] == pytest.approx(expected, rel=1e-12)
