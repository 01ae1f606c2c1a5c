"""make score with Parquet: the same values and messages as /predict, whatever Arrow's types."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import EXAMPLE
from flask.testing import FlaskClient

from .conftest import HERE, Child

ODD = (  # rows of the sample with one value changed, and what is wrong with it
    {"applicant_income": None},
    {"property_area": "Moon"},
    {"loan_amount": None},
    {"loan_term": 360.5},
    {"applicant_income": 0.1, "dependents": "9"},
)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """The sample's rows and some odd ones, as a JSON request has them."""
    with (EXAMPLE / "sample.csv").open(newline="") as file:
        sample = list(csv.DictReader(file))[:200]
    found: list[dict[str, Any]] = []
    for number, row in enumerate(sample):
        del row["loan_status"]
        typed: dict[str, Any] = {n: v or None for n, v in row.items()}
        for name in ("applicant_income", "coapplicant_income", "loan_amount", "loan_term"):
            typed[name] = float(typed[name]) if typed[name] else None
        found.append(
            {"id": f"r{number}", **typed, **(ODD[number // 40] if number % 40 == 7 else {})}
        )
    return found


@pytest.fixture(scope="module")
def parquet(
    rows: list[dict[str, Any]], with_pyarrow: Child, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    path = folder / "rows.parquet"
    result = with_pyarrow(HERE / "parquet_files.py", "write", folder / "rows.csv", path, 30)
    assert result.returncode == 0, result.stderr
    return path


def read(run: Child, path: Path) -> dict[str, Any]:
    result = run(HERE / "parquet_files.py", "read", path)
    assert result.returncode == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def answers(client: FlaskClient, rows: list[dict[str, Any]]) -> tuple[list[Any], list[Any]]:
    """Return /predict's predictions of the good rows, and its errors."""
    features = [{k: v for k, v in row.items() if k != "id"} for row in rows]
    errors = client.post("/predict", json={"rows": features}).json["errors"]
    bad = {error["row"] for error in errors}
    good = [row for number, row in enumerate(features, start=1) if number not in bad]
    predictions = client.post("/predict", json={"rows": good}).json["predictions"]
    return predictions, [(e["row"], e["feature"], e["message"]) for e in errors]


def test_columns_of_every_type_have_the_values_of_a_request(with_pyarrow: Child) -> None:
    result = with_pyarrow(HERE / "arrow_columns.py")
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) >= 600


@pytest.mark.parametrize("jobs", [1, 2])
def test_parquet_becomes_parquet(
    jobs: int,
    proven: Path,
    rows: list[dict[str, Any]],
    parquet: Path,
    client: FlaskClient,
    with_pyarrow: Child,
    tmp_path: Path,
) -> None:
    output = tmp_path / "scored.parquet"
    options = (f"INPUT={parquet}", f"OUTPUT={output}", f"JOBS={jobs}")
    result = with_pyarrow("-m", "workbench.score", *options, cwd=proven)
    assert result.returncode == 3, result.stderr
    predictions, errors = answers(client, rows)
    found = read(with_pyarrow, output)
    assert found["types"]["prediction"] == "string"
    assert found["types"]["loan_amount"] in ("double", "int64")
    bad = {row for row, _, _ in errors}
    assert [row["id"] for row in found["rows"]] == [
        row["id"] for number, row in enumerate(rows, start=1) if number not in bad
    ]
    for row, prediction in zip(found["rows"], predictions, strict=True):
        assert (row["prediction"], row["label"]) == (prediction["prediction"], prediction["label"])
        expected = pytest.approx(prediction["probabilities"]["Y"], rel=1e-12)
        assert row["probability_Y"] == expected
    with (tmp_path / "scored.parquet.rejected.csv").open(newline="") as file:
        listed = [(int(r["row"]), r["feature"], r["message"]) for r in csv.DictReader(file)]
    assert listed == errors


def test_kept_rows_have_their_error(
    proven: Path, rows: list[dict[str, Any]], parquet: Path, with_pyarrow: Child, tmp_path: Path
) -> None:
    output = tmp_path / "scored.parquet"
    options = (f"INPUT={parquet}", f"OUTPUT={output}", "ON_ERROR=keep", "COLUMNS=id")
    result = with_pyarrow("-m", "workbench.score", *options, "JOBS=1", cwd=proven)
    assert result.returncode == 3, result.stderr
    found = read(with_pyarrow, output)
    names = ["id", "prediction", "label", "probability_N", "probability_Y", "error"]
    assert list(found["types"]) == names
    assert len(found["rows"]) == len(rows)
    assert found["rows"][7] == {
        **dict.fromkeys(names),
        "id": "r7",
        "error": "applicant_income must not be null",
    }
    assert found["rows"][8]["error"] is None


def test_the_formats_of_input_and_output_are_free(
    proven: Path, parquet: Path, with_pyarrow: Child, tmp_path: Path
) -> None:
    outputs = {}
    for source in (parquet, parquet.with_name("rows.csv")):
        for suffix in ("csv", "parquet"):
            output = tmp_path / f"{source.suffix[1:]}.{suffix}"
            options = (f"INPUT={source}", f"OUTPUT={output}", "JOBS=1")
            result = with_pyarrow("-m", "workbench.score", *options, cwd=proven)
            assert result.returncode == 3, result.stderr
            outputs[source.suffix[1:], suffix] = output
    with (
        outputs["csv", "csv"].open(newline="") as one,
        outputs["parquet", "csv"].open(newline="") as other,
    ):
        pairs = list(zip(csv.DictReader(one), csv.DictReader(other), strict=True))
    for of_csv, of_parquet in pairs:
        assert (of_csv["id"], of_csv["prediction"]) == (of_parquet["id"], of_parquet["prediction"])
        assert float(of_csv["probability_Y"]) == pytest.approx(
            float(of_parquet["probability_Y"]), rel=1e-12
        )
    texts = read(with_pyarrow, outputs["csv", "parquet"])
    assert texts["types"]["loan_amount"] == "string"
    assert texts["types"]["probability_Y"] == "double"
    assert len(texts["rows"]) == len(pairs)


def test_what_is_no_parquet_file_is_refused(
    proven: Path, with_pyarrow: Child, tmp_path: Path
) -> None:
    (tmp_path / "rows.parquet").write_text("id,income\n")
    options = (f"INPUT={tmp_path}/rows.parquet", f"OUTPUT={tmp_path}/scored.csv")
    result = with_pyarrow("-m", "workbench.score", *options, cwd=proven)
    assert result.returncode == 1
    assert "rows.parquet cannot be read as Parquet" in result.stderr
    assert "Traceback" not in result.stderr
