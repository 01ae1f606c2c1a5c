"""What stands beside predictions in the output of make score: warnings, and reasons."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import EXAMPLE
from flask.testing import FlaskClient

from workbench.errors import UserError
from workbench.score import __main__ as command
from workbench.score import work

from .conftest import GOOD, HEADER, HERE, Child

pytestmark = pytest.mark.usefixtures("small_parts")
UNUSUAL = "391000,0,1,Graduate,No,120000,36000,good,Urban"
BAD = "5000,0,1,Graduate,No,much,360,good,Urban"
REFUSED = "2000,0,2,Graduate,No,400000,180,bad,Rural"
ROW_COUNT = 40
WARNING = (
    "applicant_income: 391000 is outside 1500 to 25000, the usual range; "
    "loan_term: 36000 is outside 120 to 360, the usual range"
)


def loans(path: Path, others: dict[int, str], bad: bool = True) -> Path:
    """Write rows, of which some are others and some, if wanted, cannot be read."""
    rows = [f"r{number},{others.get(number, GOOD)}" for number in range(ROW_COUNT)]
    rows[7] = rows[7].replace("r7", '"a\nb, é"')
    rows[17:17] = [f"bad,{BAD}", "short,1"] if bad else []
    path.write_text("\n".join([HEADER, *rows]), encoding="utf-8")
    return path


def score(project: Path, source: Path, suffix: str = ".csv", **options: Any) -> bytes:
    output = source.with_name(f"scored{suffix}")
    command.score(project, {"JOBS": "1", "INPUT": str(source), "OUTPUT": str(output), **options})
    return output.read_bytes()


def answer(client: FlaskClient, source: Path, query: str = "") -> bytes:
    response = client.post(f"/predict{query}", data=source.read_bytes(), content_type="text/csv")
    assert response.status_code == 200, response.text
    return response.data


UNUSUAL_ROWS = pytest.mark.parametrize("unusual", [[0], [20], [39], [3, 4, 30], range(40)], ids=str)


@UNUSUAL_ROWS
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_warnings_are_those_of_the_service(
    unusual: list[int], jobs: str, proven: Path, client: FlaskClient, tmp_path: Path
) -> None:
    source = loans(tmp_path / "loans.csv", dict.fromkeys(unusual, UNUSUAL))
    found = score(proven, source, ON_ERROR="keep", JOBS=jobs)
    assert found == answer(client, source, "?on_error=keep")
    assert found.decode().count(WARNING) == len(unusual)


@UNUSUAL_ROWS
def test_without_the_rejected_rows_too(
    unusual: list[int],
    proven: Path,
    client: FlaskClient,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = loans(tmp_path / "loans.csv", dict.fromkeys(unusual, UNUSUAL))
    found = score(proven, source)
    assert f"42 rows, 2 rejected, {len(unusual)} with warnings, in " in capsys.readouterr().out
    good = loans(tmp_path / "good.csv", dict.fromkeys(unusual, UNUSUAL), bad=False)
    assert found == answer(client, good)


def test_each_file_of_a_folder_has_the_column_or_none(proven: Path, tmp_path: Path) -> None:
    source = loans(tmp_path / "loans.csv", {30: UNUSUAL}, bad=False)
    output = tmp_path / "scored"
    command.score(proven, {"JOBS": "1", "INPUT": str(source), "OUTPUT": f"{output}/"})
    headers = {path.read_text().partition("\n")[0] for path in output.iterdir()}
    assert len(list(output.iterdir())) > 3
    assert [header.rpartition(",")[2] for header in headers] == ["warnings"]


def test_reasons_are_those_of_the_service(
    proven: Path, client: FlaskClient, tmp_path: Path
) -> None:
    source = loans(tmp_path / "loans.csv", {5: REFUSED, 20: UNUSUAL, 31: REFUSED})
    found = score(proven, source, ON_ERROR="keep", EXPLAIN="3")
    assert found == answer(client, source, "?on_error=keep&reasons=3")
    header, first = found.decode().split("\r\n")[0], found.decode().split("\r\n")[6]
    names = ["reason_1", "reason_2", "reason_3", "warnings", "error"]
    assert header.split(",")[-5:] == names
    assert first.startswith("r5,2000")
    assert "credit_history is bad" in first


def test_other_numbers_of_reasons_begin_anew(
    proven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run with reasons goes on where it was ended, unless the option has changed."""
    source = loans(tmp_path / "loans.csv", {5: REFUSED})
    scored: list[str] = []
    original = work._score

    def counted(scorer: Any, job: Any, part: Any) -> Any:
        scored.append(f"{job.reasons}: {part.number}")
        if len(scored) == 3:
            raise KeyboardInterrupt
        return original(scorer, job, part)

    monkeypatch.setattr(work, "_score", counted)
    with pytest.raises(KeyboardInterrupt):
        score(proven, source, EXPLAIN="2")
    score(proven, source, EXPLAIN="2")
    score(proven, source, EXPLAIN="1")
    assert scored[:5] == ["2: 0", "2: 1", "2: 2", "2: 2", "2: 3"]
    assert scored.count("2: 0") == scored.count("1: 0") == 1


