"""The rows of the sample that stay on this machine, in .sample.csv."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import EXAMPLE, git

from model_service.contract.schema import parse_contract, read_contract
from workbench.adopt.csv.kept_sample import kept_sample_text, read_kept_sample, read_truths
from workbench.errors import UserError

KINDS = parse_contract(
    {
        "features": [
            {"name": "age", "nullable": True},
            {"name": "member", "type": "boolean"},
            {"name": "area", "categories": ["Rural", "Urban"], "one_hot": {"Urban": "area_Urban"}},
            {"name": "married", "categories": ["no", "yes"], "encode": {"no": 0, "yes": 1}},
        ]
    }
)


def test_the_example_keeps_its_rows_out_of_git(loan: Path) -> None:
    contract = read_contract(loan / "model" / "features.json")
    rows = read_kept_sample(contract, loan)
    assert len(rows) == len((EXAMPLE / "sample.csv").read_text().splitlines()) - 1
    assert list(rows[0]) == [feature.name for feature in contract.features]
    assert ".sample.csv" not in git(loan, "ls-files")
    assert git(loan, "status", "--porcelain") == ""
    for file in (".slugignore", ".dockerignore"):
        assert ".sample.csv" in (loan / file).read_text()


def test_rows_are_kept_as_callers_type_them(tmp_path: Path) -> None:
    """A sample has dummies, codes and missing cells; what is kept has people's words."""
    sample = tmp_path / "train.csv"
    sample.write_text("age,member,area_Urban,married,id\n31,True,1,0,7\n,False,0,1,8\n")
    text = kept_sample_text(KINDS, sample)
    assert text == "age,member,area,married\n31.0,true,Urban,no\n,false,Rural,yes\n"
    (tmp_path / ".sample.csv").write_text(text)
    assert read_kept_sample(KINDS, tmp_path) == [
        {"age": 31.0, "member": True, "area": "Urban", "married": "no"},
        {"age": None, "member": False, "area": "Rural", "married": "yes"},
    ]


def test_the_target_of_the_sample_is_kept_beside_the_rows(loan: Path) -> None:
    contract = read_contract(loan / "model" / "features.json")
    truths = read_truths(contract, loan)
    assert truths is not None
    assert truths.target == "loan_status"
    assert truths.rows == read_kept_sample(contract, loan)
    assert set(truths.cells) == {"N", "Y"}


def test_the_target_stays_with_its_row_if_others_are_refused(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("age,paid\n31,yes\nold,no\n33,\n")
    contract = parse_contract({"features": [{"name": "age"}]})
    text = kept_sample_text(contract, tmp_path / "train.csv", "paid")
    (tmp_path / ".sample.csv").write_text(text)
    truths = read_truths(contract, tmp_path)
    assert truths is not None
    assert (truths.rows, truths.cells) == ([{"age": 31.0}, {"age": 33.0}], ["yes", ""])
    without = kept_sample_text(contract, tmp_path / "train.csv")
    assert "paid" not in without
    assert "other" not in kept_sample_text(contract, tmp_path / "train.csv", "other")


def test_rows_that_an_edited_contract_refuses_are_left_out(tmp_path: Path) -> None:
    (tmp_path / ".sample.csv").write_text(
        "age,member,area_Urban,married\n31,true,1,0\n32,true,0,maybe\n"
    )
    assert [row["age"] for row in read_kept_sample(KINDS, tmp_path)] == [31]
    assert read_kept_sample(KINDS, tmp_path / "elsewhere") == []


def test_at_most_2000_rows_are_kept(tmp_path: Path) -> None:
    sample = tmp_path / "long.csv"
    sample.write_text("x\n" + "".join(f"{number}\n" for number in range(30_000)))
    contract = parse_contract({"features": [{"name": "x"}]})
    kept = kept_sample_text(contract, sample).splitlines()[1:]
    assert 1000 < len(kept) <= 2000
    assert max(map(float, kept)) > 29_000


def test_a_sample_without_fitting_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("age,member,area,married\nold,True,Rural,no\n")
    with pytest.raises(UserError, match="has no row that"):
        kept_sample_text(KINDS, tmp_path / "other.csv")
