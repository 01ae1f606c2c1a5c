"""Screenshots of every page of every model; pytest collects this file only if it is named.

`make screenshots`, or for some models
`python -m pytest tests/browser/screenshots.py --screenshots FOLDER -k "loan or iris"`
"""

from __future__ import annotations

from pathlib import Path

import pytest
from browser.conftest import Visit
from browser.serving import Served
from browser.test_pages import PAGES

HEIGHT = "document.documentElement.scrollHeight"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_screenshot(
    served: Served,
    name: str,
    width: int,
    dark: bool,
    visit: Visit,
    request: pytest.FixtureRequest,
) -> None:
    folder: Path = request.config.getoption("--screenshots")
    assert folder, "The option --screenshots FOLDER is missing."
    page = visit(served, PAGES[name], width=width, dark=dark)
    # As high as the page: the verdict sticks to the lower edge and would hide a part of it.
    page.set_viewport_size({"width": width, "height": page.evaluate(HEIGHT)})
    scheme = "dark" if dark else "light"
    page.screenshot(path=folder / f"{name}-{served.model.name}-{width}-{scheme}.png")
