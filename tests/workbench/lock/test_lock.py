"""requirements.in and the lock files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from workbench.lock import lock
from workbench.lock.choose import pins
from workbench.lock.pins import Pins, imported_as
from workbench.lock.unlocked import requirements_in


def of_sklearn(version: str, *distributions: str, pandas: bool = False) -> Pins:
    return pins({"scikit-learn": version}, "3.13", distributions=distributions, pandas=pandas)


def test_requirements_in_holds_the_bounds_and_keeps_lines_of_ones_own() -> None:
    with_pandas = of_sklearn("1.9.1", pandas=True)
    written = requirements_in(with_pandas)
    assert "scikit-learn==1.9.1\n" in written
    assert "pandas>=" in written
    mine = "# mine\nscipy-extra==1\n"
    older = of_sklearn("1.6.1")
    again = requirements_in(older, written + mine, former=with_pandas.model)
    assert "scikit-learn==1.6.1\n" in again
    assert "pandas" not in again
    assert again.endswith(mine)
    assert requirements_in(older, again, former=older.model) == again


XGBOOST = pins({"xgboost": "3.3.0"}, "3.13", distributions=["xgboost"], pandas=False)
SKOPS = of_sklearn("1.9.1", "skops")
SKLEARN = of_sklearn("1.9.1")


@pytest.mark.parametrize(
    ("former", "new", "kept"),
    [
        (SKLEARN, SKLEARN, ["pandas>=2.2", "skops", "xgboost>=3", "redis>=5"]),
        (of_sklearn("1.9.1", pandas=True), SKLEARN, ["skops", "xgboost>=3", "redis>=5"]),
        (SKLEARN, of_sklearn("1.9.1", pandas=True), ["skops", "xgboost>=3", "redis>=5"]),
        (SKOPS, SKLEARN, ["pandas>=2.2", "xgboost>=3", "redis>=5"]),
        (XGBOOST, SKLEARN, ["pandas>=2.2", "skops", "redis>=5"]),
        (SKLEARN, XGBOOST, ["pandas>=2.2", "skops", "redis>=5"]),
    ],
    ids=[
        "same",
        "pandas leaves",
        "pandas comes",
        "skops leaves",
        "xgboost leaves",
        "xgboost comes",
    ],
)
def test_lines_of_a_person_stay_unless_a_model_pins_their_library(
    former: Pins, new: Pins, kept: list[str]
) -> None:
    mine = "pandas>=2.2\nscipy\nskops\nxgboost>=3\nredis>=5\n"
    libraries = map(imported_as, former.model)  # as a manifest names them
    found = requirements_in(new, requirements_in(former) + mine, former=[*libraries])
    lines = [line for line in found.splitlines() if not line.startswith("#")]
    assert lines == [*new.requirements, *kept]


def test_a_lock_is_current_until_requirements_in_or_the_python_changes(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"flask\n").hexdigest()
    head = (
        "# Locked by `make lock` for Python 3.12 on x86_64-manylinux_2_28.\n"
        f"# requirements.in sha256: {digest}\n"
        "# The command: uv pip compile --output-file "
    )
    contents = {
        "requirements.in": "flask\n",
        ".python-version": "3.12\n",
        "requirements.txt": f"{head}requirements.txt\nflask==3.1.3\n",
        "requirements-test.txt": f"{head}requirements-test.txt\npytest==9.2.0\n",
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
