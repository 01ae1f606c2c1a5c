"""The importance of the features over the sample, as bars of the model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model_service.contract.contract import Contract
from model_service.contract.json_values import json_text
from model_service.explain.answer import subject_text
from model_service.explain.explainer import Explainer, Importance
from model_service.web.explain_page import contribution_writer
from model_service.web.titles import feature_titles

MAX_IMPORTANT = 20
# A correlation of values and contributions from here on is a direction.
CLEAR_DIRECTION = 0.5


@dataclass(frozen=True)
class ImportanceBar:
    """A feature's mean absolute contribution, and what raises the answer."""

    title: str
    text: str
    width: float  # in hundredths
    direction: str


@dataclass(frozen=True)
class ImportanceCard:
    """The importance of the features over the sample, for the explained class or number."""

    of: str
    bars: tuple[ImportanceBar, ...]
    hidden_count: int


def importance_cards(explainer: Explainer | None, contract: Contract) -> list[ImportanceCard]:
    """Return the importance for each target, or for each of several classes."""
    if explainer is None:
        return []
    cards, output, titles = [], contract.output, feature_titles(contract)
    for target in explainer.targets:
        for place in range(target.width):
            entries = explainer.about.importance.get(str(target.first + place))
            if not entries:
                continue
            classes = target.classes
            text = None
            if classes is not None:
                text = output.label_of(json_text(classes[place if target.width > 1 else 1]))
            of = subject_text(explainer.about.kind, text, output)
            heading = of if target.name is None else f"{target.name}: {of}"
            cards.append(_card(heading, entries, titles))
    return cards


def _card(of: str, entries: Sequence[Importance], titles: Mapping[str, str]) -> ImportanceCard:
    largest = max(entry.mean_absolute for entry in entries) or 1.0
    write = contribution_writer(largest)
    return ImportanceCard(
        of,
        tuple(
            ImportanceBar(
                titles[entry.feature],
                write(entry.mean_absolute),
                round(100 * entry.mean_absolute / largest, 1),
                _direction(entry),
            )
            for entry in entries[:MAX_IMPORTANT]
        ),
        max(len(entries) - MAX_IMPORTANT, 0),
    )


def _direction(entry: Importance) -> str:
    if entry.mean_absolute == 0:
        return "no influence"
    if entry.direction is not None:
        if abs(entry.direction) < CLEAR_DIRECTION:
            return "up and down"
        return "higher values raise it" if entry.direction > 0 else "higher values lower it"
    if entry.highest is not None and entry.lowest is not None:
        return f"{entry.highest} raises it most, {entry.lowest} least"
    return ""
