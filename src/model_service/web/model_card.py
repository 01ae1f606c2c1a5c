"""The content of the model card, the page about the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from model_service.contract.contract import Contract, Feature, Output
from model_service.contract.json_values import json_text
from model_service.contract.profile import Profile
from model_service.model.manifest import Manifest
from model_service.web.titles import feature_title
from model_service.web.wording import Bar, format_percent, format_together, format_value

TASK_TEXTS: Mapping[str, str] = {
    "classification": "Classification",
    "regression": "Regression: a number",
    "clustering": "Clustering: the number of a cluster",
    "outlier": "Outlier detection: 1 for a usual row, -1 for an outlier",
}
TYPE_TEXTS: Mapping[str, str] = {"boolean": "true or false", "text": "free text"}
TRANSFORM_TEXTS: Mapping[str, str] = {
    "exp": "e to the power of the model's own number, which is a logarithm",
    "expm1": "e to the power of the model's own number, which is a logarithm, less 1",
    "pow10": "10 to the power of the model's own number, which is a logarithm",
    "square": "the square of the model's own number, which is a root",
}
MAX_LISTED = 20  # classes or categories in one line
MAX_BARS = 8  # a feature with more values has a list of them or a histogram
MAX_FEATURES_WITH_CHARTS = 200  # with more charts the page would be too large for a phone
CHART_HEIGHT = 40


@dataclass(frozen=True)
class CardEntry:
    """A term and the lines that describe it; `is_code` asks for a monospaced font."""

    term: str
    lines: tuple[str, ...]
    is_code: bool = False


@dataclass(frozen=True)
class CardSection:
    """A heading with its entries."""

    title: str
    entries: tuple[CardEntry, ...]


@dataclass(frozen=True)
class Histogram:
    """A histogram as an SVG path: one line for each bar, the highest of CHART_HEIGHT units."""

    path: str
    bar_count: int
    low: str
    high: str
    text: str  # for screen readers


@dataclass(frozen=True)
class FeatureCard:
    """A feature; of the sample's values it shows bars, a histogram or neither."""

    name: str
    title: str
    description: str
    lines: tuple[str, ...]
    bars: tuple[Bar, ...] = ()
    histogram: Histogram | None = None


@dataclass(frozen=True)
class ModelCard:
    """The whole page; `has_sample` says whether the manifest has profiles of a sample."""

    sections: tuple[CardSection, ...]
    features: tuple[FeatureCard, ...]
    has_sample: bool


def build_model_card(
    contract: Contract,
    manifest: Manifest,
    golden_count: int,
    reproduced: datetime | None,
    is_ready: bool,
    quality: Sequence[CardEntry] = (),
) -> ModelCard:
    """Return the model card.

    `golden_count` is the number of golden predictions, `reproduced` the time in UTC at which the
    model last reproduced them. Why a service is not ready is for its owner: /ready says it.
    `quality` says how well the model predicts, if that was measured.
    """
    with_charts = len(contract.features) <= MAX_FEATURES_WITH_CHARTS
    return ModelCard(
        (
            CardSection("What it predicts", tuple(_output_entries(contract.output, manifest))),
            *([CardSection("How well it predicts", tuple(quality))] if quality else []),
            CardSection("The model", tuple(_model_entries(manifest))),
            CardSection(
                "Verification",
                tuple(_verification_entries(manifest, golden_count, reproduced, is_ready)),
            ),
        ),
        tuple(
            _feature_card(feature, manifest.profiles.get(feature.name), with_charts)
            for feature in contract.features
        ),
        bool(manifest.profiles),
    )


def _output_entries(output: Output, manifest: Manifest) -> Iterator[CardEntry]:
    yield CardEntry("Output", output.targets or (output.name,))
    yield CardEntry("Task", (TASK_TEXTS[manifest.task.kind],))
    labels = output.labels
    # The manifest has no classes if there are several targets: list those that have a label.
    if classes := [json_text(value) for value in manifest.task.classes or labels]:
        texts = [f"{name}: {labels[name]}" if name in labels else name for name in classes]
        yield CardEntry("Classes", _truncate(texts))
    if manifest.task.kind == "classification":
        probabilities = "of each class" if manifest.task.probabilities else "none"
        yield CardEntry("Probabilities", (probabilities,))
    if output.threshold is not None:
        positive = json_text(output.positive)
        threshold = format_value(output.threshold)
        text = f"{positive} where its probability is at least {threshold}"
        yield CardEntry("Threshold", (text,))
    if output.unit:
        yield CardEntry("Unit", (output.unit,))
    if output.transform is not None:
        yield CardEntry("Transform", (_transform_text(output.transform),))


def _transform_text(transform: str | Mapping[str, float]) -> str:
    if isinstance(transform, str):
        return TRANSFORM_TEXTS[transform]
    multiply, add = (format_value(transform[name]) for name in ("multiply", "add"))
    return f"the model's own number, times {multiply}, plus {add}"


