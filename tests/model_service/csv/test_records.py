"""Records are those of the csv module, in whatever blocks and parts a file is read."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_service.csv import records
from model_service.csv.reader import ChunkSize, read_layout
from model_service.csv.records import BEGINNING, Position, RecordReader, split_cells
from model_service.errors import BadFile

Numbered = list[tuple[int, list[str]]]
# Few kinds of characters, so that quotes, delimiters and line ends meet in every order.
PIECES = ("a", "é", "1", ",", ",", '"', '""', '","', "\n", "\n", "\r\n", "\r", " ", "\0", "'", "=")
texts = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)
well_formed = st.lists(
    st.lists(st.text('a1,"\n\ré =', max_size=4), min_size=1, max_size=3), max_size=12
)


def by_csv(text: str) -> Numbered | str:
    """Return the records and the lines on which they begin, or the csv module's complaint."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found, line = [], 1
    try:
        for cells in reader:
            if cells:
                found.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        return f"is not CSV: {error}"
    return found


def by_us(content: bytes, start: Position = BEGINNING, end: int | None = None) -> Numbered | str:
    reader = RecordReader(io.BytesIO(content), ",", 1000, start, end)
    found: Numbered = []
    try:
        for block in reader:
            texts = [text.split(",") for text in block.texts or ()]
            found += zip(block.lines, block.cells or texts, strict=True)
    except BadFile as error:
        return error.problems[0].message
    return found


@pytest.fixture(autouse=True, params=[1, 7, 1 << 18])
def _blocks_of_any_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "BLOCK_BYTES", request.param)


anyhow = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@anyhow
@given(text=texts)
def test_any_text_has_the_records_of_the_csv_module(text: str) -> None:
    assert by_us(text.encode()) == by_csv(text)


@anyhow
@given(rows=well_formed)
def test_the_parts_of_a_file_have_its_records(rows: list[list[str]]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    content = file.getvalue().encode()
    whole = by_us(content)
    found: Numbered = []
    start = BEGINNING
    for position in RecordReader(io.BytesIO(content), ",", 1000).positions():
        part = by_us(content, start, position.offset)
        assert not isinstance(part, str)
        found += part
        start = position
    assert found == whole
    assert start.offset == len(content)


def test_a_byte_order_mark_is_no_part_of_the_first_cell() -> None:
    assert by_us("\ufeffa,b\n1,2\n".encode()) == [(1, ["a", "b"]), (2, ["1", "2"])]


@pytest.mark.parametrize("content", [b"a\nb\n" + b"x" * 1001, b'"' + b"x\n" * 501 + b'"'])
def test_a_record_has_a_limit(content: bytes) -> None:
    assert by_us(content) == "is not CSV: a row of more than 1000 characters"


def test_what_is_not_utf8_is_refused_with_its_line() -> None:
    with pytest.raises(BadFile) as refused:
        list(RecordReader(io.BytesIO(b"a\n\xe9\n"), ",", 1000))
    assert refused.value.problems[0].line == 2


@anyhow
@given(st.lists(st.sampled_from(["\n", "\r", "\r\n"]), max_size=9).map("".join), texts)
def test_blank_lines_before_the_first_record_are_skipped_at_once(blank: str, text: str) -> None:
    content = (blank + text).encode()
    begin = records.first_line(io.BytesIO(content), 0)
    assert by_us(content, begin) == by_us(content)


@anyhow
@given(rows=st.lists(st.lists(st.sampled_from(["", "a", "é"]), min_size=1, max_size=4), min_size=1))
def test_cells_are_split_by_column_if_each_record_has_all(rows: list[list[str]]) -> None:
    split = split_cells([",".join(row) for row in rows], ",", len(rows[0]))
    is_whole = all(len(row) == len(rows[0]) for row in rows)
    assert split == (list(map(list, zip(*rows, strict=True))) if is_whole else None)


def test_larger_blocks_make_larger_chunks() -> None:
    content = b"a\n" + b"1\n" * (1 << 19)
    layout = read_layout(io.BytesIO(content), ["a"], 1000)
    size = ChunkSize(1 << 20, 1 << 20, block_bytes=1 << 21)
    assert [len(chunk) for chunk in layout.chunks(io.BytesIO(content), size)] == [1 << 19]
