"""The owner's part of the model card, `model/card.md`, and the whole card as Markdown.

Of Markdown the page knows headings, paragraphs and lists; a library would be one more requirement
of the service. Comments, and sections that hold nothing else, are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_service.web.model_card import ModelCard

CARD = "card.md"
MAX_BYTES = 100_000
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_HEADING = re.compile(r"#{1,6} +(?P<text>.+)")
_ITEM = re.compile(r"[-*] +(?P<text>.+)")
# The task as Hugging Face names it: https://huggingface.co/tasks
_PIPELINE_TAGS = {
    ("classification", False): "tabular-classification",
    ("classification", True): "text-classification",
    ("regression", False): "tabular-regression",
}


@dataclass(frozen=True)
class CardText:
    """A section of the owner's: a heading, and paragraphs or lists in their order."""

    title: str
    blocks: tuple[str | tuple[str, ...], ...]  # a list is a tuple of its items


def read_card(folder: Path) -> str:
    """Return the owner's text, or "" without one that can be read."""
    try:
        with (folder / CARD).open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def parse_card(text: str) -> list[CardText]:
    """Return the sections of the owner's text that say something."""
    sections: list[tuple[str, list[str]]] = [("", [])]
    for line in _COMMENT.sub("", text).replace("\r\n", "\n").split("\n"):
        if heading := _HEADING.fullmatch(line.strip()):
            sections.append((heading["text"], []))
        else:
            sections[-1][1].append(line.strip())
    parsed = [CardText(title, tuple(_blocks(lines))) for title, lines in sections]
    return [section for section in parsed if section.blocks]


def _blocks(lines: Sequence[str]) -> Iterator[str | tuple[str, ...]]:
    paragraph: list[str] = []
    items: list[str] = []
    for line in [*lines, ""]:
        item = _ITEM.fullmatch(line)
        if paragraph and (item or not line):
            yield " ".join(paragraph)
            paragraph = []
        if item:
            items.append(item["text"])
        elif line and items:
            items[-1] += f" {line}"
        elif line:
            paragraph.append(line)
        elif items:
            yield tuple(items)
            items = []


def card_markdown(
    title: str, description: str, text: str, card: ModelCard, libraries: Sequence[str], task: str
) -> str:
    """Return the card in Markdown, with front matter as Hugging Face reads it."""
    takes_text = [line for f in card.features for line in f.lines] == ["free text"]
    tag = _PIPELINE_TAGS.get((task, takes_text))
    front = {
        "model_name": title,
        "library_name": "sklearn" if "scikit-learn" in libraries else (libraries or ("",))[0],
        "tags": [task],
        **({"pipeline_tag": tag} if tag else {}),
    }
    # JSON is YAML, too.
    lines = ["---", *(f"{name}: {json.dumps(value)}" for name, value in front.items()), "---", ""]
    lines += [f"# {title}", "", description, ""]
    for section in parse_card(text):
        lines += [f"## {section.title}", ""] if section.title else []
        for block in section.blocks:
            shown = [block] if isinstance(block, str) else [f"- {item}" for item in block]
            lines += [*shown, ""]
    for facts in card.sections:
        lines += [f"## {facts.title}", ""]
        lines += [f"- {entry.term}: {', '.join(entry.lines)}" for entry in facts.entries]
        lines.append("")
    lines += ["## Features", "", "| feature | about |", "|---|---|"]
    lines += [f"| {_cell(f.name)} | {_cell(', '.join(f.lines))} |" for f in card.features]
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")
