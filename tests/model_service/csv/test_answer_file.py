"""A column for warnings that comes after the first lines of an answer are written."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from model_service.batch.parsed import Parsed
from model_service.contract.batch import Batch
from model_service.contract.schema import parse_contract
from model_service.contract.unusual import RowWarning
from model_service.csv import answer_file
from model_service.csv.answer import AnswerWriter
from model_service.csv.answer_file import AnswerFile, with_empty_cells
from model_service.csv.reader import ChunkSize, CsvFile

CONTRACT = parse_contract({"features": [{"name": "a"}]})
ROWS = ["1,plain", '2,"a ""quote"", a comma\nand é"', "3,", "4,late"]
WARNING = [RowWarning("a", "4, which is much")]


@pytest.mark.parametrize("copied_lines", [1, 2, 4096])
@pytest.mark.parametrize("keeps_bad_rows", [False, True])
@pytest.mark.parametrize("warned", range(len(ROWS)))
def test_lines_before_the_first_warning_get_an_empty_cell(
    warned: int,
    keeps_bad_rows: bool,
    copied_lines: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answer_file, "COPIED_LINES", copied_lines)
    source = CsvFile(io.BytesIO("\n".join(["a,note", *ROWS]).encode()), ["a"], 1000)
    example = {"prediction": 1.5}
    writer = AnswerWriter(CONTRACT, example, source.header, ",", keeps_bad_rows=keeps_bad_rows)
    with (tmp_path / "lines").open("w+b") as file:
        lines = AnswerFile(file, writer, can_warn=True)
        for number, chunk in enumerate(source.chunks(ChunkSize(1))):
            warnings = {0: WARNING} if number == warned else {}
            writer.has_warnings = writer.has_warnings or bool(warnings)
            parsed = Parsed([0], Batch({"a": [1.0]}, [1]), {}, {})
            lines.write(writer.lines(chunk, parsed, [example], warnings))
        content = b"".join(with_empty_cells(file, lines.places, ","))
    header, *records = csv.reader(io.StringIO((writer.header() + content).decode(), newline=""))
    end = [""] if keeps_bad_rows else []
    note = 'a "quote", a comma\nand é'
    assert header[3:] == (["warnings", "error"] if keeps_bad_rows else ["warnings"])
    for number, (record, text) in enumerate(zip(records, ("plain", note, "", "late"), strict=True)):
        cell = "a: 4, which is much" if number == warned else ""
        assert record == [str(number + 1), text, "1.5", cell, *end]