@pytest.fixture
def unexplained(proven: Path, tmp_path: Path) -> Path:
    """A project in which verify has proven no explanations."""
    shutil.copytree(proven / "model", tmp_path / "project" / "model")
    path = tmp_path / "project" / "model" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["explanations"] = {"proven": False, "reason": "The model takes too long."}
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return tmp_path / "project"


@pytest.mark.parametrize("wanted", ["5", "-1", "yes", ""])
def test_other_numbers_of_reasons_are_refused(wanted: str, proven: Path, tmp_path: Path) -> None:
    source = loans(tmp_path / "loans.csv", {})
    with pytest.raises(UserError, match=f"EXPLAIN={wanted} must be the number of reasons"):
        score(proven, source, EXPLAIN=wanted)


def test_a_model_without_explanations_is_refused(unexplained: Path, tmp_path: Path) -> None:
    source = loans(tmp_path / "loans.csv", {})
    with pytest.raises(UserError) as refused:
        score(unexplained, source, EXPLAIN="4")
    assert refused.value.problems == ("There are no explanations: The model takes too long.",)


@pytest.mark.parametrize("unusual", [[], [0], [20]], ids=str)
def test_parquet_has_the_same_columns(
    unusual: list[int], proven: Path, with_pyarrow: Child, tmp_path: Path
) -> None:
    """Of each kind of file into each kind, the texts are those of a CSV."""
    others = {5: REFUSED} | dict.fromkeys(unusual, UNUSUAL)
    rows = loans(tmp_path / "loans.csv", others, bad=False)
    rows.write_text(rows.read_text(encoding="utf-8").replace('"a\nb, é"', "é"), encoding="utf-8")
    expected = score(proven, rows, EXPLAIN="2")
    parquet = tmp_path / "loans.parquet"
    result = with_pyarrow(HERE / "parquet_files.py", "write", rows, parquet, 7)
    assert result.returncode == 0, result.stderr
    outputs = {}
    for source, suffix in ((parquet, ".csv"), (parquet, ".parquet"), (rows, ".parquet")):
        output = tmp_path / f"from_{source.suffix[1:]}{suffix}"
        options = (f"INPUT={source}", f"OUTPUT={output}", "EXPLAIN=2", "JOBS=1")
        result = with_pyarrow("-m", "workbench.score", *options, cwd=proven)
        assert result.returncode == 0, result.stderr
        outputs[output.name] = output
    assert outputs["from_parquet.csv"].read_bytes() == expected
    names = ["reason_1", "reason_2", *(["warnings"] if unusual else [])]
    for name in ("from_parquet.parquet", "from_csv.parquet"):
        found = with_pyarrow(HERE / "parquet_files.py", "read", outputs[name])
        document = json.loads(found.stdout)
        assert list(document["types"])[-len(names) :] == names
        told = [row["id"] for row in document["rows"] if row.get("warnings")]
        assert told == [f"r{number}" for number in unusual]
        assert document["rows"][5]["reason_1"] == "credit_history is bad"


def test_the_example_is_scored_without_warnings(proven: Path, tmp_path: Path) -> None:
    """Values of the sample itself are usual."""
    copy = shutil.copy(EXAMPLE / "sample.csv", tmp_path / "sample.csv")
    assert b"warnings" not in score(proven, copy)
