"""The sample: column types, encodings, and the rows that are kept as examples."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.adopt.csv.csv_table import read_header
from workbench.adopt.csv.sample import read_columns, read_sample
from workbench.errors import UserError

# (cells of one column, type, categories, nullable, minimum, maximum)
COLUMNS: list[tuple[list[str], str, list[str] | None, bool]] = [
    (["1", "2"], "number", None, False),
    (["1.5", "-2e3", " 7 "], "number", None, False),
    (["1", "NA", "", "NaN", "null"], "number", None, True),
    (["", ""], "number", None, True),
    (["1_000", "2"], "category", ["1_000", "2"], False),
    (["True", "False"], "boolean", None, False),
    (["true", "x"], "category", ["true", "x"], False),
    (["b", "a", "a", "None"], "category", ["a", "b"], True),
    (["0", "1", "3+"], "category", ["0", "1", "3+"], False),
    ([str(n) + "x" for n in range(20)], "category", None, False),
    ([str(n) + "x" for n in range(21)], "text", None, False),
    ([str(n % 30) + "x" for n in range(300)], "category", None, False),
]


@pytest.mark.parametrize(("cells", "kind", "categories", "nullable"), COLUMNS)
def test_a_column_of_the_sample(
    cells: list[str], kind: str, categories: list[str] | None, nullable: bool, tmp_path: Path
) -> None:
    path = tmp_path / "sample.csv"
    path.write_text("x,y\n" + "".join(f"{cell},1\n" for cell in cells))
    column = read_sample(path).columns["x"]
    assert column.type == kind
    assert (column.missing > 0) is nullable
    if categories is not None:
        assert column.categories == categories


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_sample_as_spreadsheets_write_it(encoding: str, delimiter: str, tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    lines = ['größe|"a b"', '1|"two\r\nlines"', "2|", ""]
    path.write_bytes("\r\n".join(lines).replace("|", delimiter).encode(encoding))
    sample = read_sample(path)
    assert list(sample.columns) == ["größe", "a b"]
    assert sample.examples == [{"größe": "1", "a b": "two\r\nlines"}, {"größe": "2", "a b": ""}]


# (encoding, text, what the note calls it)
NOTED = [
    ("utf-8", "дым,n\nщит,1\n", None),
    ("utf-8-sig", "größe,n\n1,1\n", None),
    ("utf-16", "größe,n\n1,1\n", None),
    ("ascii", "size,n\n1,1\n", None),
    ("cp1252", "größe,n\n1,1\n", "Windows-1252"),
    ("cp1251", "дым,n\nщит,1\n", "Windows-1252"),
    ("cp1251", '[{"дым": "щит"}]', "Windows-1252"),
    ("latin-1", "gr\u0081\u00f6\u00dfe,n\n1,1\n", "Latin-1"),
]


@pytest.mark.parametrize(("encoding", "text", "name"), NOTED)
def test_a_guess_at_the_encoding_is_noted(
    encoding: str, text: str, name: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "sample.csv"
    path.write_bytes(text.encode(encoding))
    note = (
        f"sample.csv is not UTF-8; it was read as {name}. If letters are wrong, save it as UTF-8 "
        "and type the command again."
    )
    assert read_sample(path).notes == ((note,) if name else ())


def test_the_examples_are_spread_over_the_whole_sample(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    path.write_text("n\n" + "".join(f"{n}\n" for n in range(10_000)))
    numbers = [int(row["n"]) for row in read_sample(path).examples]
    assert 32 <= len(numbers) < 64
    assert len({b - a for a, b in itertools.pairwise(numbers)}) == 1
    assert numbers[-1] > 9000


def test_an_index_without_a_name_is_called_as_pandas_calls_it(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    path.write_text(",a\n0,1\n")
    assert list(read_sample(path).columns) == ["Unnamed: 0", "a"]


def test_separators_around_a_number_are_white_space(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    path.write_text("a,b\n\x1f2\x1f,x\n4,\x1f5\n")
    columns = read_sample(path).columns
    assert (columns["a"].categories, columns["b"].categories) == ([2, 4], ["\x1f5", "x"])
    path.write_text("\x1f2.5\x1f,\x1f7,1\n3.5,8,2\n")
    assert list(read_sample(path).columns) == ["0", "1", "2"]


@pytest.mark.parametrize("read", [read_sample, read_columns, read_header])
def test_a_file_of_gigabytes_is_refused_before_it_is_read(
    read: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "all data.csv"
    with path.open("wb") as file:
        file.truncate(5 << 30)  # takes no room on the disk
    with pytest.raises(UserError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path} has more than 256 MB, which are not read. Give its first rows: "
        f"head -n 10000 '{path}' > sample.csv"
    )


def test_a_folder_is_no_sample(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_sample(tmp_path)
