"""The documentation, which the tools' wheel holds: all pages, or the section on a topic."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Protocol

from workbench.errors import UserError

MAX_OTHERS = 3
MIN_BEGINNING = 4  # letters of a word that stands nowhere, which others are searched by
# What a title that fits counts, and a word anywhere in the section; a quoted text that fits is 1.
TITLE, TEXT = 1.5, 0.1
_HEADING = re.compile(r"^#{1,6} +(?P<title>.+)$")
_FENCE = re.compile(r"^ *(```|~~~)")
_BLOCK = re.compile(r"^ *```.*?^ *```$", re.M | re.S)
_QUOTE = re.compile(r"`([^`]+)`")
_WORD = re.compile(r"[A-Za-z0-9_.]+")
# Where a quoted error has a name or a number of the reader's.
_PLACEHOLDER = re.compile(r"'X'|^X\b|…|\b\d+\b")


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

    @cached_property
    def words(self) -> Counter[str]:
        """All words of the section, with how often each stands there."""
        return Counter(_words(self.text))

    @cached_property
    def titles(self) -> tuple[frozenset[str], ...]:
        """The words of the title; of each part, if commas separate several errors in it."""
        return _phrases([self.title, *self.title.split(", ")])

    @cached_property
    def quotes(self) -> tuple[frozenset[str], ...]:
        """The words of each text that is quoted as code; blocks are examples."""
        return _phrases(_QUOTE.findall(_BLOCK.sub("", self.text)))


class Index:
    """The sections, and how much each word tells: a rare word tells more than a frequent one."""

    def __init__(self, sections: Collection[Section]) -> None:
        self._sections = tuple(sections)
        counts = Counter(word for section in self._sections for word in section.words)
        self._weights = {w: math.log(1 + len(self._sections) / n) for w, n in counts.items()}

    def search(self, topic: str) -> list[Section]:
        """Return the sections that have words of the topic, the best first."""
        words = frozenset(filter(None, map(self._known, _words(topic))))
        scores = [(self._score(section, words), section) for section in self._sections]
        found = sorted((item for item in scores if item[0] > 0), key=lambda item: -item[0])
        return [section for _, section in found]

    def _known(self, word: str) -> str:
        """Return the word, or the shortest that begins like it: score for scoring."""
        for length in range(len(word), min(len(word), MIN_BEGINNING) - 1, -1):
            if found := [known for known in self._weights if known.startswith(word[:length])]:
                return word if word in found else min(found, key=len)
        return ""

    def _score(self, section: Section, topic: frozenset[str]) -> float:
        """Return how well a section fits the words of a topic.

        An error's text has more words than the phrase that quotes it, so the phrase counts by the
        share of its own words that the topic has.
        """
        common = section.words.keys() & topic
        in_text = sum(self._weights[w] * (1 + math.log(section.words[w])) for w in common)
        in_title = max((self._fit(phrase, topic) for phrase in section.titles), default=0.0)
        quoted = max((self._fit(phrase, topic) for phrase in section.quotes), default=0.0)
        return max(TITLE * in_title, quoted) + TEXT * in_text

    def _fit(self, phrase: frozenset[str], topic: frozenset[str]) -> float:
        """Return the weight of a phrase's words in the topic, times their share of the phrase."""
        common = self._weight(phrase & topic)
        return common**2 / self._weight(phrase) if common else 0.0

    def _weight(self, words: Collection[str]) -> float:
        return sum(self._weights.get(word, 0.0) for word in words)


def show(topic: str = "") -> str:
    """Return the list of pages, or the page or section that fits a topic best. Raises UserError."""
    sections = list(_sections())
    if not sections:
        raise UserError("These tools come without documentation; see docs/ of the template.")
    if not topic:
        return _contents(sections)
    if page := [s.text for s in sections if topic in (s.page, Path(s.page).stem)]:
        return "\n".join(page)
    found = Index(sections).search(topic)
    if not found:
        raise UserError(f"The documentation says nothing on {topic!r}; make docs lists its pages.")
    best, *others = found
    text = f"[{best.page}]\n\n{best.text}"
    if not others:
        return text
    listed = "\n".join(f"  {other.page}: {other.title}" for other in others[:MAX_OTHERS])
    return f"{text}\n\nSee also:\n{listed}"


def _contents(sections: Sequence[Section]) -> str:
    titles = {section.page: section.title for section in reversed(sections)}
    width = max(map(len, titles))
    listed = (f"  {page:<{width}}  {titles[page]}" for page in sorted(titles))
    return "\n".join(["make docs TOPIC=…: a page, a command, or the text of an error", "", *listed])


def _phrases(texts: Iterable[str]) -> tuple[frozenset[str], ...]:
    """Return the words of each text, without the reader's own names and numbers if others stay."""
    found = (
        frozenset(_words(_PLACEHOLDER.sub(" ", text))) or frozenset(_words(text)) for text in texts
    )
    return tuple(filter(None, found))


def _words(text: str) -> Iterator[str]:
    return (word for found in _WORD.findall(text) if (word := found.lower().strip(".")))


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
