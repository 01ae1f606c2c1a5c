"""The documentation, which the tools' wheel holds: all pages, or the sections on a topic."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Protocol

from workbench.errors import UserError

MAX_SECTIONS = 3
MIN_SCORE = 0.5
_HEADING = re.compile(r"^(#{1,6}) +(?P<title>.+)$")
_FENCE = re.compile(r"^ *(```|~~~)")
_WORD = re.compile(r"[A-Za-z0-9_.]+")
# Words that say nothing about a topic.
_COMMON = frozenset(
    "a an and are as at be but by can for from has have if in is it its of on or "
    "that the this to was with you your".split()
)


class Folder(Protocol):
    """A folder or file, on the disk or in a wheel."""

    @property
    def name(self) -> str: ...

    def is_dir(self) -> bool: ...

    def iterdir(self) -> Iterator[Folder]: ...

    def read_text(self, encoding: str) -> str: ...


@dataclass(frozen=True)
class Section:
    """A heading and the text below it, down to the next heading."""

    page: str
    title: str
    text: str


def show(topic: str = "") -> str:
    """Return the list of pages, or the sections that fit a topic best. Raises UserError."""
    sections = list(_sections())
    if not sections:
        raise UserError("These tools come without documentation; see docs/ of the template.")
    if not topic:
        titles = {section.page: section.title for section in reversed(sections)}
        listed = (f"  {page:<{max(map(len, titles))}}  {titles[page]}" for page in sorted(titles))
        return "\n".join(
            ["make docs TOPIC=…: a page, a command, or the text of an error", "", *listed]
        )
    if page := [
        section for section in sections if topic in (section.page, Path(section.page).stem)
    ]:
        return "\n".join(section.text for section in page)
    return _found(sections, topic)


def _found(sections: list[Section], topic: str) -> str:
    scored = [(score(section, topic), section) for section in sections]
    best = sorted((item for item in scored if item[0] > 0), key=lambda item: -item[0])
    if not best:
        raise UserError(f"The documentation says nothing on {topic!r}; make docs lists its pages.")
    shown, rest = best[:1], best[1 : 1 + MAX_SECTIONS]
    text = "\n".join(f"[{section.page}]\n\n{section.text}" for _, section in shown)
    if not rest:
        return text
    others = "\n".join(f"  {section.page}: {section.title}" for _, section in rest)
    return f"{text}\n\nSee also:\n{others}"


def score(section: Section, topic: str) -> float:
    """Return how well a section fits a topic; 0 if it does not.

    An error's text holds names of the reader's own, so the words of the title count most: a title
    that quotes an error fits if most of its words are in the topic.
    """
    words, title, text = _words(topic), _words(section.title), _words(section.text)
    if not words & text:
        return 0.0
    in_text = len(words & text) / len(words)
    in_title = len(words & title) / len(title) if title else 0.0
    fits = in_text + 2 * in_title + (topic.lower() in section.text.lower())
    return fits if fits >= MIN_SCORE else 0.0


def _words(text: str) -> set[str]:
    return {word.lower().strip(".") for word in _WORD.findall(text)} - _COMMON


def _sections() -> Iterator[Section]:
    for name, text in sorted(_pages(_folder())):
        title, fenced = "", False
        lines: list[str] = []
        for line in text.splitlines():
            fenced ^= bool(_FENCE.match(line))
            heading = None if fenced else _HEADING.match(line)
            if heading and lines:
                yield Section(name, title or name, "\n".join(lines).strip())
                lines = []
            title = heading["title"] if heading else title
            lines.append(line)
        if lines:
            yield Section(name, title or name, "\n".join(lines).strip())


def _folder() -> Folder:
    """Return the documentation in the wheel, or in the repository that these tools are run from."""
    packed = resources.files("workbench") / "docs"
    return packed if packed.is_dir() else Path(__file__).resolve().parents[2] / "docs"


def _pages(folder: Folder, prefix: str = "") -> Iterator[tuple[str, str]]:
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _pages(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".md"):
            yield f"{prefix}{entry.name.removesuffix('.md')}", entry.read_text(encoding="utf-8")
