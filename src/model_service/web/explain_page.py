"""“Why?” beside an answer: its explanation as text and bars for the page."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_service.contract.batch import Batch
from model_service.contract.contract import Output
from model_service.contract.json_values import json_text
from model_service.errors import ServiceError
from model_service.explain.answer import ExplainRequest
from model_service.explain.explainer import Explainer
from model_service.model.predictions import Prediction
from model_service.web.current import Service
from model_service.web.explain_api import why_unexplained
from model_service.web.titles import feature_titles
from model_service.web.wording import format_value

logger = logging.getLogger(__name__)

MAX_WHY_BARS = 12
MINUS = "\N{MINUS SIGN}"
NAMED = 3  # features in the sentence
MAX_VALUE_CHARACTERS = 60

Write = Callable[[float], str]


@dataclass(frozen=True)
class WhyBar:
    """One feature: a bar to the left or the right of the base, in hundredths of the width."""

    title: str
    value: str
    text: str  # the contribution with its sign
    start: float
    width: float
    raises: bool


@dataclass(frozen=True)
class Why:
    """The explanation of one target."""

    name: str
    of: str
    base: str
    value: str
    background: str
    sentence: str
    bars: tuple[WhyBar, ...]
    hidden_count: int
    hidden_sum: str
    words: tuple[WhyBar, ...] = ()
    error: str | None = None


def why_is_quick(service: Service) -> bool:
    """Return whether each answer can come with its explanation."""
    explainer = service.model.explainer
    return why_unexplained(service) is None and explainer is not None and explainer.is_inline


def explain_answer(service: Service, batch: Batch, prediction: Prediction) -> list[Why]:
    """Return the explanation of one prediction for each target; none if there is none."""
    if why_unexplained(service) is not None:
        return []
    try:
        (members,) = service.explain(batch, [prediction], ExplainRequest())
    except ServiceError as error:
        # The prediction is shown without it.
        logger.warning("no explanation: %s", type(error).__name__)
        return []
    contract, explanation = service.model.contract, members["explanation"]
    output, titles = contract.output, feature_titles(contract)
    rows = _background(service.model.explainer, output)
    if output.targets is None:
        return [_why(output.name, explanation, output, rows, titles)]
    return [_why(name, explanation[name], output, rows, titles) for name in output.targets]


def _background(explainer: Explainer | None, output: Output) -> str:
    """Return which rows a row is compared with."""
    background = explainer.about.background if explainer is not None else "sample"
    if background == "positive":
        return f"rows of the sample that get {output.label_of(json_text(output.positive))}"
    return "example rows" if background == "examples" else "rows of the sample"


def _of(text: str, output: Output) -> str:
    kind, of, class_text = text.partition(" of ")
    return f"{kind} of {output.label_of(class_text)}" if of and output.labels else text


def _why(
    name: str,
    explanation: Mapping[str, Any],
    output: Output,
    rows: str,
    titles: Mapping[str, str],
) -> Why:
    entries = [{**e, "feature": titles[e["feature"]]} for e in explanation["features"]]
    largest = max((abs(entry["contribution"]) for entry in entries), default=0.0) or 1.0
    shown = entries[:MAX_WHY_BARS]
    hidden = entries[MAX_WHY_BARS:]
    words: Sequence[Mapping[str, Any]] = entries[0].get("words", ()) if len(entries) == 1 else ()
    error = explanation["error"]
    of, write = _of(explanation["of"], output), contribution_writer(largest)
    return Why(
        name=name,
        of=of,
        base=write(explanation["base"]),
        value=write(explanation["value"]),
        background=f"{explanation['background']:,} {rows}",
        sentence=_sentence(shown, of, write),
        bars=tuple(
            _bar(e["feature"], _shown(e["value"]), e["contribution"], largest, write) for e in shown
        ),
        hidden_count=len(hidden),
        hidden_sum=_signed(sum(entry["contribution"] for entry in hidden), write),
        words=word_bars(words),
        error=None if error is None else f"{error:.2g}",
    )


def word_bars(words: Sequence[Mapping[str, Any]]) -> tuple[WhyBar, ...]:
    """Return the bars of a text's words; the last one adds up all words without a bar."""
    if not words:
        return ()
    *present, others = words
    shown, hidden = present[: MAX_WHY_BARS - 1], present[MAX_WHY_BARS - 1 :]
    rest = others["contribution"] + sum(word["contribution"] for word in hidden)
    bars = [(word["word"], word["contribution"]) for word in shown] + [("all other words", rest)]
    largest = max(abs(contribution) for _, contribution in bars) or 1.0
    write = contribution_writer(largest)
    return tuple(_bar(title, "", contribution, largest, write) for title, contribution in bars)


def _bar(title: str, value: str, contribution: float, largest: float, write: Write) -> WhyBar:
    width = round(50 * abs(contribution) / largest, 2)
    raises, text = contribution > 0, _signed(contribution, write)
    return WhyBar(title, value, text, 50 if raises else 50 - width, width, raises)


def _sentence(entries: Sequence[Mapping[str, Any]], of: str, write: Write) -> str:
    """Return what the features with the largest contributions do."""
    named = [entry for entry in entries[:NAMED] if entry["contribution"]]
    if not named:
        return f"No feature changes the {of}."
    parts = []
    for number, entry in enumerate(named):
        verb = "raises" if entry["contribution"] > 0 else "lowers"
        what = f"the {of}" if number == 0 else "it"
        value = f" ({_shown(entry['value'])})" if _shown(entry["value"]) else ""
        amount = write(abs(entry["contribution"]))
        parts.append(f"{entry['feature']}{value} {verb} {what} by {amount}")
    return f"{'; '.join(parts)}."


def _shown(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return format_value(value)
    text = json.dumps(value) if isinstance(value, bool) else str(value)
    return text if len(text) <= MAX_VALUE_CHARACTERS else f"{text[:MAX_VALUE_CHARACTERS]}…"


def contribution_writer(largest: float) -> Write:
    """Return how contributions are written: as many decimals as show three digits of the largest.

    All have the same decimals, so that they can be compared, and added up.
    """
    magnitude = math.floor(math.log10(largest))
    if not -4 <= magnitude < 15:
        return lambda value: f"{value:.3g}".replace("-", MINUS)
    decimals = max(0, 2 - magnitude)
    # Adding zero makes a rounded -0.0 a zero without a sign.
    return lambda value: f"{round(value, decimals) + 0.0:,.{decimals}f}".replace("-", MINUS)


def _signed(value: float, write: Write) -> str:
    sign = "+" if value > 0 else MINUS if value < 0 else ""
    return f"{sign}{write(abs(value))}"
