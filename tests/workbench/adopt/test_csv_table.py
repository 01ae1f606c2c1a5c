"""The table in a CSV: delimiter, title lines, header, rows of another length."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.adopt.csv.csv_table import read_header, read_table, read_text
from workbench.adopt.csv.sample import read_sample
from workbench.errors import UserError

# (text, names, first record, a word of the notes)
TABLES: list[tuple[str, list[str], list[str], str]] = [
    ("a,b\n1,2\n", ["a", "b"], ["1", "2"], ""),
    ("a;b\n1,5;2,5\n1,5;2,5\n", ["a", "b"], ["1,5", "2,5"], ""),
    ("a\tb\n1, 2\t3\n", ["a", "b"], ["1, 2", "3"], ""),
    ("text\nhello; you\n", ["text"], ["hello; you"], ""),
    ('text,label\n"a; b; c",x\n"d",y\n', ["text", "label"], ["a; b; c", "x"], ""),
    ("sep=;\na;b\n1;2\n", ["a", "b"], ["1", "2"], "The first line"),
    ("Report of May\n\na,b,c\n1,2,3\n4,5,6\n", ["a", "b", "c"], ["1", "2", "3"], "first line"),
    ("Report,,\n,,\na,b,c\n1,2,3\n", ["a", "b", "c"], ["1", "2", "3"], "The first 2 lines"),
    ("a,,\n1,2,3\n4,5,6\n", ["a", "Unnamed: 1", "Unnamed: 2"], ["1", "2", "3"], ""),
    (",a\n0,1\n", ["Unnamed: 0", "a"], ["0", "1"], ""),
    ('"a","b"\n"1",5,6\n"2",7,8\n', ["Unnamed: 0", "a", "b"], ["1", "5", "6"], ""),
    ("a,b\n1,2,\n3,4,\n", ["a", "b"], ["1", "2"], ""),
    ("a,b,a\n1,2,3\n", ["a", "b", "a.1"], ["1", "2", "3"], ""),
    ("a,b,c\n1,2\n3,4,5\n", ["a", "b", "c"], ["1", "2", ""], "1 line has fewer cells"),
    ("a,b\n1,2\n,\n", ["a", "b"], ["1", "2"], "1 row of x.csv without content"),
]


@pytest.mark.parametrize(("text", "names", "first", "note"), TABLES)
def test_the_table_in_a_csv(text: str, names: list[str], first: list[str], note: str) -> None:
    table = read_table(Path("x.csv"), text)
    assert table.names == names
    assert [*table.records()][:1] == [first]
    assert note in " ".join(table.notes)
    assert bool(note) is bool(list(table.notes))


GENES = [f"ENSG{number:011}" for number in range(20_000)]  # 320,000 characters


@pytest.mark.parametrize(
    ("before", "row_count"),
    [("", 0), ("", 1), ("", 3), ("Report of May\n", 3), ("sep=,\n", 0), ("sep=,\n", 3)],
)
def test_a_header_can_be_longer_than_the_usual_head(before: str, row_count: int) -> None:
    row = [f"{number}.123456789012345" for number in range(len(GENES))]
    text = before + "".join(f"{','.join(cells)}\n" for cells in [GENES, *[row] * row_count])
    table = read_table(Path("x.csv"), text)
    assert table.names == GENES
    assert [*table.records()] == [row] * row_count
    assert " ".join(table.notes).startswith("The first line" if before else "")


def test_values_without_names_can_be_wide_too() -> None:
    row = ",".join(f"0.{10**15 - number}" for number in range(20_000)) + "\n"
    assert not read_table(Path("x.csv"), row * 3).has_header


@pytest.mark.parametrize(("begin", "repeated"), [("", "a"), ('"', "a,b\n")])
def test_a_text_of_one_endless_record_is_no_table(begin: str, repeated: str) -> None:
    text = begin + repeated * ((20 << 20) // len(repeated))
    with pytest.raises(UserError):
        [*read_table(Path("x.csv"), text).records()]


WITHOUT_HEADER = {
    "5.1,3.5,setosa\n4.9,3.0,setosa\n7.0,3.2,virginica\n": True,
    "6,148,0.627\n1,85,0.351\n": True,
    "25,1,5\n31,0,7\n": True,  # whole numbers that do not rise
    "0,1,2\n5.1,3.5,1.4\n": False,  # names of the columns of an array
    "country,2019,2020\nDE,1,2\n": False,
    "1.5,2.5,label\n1,2,a\n3,4,b\n": False,  # the text is no value of its column
    "0.2,0.1,R\n0.3,0.4,R\nx,0.1,R\n": False,  # a column with other values is no number
}


@pytest.mark.parametrize(("text", "without"), WITHOUT_HEADER.items())
def test_a_file_without_names_gets_numbers_as_pandas_gives_them(
    text: str, *, without: bool
) -> None:
    table = read_table(Path("x.csv"), text)
    rows = list(table.records())
    assert len(rows) == text.count("\n") - (not without)
    assert (table.names == ["0", "1", "2"]) is (without or text.startswith("0,1"))
    assert ("has values and no names" in " ".join(table.notes)) is without


def test_a_row_with_too_many_cells_is_refused() -> None:
    table = read_table(Path("x.csv"), "a,b\n1,2\n1,2,3\n")
    with pytest.raises(UserError, match="line 3 has 3 cells and the header has 2"):
        list(table.records())


def test_blank_columns_and_the_index_are_no_features(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(",v1,v2,,\n0,ham,hello,,\n1,spam,win,, \n")
    sample = read_sample(path)
    assert list(sample.columns) == ["Unnamed: 0", "v1", "v2"]
    assert sample.columns["Unnamed: 0"].counts_rows
    assert sample.examples[0] == {"Unnamed: 0": "0", "v1": "ham", "v2": "hello"}
    assert sample.notes == ("2 columns of x.csv without a name and without content: left out.",)
    assert read_header(path) == ["Unnamed: 0", "v1", "v2"]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8-sig", "größe,x\n1,2\n"),
        ("utf-16", "größe\tx\n1\t2\n"),
        ("utf-16-le", "größe\tx\n1\t2\n"),
        ("utf-16-be", "größe\tx\n1\t2\n"),
        ("cp1252", "größe,x\n1,2\n"),
        ("latin-1", "gr\u0081\u00f6\u00dfe,x\n1,2\n"),
    ],
)
def test_encodings_of_spreadsheets(encoding: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode(encoding))
    assert read_text(path) == text


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(UserError, match="is not a text file"):
        read_text(path)
