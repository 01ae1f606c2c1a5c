"""Choose how many of the first tries run: each takes one or two renders with their verification.

`make test-all` runs a third of them, which the commit decides; `make first-tries` runs all.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
EVERY = 3


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("FIRST_TRIES") == "all":
        return
    tries = [item for item in items if item.path.is_relative_to(HERE)]
    third = commit_number() % EVERY
    left_out = {item.nodeid for number, item in enumerate(tries) if number % EVERY != third}
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in left_out])
    items[:] = [item for item in items if item.nodeid not in left_out]


def commit_number() -> int:
    """Return the hash of the commit as a number, 0 outside a repository."""
    command = ["git", "rev-parse", "HEAD"]
    found = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    return int(found.stdout or "0", 16)
