"""Screenshots of the pages; pytest collects this file only if it is named.

`make screenshots` takes those of every page of every model into a folder of their own, and the
pictures of the documentation into docs/images. For some of them
`python -m pytest tests/browser/screenshots.py --screenshots FOLDER -k "loan or iris or picture"`
"""

from __future__ import annotations

from pathlib import Path

import pytest
from browser.conftest import Visit
from browser.pictures import PICTURES, picture_path
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


@pytest.mark.parametrize(
    ("served", "name"),
    [(picture.model, name) for name, picture in PICTURES.items()],
    ids=PICTURES,
    indirect=["served"],
)
def test_picture_of_the_documentation(
    served: Served, name: str, visit: Visit, tmp_path: Path
) -> None:
    picture = PICTURES[name]
    page = visit(served, picture.path, width=picture.width, dark=picture.dark)
    page.set_viewport_size({"width": picture.width, "height": picture.height})
    picture.prepare(page, served.model, tmp_path)
    page.screenshot(path=picture_path(name), animations="disabled")
