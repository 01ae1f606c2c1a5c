"""make docs: the pages in the wheel, and the section that fits an error's text."""

from __future__ import annotations

import pytest

from workbench.documentation import Section, score, show
from workbench.errors import UserError


def test_the_pages_are_listed() -> None:
    assert "make docs TOPIC=" in show()


def test_nothing_is_found_for_nonsense() -> None:
    with pytest.raises(UserError, match="says nothing on 'qwxz vbnm'"):
        show("qwxz vbnm")


SECTIONS = [
    Section(
        "how-to/a", "Can't get attribute 'X' on <module '__main__'>", "# Can't get attribute\nx"
    ),
    Section("how-to/a", "Other", "# Other\nSomething about an attribute that is missing."),
    Section("reference/b", "Keys", "# Keys\nAPI_KEYS holds hashes."),
]


@pytest.mark.parametrize(
    ("topic", "best"),
    [
        ("AttributeError: Can't get attribute 'MyScaler' on <module '__main__' (built-in)>", 0),
        ("API_KEYS", 2),
        ("keys", 2),
    ],
)
def test_the_best_section_is_the_one_a_reader_means(topic: str, best: int) -> None:
    scores = [score(section, topic) for section in SECTIONS]
    assert scores.index(max(scores)) == best
    assert max(scores) > 0