def _model_entries(manifest: Manifest) -> Iterator[CardEntry]:
    yield CardEntry("Version", (str(manifest.about.version),))
    yield CardEntry("Estimator", (manifest.estimator,))
    if manifest.transformers:
        texts = (f"{entry.estimator} ({entry.reference})" for entry in manifest.transformers)
        yield CardEntry("Transformers", tuple(texts))
    if manifest.code is not None:
        yield CardEntry("Custom code", (manifest.code.file,), is_code=True)
    file = f"{manifest.model.reference}, {manifest.model.size:,} bytes"
    yield CardEntry("File", (file,))
    yield CardEntry("SHA-256", (manifest.model.sha256,), is_code=True)
    yield CardEntry("Python", (manifest.environment.python,))
    libraries = (
        f"{name} {pin or '(not locked)'}" for name, pin in manifest.environment.libraries.items()
    )
    yield CardEntry("Libraries", (", ".join(libraries),))


def _verification_entries(
    manifest: Manifest, golden_count: int, reproduced: datetime | None, is_ready: bool
) -> Iterator[CardEntry]:
    yield CardEntry("Verified", ("yes" if manifest.verified else "not yet",))
    if golden_count:
        yield CardEntry("Recorded predictions", (f"{golden_count:,}",))
    if reproduced is not None:
        text = f"{reproduced:%Y-%m-%d %H:%M:%S} UTC, when this process began"
        yield CardEntry("Last reproduced", (text,))
    if not is_ready:
        yield CardEntry("Predictions", ("none now: this service is being updated",))


def _feature_card(feature: Feature, profile: Profile | None, with_charts: bool) -> FeatureCard:
    if profile is not None and not profile.fits(feature):
        profile = None
    shares = _shares(feature, profile)
    charted = profile if with_charts and profile is not None and profile.shares else None
    bars: tuple[Bar, ...] = ()
    histogram = None
    lines = [f"{TYPE_TEXTS.get(feature.type, feature.type)}, {feature.unit}".removesuffix(", ")]
    lines += _range_lines(feature)
    if charted is not None and 0 < len(shares) <= MAX_BARS:
        bars = tuple(_bar(label, share or 0) for label, share in shares.items())
    elif feature.categories:
        categories = [
            label if share is None else f"{label} ({format_percent(share)})"
            for label, share in shares.items()
        ]
        lines.append(", ".join(_truncate(categories)))
    elif charted is not None:
        histogram = build_histogram(charted)
    if feature.categories and not feature.closed:
        lines.append("other categories are taken, too")
    lines.append("may be unknown" if feature.nullable else "must be given")
    if profile is not None:
        lines.append(f"{format_percent(profile.missing) if profile.missing else 'none'} missing")
    # A long list shows names alone: the page would be too large for a phone.
    title = feature_title(feature) if with_charts else feature.name
    return FeatureCard(feature.name, title, feature.description, tuple(lines), bars, histogram)


def _shares(feature: Feature, profile: Profile | None) -> dict[str, float | None]:
    """Return the share of each value: those of the sample first, then categories that it lacks."""
    categories = map(json_text, feature.categories or ())
    if profile is None or not profile.shares:
        return dict.fromkeys(categories)
    # A histogram has shares and no values: then nothing is paired.
    known = dict(zip(_value_texts(profile), profile.shares, strict=False))
    return dict.fromkeys([*known, *categories]) | known


def _bar(label: str, share: float) -> Bar:
    return Bar(label, share, format_percent(share))


def _range_lines(feature: Feature) -> Iterator[str]:
    low, high = feature.minimum, feature.maximum
    usually = "" if feature.strict else "usually "
    if low is not None and high is not None:
        yield f"{usually}{' to '.join(format_together(low, high))}"
    elif low is not None:
        yield f"{usually}at least {format_value(low)}"
    elif high is not None:
        yield f"{usually}at most {format_value(high)}"


def build_histogram(profile: Profile) -> Histogram:
    """Return the histogram of a profile whose shares are in the order of the values."""
    bins = _bins(profile)
    highest = max(profile.shares) or 1
    heights = [round(CHART_HEIGHT * share / highest) for share in profile.shares]
    # Lines, not boxes: half the bytes, and a page can have 200 histograms.
    path = "".join(f"M{n}.5 {CHART_HEIGHT}v-{h}" for n, h in enumerate(heights) if h)
    low, high = bins[0][0], bins[-1][1]
    share, most_frequent = max(zip(profile.shares, bins, strict=True), key=lambda pair: pair[0])
    bin_text = " to ".join(dict.fromkeys(most_frequent))
    text = f"{low} to {high}, most often {bin_text} ({format_percent(share)})"
    return Histogram(path, len(heights), low, high, text)


def _bins(profile: Profile) -> list[tuple[str, str]]:
    """Return the first and last value of each bar, which are the same if it shows one value."""
    if profile.start is None or profile.step is None:
        return [(text, text) for text in _value_texts(profile)]
    first = round(profile.start / profile.step)
    edges = [first + number for number in range(len(profile.shares) + 1)]
    return list(pairwise(format_together(*(edge * profile.step for edge in edges))))


def _value_texts(profile: Profile) -> list[str]:
    """Return the profile's values as text: numbers are rounded, categories are as in requests."""
    is_numeric = profile.type in ("number", "integer")
    return [
        format_value(value) if is_numeric and not isinstance(value, str) else json_text(value)
        for value in profile.values
    ]


def _truncate(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the first texts, and how many more there are."""
    more = len(texts) - MAX_LISTED
    return (*texts[:MAX_LISTED], *([f"and {more:,} more"] if more > 0 else []))
