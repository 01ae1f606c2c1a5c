"""The documentation as GitHub shows it: headings, anchors, links, fenced blocks, code spans."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import jinja2
from conftest import ROOT, TEMPLATE

DOCS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
PROJECT_README = f"{TEMPLATE.name}/README.md"
OTHERS = ("README.md", "SECURITY.md", "benchmarks/README.md", PROJECT_README)
LOAN = {
    "project_name": "Loan approval",
    "project_slug": "loan-approval",
    "description": "Predictions of the Loan approval model over HTTP.",
}
_FENCE = re.compile(r"^ *```(?P<language>\w*)$")
_HEADING = re.compile(r"^(?P<marks>#{1,6}) +(?P<title>.+)$")
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^()\s]+)\)")
_SPAN = re.compile(r"`(?P<text>[^`]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block; `line` is that of its opening fence."""

    language: str
    text: str
    line: int

    def is_followed_by(self, other: Block) -> bool:
        """Return whether nothing but an empty line stands between this block and another."""
        end = self.line + len(self.text.splitlines()) + 1
        return other.line == end + 2

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands of a console block; lines without `$` continue the one above."""
        found: list[str] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append(line.removeprefix("$ "))
            else:
                found[-1] += f"\n{line}"
        return tuple(found)


@dataclass(frozen=True)
class Table:
    """A table: the heads of its columns, and its rows of cells."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Section:
    """A heading, and what stands below it down to the next heading of any level."""

    level: int
    title: str
    prose: str  # without fenced blocks
    blocks: tuple[Block, ...]

    @cached_property
    def spans(self) -> tuple[str, ...]:
        """The code spans of the prose; a line end in one is a space."""
        return tuple(" ".join(m["text"].split()) for m in _SPAN.finditer(self.prose))

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        found = re.findall(r"(?:^\|.*\n?)+", self.prose, re.M)
        return tuple(_table(text.splitlines()) for text in found)


@dataclass(frozen=True)
class Page:
    """One Markdown file; `name` is its path from the repository's root."""

    name: str
    text: str

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        return tuple(_sections(self.text))

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(block for section in self.sections for block in section.blocks)

    @cached_property
    def links(self) -> tuple[str, ...]:
        return tuple(m["target"] for s in self.sections for m in _LINK.finditer(s.prose))

    @cached_property
    def anchors(self) -> frozenset[str]:
        """The anchors of the headings, as GitHub makes them."""
        seen: Counter[str] = Counter()
        anchors = set()
        for section in self.sections:
            slug = re.sub(r"[^\w\- ]", "", section.title.lower()).replace(" ", "-")
            anchors.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
        return frozenset(anchors)

    @cached_property
    def code(self) -> tuple[str, ...]:
        """All code: spans, and the lines of fenced blocks in no programming language."""
        spans = [span for section in self.sections for span in section.spans]
        shell = [block.text for block in self.blocks if block.language in ("console", "text", "")]
        return (*spans, *(line for text in shell for line in text.splitlines()))

    def table(self, head: str) -> Table:
        """Return the table whose first column has this head."""
        (found,) = (t for section in self.sections for t in section.tables if t.heads[0] == head)
        return found

    def section(self, title: str) -> Section:
        """Return the section with this heading."""
        (found,) = (section for section in self.sections if section.title == title)
        return found


def read_page(name: str) -> Page:
    """Read a page of the repository; that of the rendered project as the loan example has it."""
    text = (ROOT / name).read_text(encoding="utf-8")
    if name == PROJECT_README:
        text = jinja2.Template(text).render(cookiecutter=LOAN)
    return Page(name, text)


def documentation() -> dict[str, Page]:
    """Return all pages that people read, by name."""
    return {name: read_page(name) for name in (*OTHERS, *DOCS)}


def _table(lines: list[str]) -> Table:
    heads, _, *rows = (tuple(c.strip() for c in ln.strip("|").split(" | ")) for ln in lines)
    return Table(heads, tuple(rows))


def _sections(text: str) -> Iterator[Section]:
    level, title = 0, ""
    prose: list[str] = []
    blocks: list[Block] = []
    fence: list[str] | None = None
    language, start = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        marks = _FENCE.match(line)
        if fence is not None and marks:
            body = textwrap.dedent("\n".join(fence))
            blocks.append(Block(language, body, start))
            fence = None
        elif fence is not None:
            fence.append(line)
        elif marks:
            fence, language, start = [], marks["language"], number
        elif heading := _HEADING.match(line):
            if level or prose:
                yield Section(level, title, "\n".join(prose), tuple(blocks))
            level, title, prose, blocks = len(heading["marks"]), heading["title"], [], []
        else:
            prose.append(line)
    yield Section(level, title, "\n".join(prose), tuple(blocks))
