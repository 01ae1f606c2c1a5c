"""What the repository keeps of the sample: values, and whole rows only if the user says so."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest
from conftest import EXAMPLE, adopted
from hypothesis import given
from hypothesis import strategies as st

from workbench.adopt.csv.sample_rows import mixed
from workbench.verify.prove import prove

FRAME = pd.read_csv(EXAMPLE / "sample.csv").drop(columns="loan_status")


def kept_rows(project: Path) -> list[tuple[Any, ...]]:
    """Return all rows below model/, as texts of their values."""
    documents = [json.loads(path.read_text()) for path in (project / "model").glob("*.json")]
    rows = [
        row
        for d in documents
        for row in (*d.get("rows", ()), *d.get("examples", ()))
        if isinstance(row, dict)
    ]
    return [tuple(plain(row[name]) for name in FRAME.columns) for row in rows]


def plain(value: Any) -> str | float | None:
    """Return a value as the sample and JSON both have it."""
    if value is None or isinstance(value, str):
        return value
    return None if pd.isna(value) else float(value)


def project_of(folder: Path, **contract: Any) -> Path:
    document = json.loads((EXAMPLE / "features.json").read_text())
    (folder / "features.json").write_text(json.dumps({**document, **contract}))
    FRAME.to_csv(folder / "sample.csv", index=False)
    joblib.dump(joblib.load(EXAMPLE / "model.joblib"), folder / "model.joblib")
    answers = {"features": "features.json", "sample_data": "sample.csv"}
    project = adopted(folder, folder / "model.joblib", **answers)
    prove(project)
    return project


SAMPLE_ROWS = {tuple(map(plain, row)) for row in FRAME.itertuples(index=False)}


def test_no_row_of_the_sample_is_kept(tmp_path: Path) -> None:
    rows = kept_rows(project_of(tmp_path))
    assert len(rows) > 30
    assert not SAMPLE_ROWS & set(rows)


def test_whole_rows_are_kept_if_the_contract_says_so(tmp_path: Path) -> None:
    project = project_of(tmp_path, examples="whole")
    assert SAMPLE_ROWS & set(kept_rows(project))
    features = json.loads((project / "model" / "features.json").read_text())
    assert features["examples"] == "whole"


rows = st.lists(
    st.fixed_dictionaries(
        {"a": st.none() | st.floats(allow_nan=False), "b": st.sampled_from(["x", "y", None, True])}
    ),
    min_size=1,
)


@given(rows)
def test_mixing_keeps_the_values_and_forgets_the_order(rows: list[dict[str, Any]]) -> None:
    found = mixed(rows)
    for name in ("a", "b"):
        values = Counter(repr(row[name]) for row in rows)
        assert Counter(repr(row[name]) for row in found) == values
    if all(row["a"] != 0 for row in rows):  # 0.0 and -0.0 sort alike
        assert mixed(rows[::-1]) == found


@pytest.mark.parametrize("examples", ["some", 1])
def test_other_values_are_refused(tmp_path: Path, examples: Any) -> None:
    with pytest.raises(Exception, match='"examples" must be mixed or whole'):
        project_of(tmp_path, examples=examples)
