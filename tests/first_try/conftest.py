"""Choose how many of the first tries run: each takes one or two renders with their verification.

`make test-all` runs every third of them, `make first-tries` all.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent
EVERY = 3


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("FIRST_TRIES") == "all":
        return
    tries = [item for item in items if item.path.is_relative_to(HERE)]
    left_out = {item.nodeid for number, item in enumerate(tries) if number % EVERY}
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in left_out])
    items[:] = [item for item in items if item.nodeid not in left_out]
