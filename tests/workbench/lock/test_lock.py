"""requirements.in and the lock files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from workbench.lock import lock
from workbench.lock.choose import pins
from workbench.lock.unlocked import requirements_in


def test_requirements_in_holds_the_bounds_and_keeps_lines_of_ones_own() -> None:
    with_pandas = requirements_in(
        pins({"scikit-learn": "1.9.1"}, "3.13", distributions=(), pandas=True)
    )
    assert "scikit-learn==1.9.1\n" in with_pandas
    assert "pandas>=" in with_pandas
    mine = "# mine\nscipy-extra==1\n"
    older = pins({"scikit-learn": "1.6.1"}, "3.13", distributions=(), pandas=False)
    again = requirements_in(older, with_pandas + mine)
    assert "scikit-learn==1.6.1\n" in again
    assert "pandas" not in again
    assert again.endswith(mine)
    assert requirements_in(older, again) == again


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
