"""make score with CSV: the same numbers, messages and bad rows as /predict, in resumable parts."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import EXAMPLE
from flask.testing import FlaskClient

from workbench.errors import UserError
from workbench.score import __main__ as command
from workbench.score import run, work

from .conftest import GOOD, HEADER

pytestmark = pytest.mark.usefixtures("small_parts")
BAD = [
    "b1,-,0,1,Graduate,No,120000,360,good,Urban",
    "b2,,0,1,Gradate,No,120000,360.5,good,Urban",
    "b3,5000",
    'b4,5000,"0",9,Graduate,No,1e999,360,good,Moon',
]


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A file with good rows, bad rows, a quoted text of two lines and blank lines."""
    path = tmp_path / "loans.csv"
    good = [f"g{number},{GOOD.replace('5000', str(2000 + 7 * number))}" for number in range(30)]
    lines = [HEADER, *good[:10], *BAD[:2], "", *good[10:20], *BAD[2:], f'"a\nb",{GOOD}', *good[20:]]
    path.write_bytes("\r\n".join([*lines, ""]).encode())
    return path


def score(project: Path, **options: Any) -> int:
    return command.score(project, {"JOBS": "1", **{k: str(v) for k, v in options.items()}})


def table(content: str | bytes) -> list[dict[str, str]]:
    text = content if isinstance(content, str) else content.decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def read(path: Path) -> str:
    return path.read_bytes().decode()


