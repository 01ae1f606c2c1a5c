"""The parts of the workbench, one by one: the sample, the locks, interpreters, the document."""

from __future__ import annotations

import hashlib
import itertools
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import PYTHON, TEMPLATE

from model_service.contract.golden import differences
from model_service.web.settings import Settings, SettingsError
from workbench.adopt.sample import read_sample
from workbench.errors import UserError
from workbench.key import new_key
from workbench.lock import lock
from workbench.lock.environment import find_python
from workbench.lock.pins import UV_VERSION, pins

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


def test_requirements_in_holds_the_bounds_and_keeps_lines_of_ones_own() -> None:
    with_pandas = lock.requirements_in(
        pins({"scikit-learn": "1.9.1"}, "3.13", distributions=(), pandas=True)
    )
    assert "scikit-learn==1.9.1\n" in with_pandas
    assert "pandas>=" in with_pandas
    mine = "# mine\nscipy-extra==1\n"
    older = pins({"scikit-learn": "1.6.1"}, "3.13", distributions=(), pandas=False)
    again = lock.requirements_in(older, with_pandas + mine)
    assert "scikit-learn==1.6.1\n" in again
    assert "pandas" not in again
    assert again.endswith(mine)
    assert lock.requirements_in(older, again) == again


def test_a_lock_is_current_until_requirements_in_or_the_python_changes(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"flask\n").hexdigest()
    head = (
        "# Locked by `make lock` for Python 3.12 on x86_64-manylinux_2_28.\n"
        f"# requirements.in sha256: {digest}\n"
    )
    contents = {
        "requirements.in": "flask\n",
        ".python-version": "3.12\n",
        "requirements.txt": f"{head}flask==3.1.3\n",
        "requirements-test.txt": f"{head}pytest==9.2.0\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    assert lock.is_current(tmp_path)
    for name, content in {
        "requirements.in": "flask\nsentry-sdk\n",
        ".python-version": "3.13\n",
        "requirements.txt": "flask==3.1.3\n",
        "requirements-test.txt": "pytest==9.2.0\n",
    }.items():
        (tmp_path / name).write_text(content)
        assert not lock.is_current(tmp_path), name
        (tmp_path / name).write_text(contents[name])


def test_the_interpreter_that_runs_is_found_and_a_dead_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_python(PYTHON) == Path(sys.executable).resolve()
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.99: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_python("3.99") is None
    shim.write_text("#!/bin/sh\necho 3.99\n")
    assert find_python("3.99") == shim


def test_the_dockerfile_has_the_uv_of_the_pins() -> None:
    assert f"uv=={UV_VERSION}" in (TEMPLATE / "Dockerfile").read_text()


def test_a_folder_is_no_sample(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_sample(tmp_path)


@pytest.mark.parametrize(
    ("expected", "actual", "found"),
    [
        ({"a": 0.1 + 0.2}, {"a": 0.3}, []),
        ({"a": 1}, {"a": 1.0}, ["a is 1.0, was 1"]),
        ({"a": 1}, {"a": True}, ["a is true, was 1"]),
        ({"a": None}, {}, ["a is missing"]),
        ([1, 2], [1, 3], ["[2] is 3, was 2"]),
        ([1], [1, 2], [" is [1, 2], was [1]"]),
        ({"a": {"b": 0.5}}, {"a": {"b": 0.5000001}}, ["a.b is 0.5000001, was 0.5"]),
    ],
)
def test_differences_are_named(expected: Any, actual: Any, found: list[str]) -> None:
    assert differences(expected, actual) == found


def test_a_key_is_new_each_time_and_its_hash_is_what_the_service_takes() -> None:
    shown = [re.findall(r"^    (?:.*API_KEYS=)?(\S+)$", new_key(), re.M) for _ in range(2)]
    for key, digest, *_ in shown:
        assert len(key) == 43  # 256 bits
        hashes = Settings.from_environment({"API_KEYS": digest}).api_keys
        assert hashes == (hashlib.sha256(key.encode()).digest(),)
        with pytest.raises(SettingsError):
            Settings.from_environment({"API_KEYS": key})
    assert shown[0][0] != shown[1][0]