def test_accepted_rows_are_written_and_the_others_listed(
    proven: Path, mixed: Path, client: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    output = mixed.with_name("scored.csv")
    assert score(proven, INPUT=mixed, OUTPUT=output) == 3
    kept = client.post("/predict?on_error=keep", data=mixed.read_bytes(), content_type="text/csv")
    expected = [row for row in table(kept.data) if not row.pop("error")]
    assert table(read(output)) == expected
    assert len(expected) == 31
    refused = client.post("/predict", data=mixed.read_bytes(), content_type="text/csv")
    listed = table(read(mixed.with_name("scored.csv.rejected.csv")))
    assert [
        {**row, "row": int(row["row"]), "line": int(row["line"]), "feature": row["feature"] or None}
        for row in listed
    ] == json.loads(refused.data)["errors"]
    assert (
        f"35 rows, 4 rejected, in 0 s: {output}, {output}.rejected.csv" in capsys.readouterr().out
    )
    assert not mixed.with_name("scored.csv.parts").exists()


def test_kept_rows_are_the_answer_of_the_service(
    proven: Path, mixed: Path, client: FlaskClient
) -> None:
    output = mixed.with_name("scored.csv")
    assert score(proven, INPUT=mixed, OUTPUT=output, ON_ERROR="keep") == 3
    kept = client.post("/predict?on_error=keep", data=mixed.read_bytes(), content_type="text/csv")
    assert read(output) == kept.data.decode()
    assert not mixed.with_name("scored.csv.rejected.csv").exists()


def test_stop_ends_at_the_first_rejected_row(proven: Path, mixed: Path) -> None:
    output = mixed.with_name("scored.csv")
    with pytest.raises(
        UserError, match=r'row 11, line 12: applicant_income must be a number, not "-"'
    ):
        score(proven, INPUT=mixed, OUTPUT=output, ON_ERROR="stop")
    assert sorted(path.name for path in mixed.parent.iterdir()) == ["loans.csv"]


def test_good_rows_alone_end_with_status_0(proven: Path, tmp_path: Path) -> None:
    output = tmp_path / "scored.csv"
    for on_error in ("reject", "keep", "stop"):
        assert score(proven, INPUT=EXAMPLE / "sample.csv", OUTPUT=output, ON_ERROR=on_error) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["scored.csv"]


def test_a_pool_of_processes_writes_the_same_bytes(proven: Path, mixed: Path) -> None:
    outputs = [mixed.with_name(f"scored{jobs}.csv") for jobs in (1, 2)]
    for jobs, output in enumerate(outputs, start=1):
        assert score(proven, INPUT=mixed, OUTPUT=output, JOBS=jobs) == 3
    assert read(outputs[0]) == read(outputs[1])


def test_a_run_that_was_ended_goes_on(
    proven: Path,
    mixed: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole, output = mixed.with_name("whole.csv"), mixed.with_name("scored.csv")
    score(proven, INPUT=mixed, OUTPUT=whole)
    scored: list[int] = []

    original = work._score

    def counted(scorer: Any, job: Any, part: Any) -> Any:
        scored.append(part.number)
        if len(scored) == 4:
            raise KeyboardInterrupt
        return original(scorer, job, part)

    monkeypatch.setattr(work, "_score", counted)
    with pytest.raises(KeyboardInterrupt):
        score(proven, INPUT=mixed, OUTPUT=output)
    assert not output.exists()
    assert score(proven, INPUT=mixed, OUTPUT=output) == 3
    assert read(output) == read(whole)
    assert read(mixed.with_name("scored.csv.rejected.csv")) == read(
        mixed.with_name("whole.csv.rejected.csv")
    )
    assert scored == [0, 1, 2, 3, *range(3, max(scored) + 1)]
    assert "anew" not in capsys.readouterr().out


def test_another_input_or_option_begins_anew(
    proven: Path,
    mixed: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = mixed.with_name("scored.csv")
    monkeypatch.setattr(run.Run, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        score(proven, INPUT=mixed, OUTPUT=output)
    monkeypatch.undo()
    assert score(proven, INPUT=mixed, OUTPUT=output, ON_ERROR="keep") == 3
    assert "an option has changed: the run begins anew" in capsys.readouterr().out
    assert table(read(output))[10]["error"] == 'applicant_income must be a number, not "-"'


def test_two_runs_into_one_output_do_not_mix(proven: Path, mixed: Path) -> None:
    options = {"INPUT": str(mixed), "OUTPUT": str(mixed.with_name("scored.csv"))}
    with run.Run.opened(proven, options), pytest.raises(UserError, match="Another run writes"):
        score(proven, **options)
    assert score(proven, **options) == 3


def test_a_folder_of_files_becomes_one_file_or_a_folder(proven: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, income in (("b.csv", "3000"), ("a.csv", "-")):
        rows = [HEADER, *(f"{name}{n},{GOOD.replace('5000', income)}" for n in range(2))]
        (folder / name).write_text("\n".join(rows))
    (folder / "_SUCCESS").touch()
    output = tmp_path / "out.csv"
    for pattern in (folder, folder / "*.csv", f"{tmp_path}/**/*.csv"):
        assert score(proven, INPUT=pattern, OUTPUT=output) == 3
        assert [row["id"] for row in table(read(output))] == ["b.csv0", "b.csv1"]
        rejected = table(read(tmp_path / "out.csv.rejected.csv"))
        assert [(Path(row["file"]).name, row["row"]) for row in rejected] == [
            ("a.csv", "1"),
            ("a.csv", "2"),
        ]
        output.unlink()
    assert score(proven, INPUT=folder, OUTPUT=f"{tmp_path}/out/") == 3
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == [
        "part-000000.csv",
        "part-000001.csv",
    ]


def test_columns_and_delimiters_are_chosen(proven: Path, mixed: Path) -> None:
    output = mixed.with_name("scored.tsv")
    assert score(proven, INPUT=mixed, OUTPUT=output, COLUMNS="id,loan_term", ON_ERROR="keep") == 3
    header, first = read(output).split("\r\n")[:2]
    assert header.split("\t")[:4] == ["id", "loan_term", "prediction", "label"]
    assert first.split("\t")[:2] == ["g0", "360"]
    assert "\tthe row has 2 cells and the header has 10" in read(output)
    back = mixed.with_name("back.csv")
    tabs = mixed.with_name("tabs.txt")
    tabs.write_text(read(mixed).replace(",", "\t"))
    assert score(proven, INPUT=tabs, OUTPUT=back) == 3
    assert read(back).startswith("id,applicant_income,")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"INPUT": "nowhere.csv"}, "INPUT=nowhere.csv: there is no such file."),
        ({"INPUT": "empty"}, "INPUT=empty is a folder without files of .csv"),
        ({"INPUT": "rows.csv.gz"}, "unpack a compressed file first"),
        ({"OUTPUT": "scored.xlsx"}, "must end in .csv, .tsv or .parquet"),
        ({"OUTPUT": "nowhere/scored.csv"}, "there is no folder nowhere"),
        ({"OUTPUT": "loans.csv"}, "OUTPUT is a file of INPUT"),
        ({"ON_ERROR": "ignore"}, "ON_ERROR=ignore must be one of reject, keep, stop"),
        ({"JOBS": "0"}, "JOBS=0 must be the number of processes"),
        ({"JOBS": "many"}, "JOBS=many must be the number of processes"),
        ({"COLUMNS": "id,iq"}, "COLUMNS: the input has no iq; it has id, applicant_income"),
        ({"ENGINE": "slurm://here"}, "must be dask://HOST:PORT or ray://HOST:PORT"),
        ({"INPUT": "short.csv"}, "did you mean the column loan_trem?"),
        ({"INPUT": "taken.csv"}, "the column prediction is the name of a column that"),
        ({"INPUT": "broken.csv"}, "broken.csv, line 3: is not CSV"),
        ({"INPUT": "latin.csv"}, "latin.csv, line 2: is not UTF-8"),
        ({"INPUT": "void.csv"}, "the file is empty"),
        ({"INPUT": "[st]*.csv"}, "has other columns than"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    options: dict[str, str],
    message: str,
    proven: Path,
    mixed: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(mixed.parent)
    Path("empty").mkdir()
    Path("rows.csv.gz").touch()
    Path("void.csv").touch()
    Path("short.csv").write_text(HEADER.replace("loan_term", "loan_trem") + "\n")
    Path("taken.csv").write_text(f"{HEADER},prediction\n")
    Path("broken.csv").write_text(f'{HEADER}\n1,{GOOD}\n"\n')
    Path("latin.csv").write_bytes(f"{HEADER}\né,{GOOD}\n".encode("latin-1"))
    with pytest.raises(UserError) as refused:
        score(proven, **{"INPUT": "loans.csv", "OUTPUT": "scored.csv", **options})
    assert message in "\n".join(refused.value.problems)
    assert not Path("scored.csv").exists()


def test_a_folder_of_the_user_is_not_touched(proven: Path, mixed: Path) -> None:
    own = mixed.with_name("scored.csv.parts") / "000001.csv"
    own.parent.mkdir()
    own.touch()
    with pytest.raises(UserError, match="is in the way"):
        score(proven, INPUT=mixed, OUTPUT=mixed.with_name("scored.csv"))
    assert own.exists()


def test_another_model_file_is_refused(proven: Path, mixed: Path, tmp_path: Path) -> None:
    manifest = json.loads((proven / "model" / "manifest.json").read_text())
    project = tmp_path / "project"
    (project / "model").mkdir(parents=True)
    for path in (proven / "model").iterdir():
        (project / "model" / path.name).write_bytes(path.read_bytes())
    manifest["libraries"]["scikit-learn"] = "0.1"
    (project / "model" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"scikit-learn is .* and should be 0\.1"):
        score(project, INPUT=mixed, OUTPUT=tmp_path / "scored.csv")
