"""The model card: what the page about the model says, in the words that it says it in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from model_service.contract.contract import Contract, Feature, Output, json_text
from model_service.contract.profile import Profile
from model_service.model.manifest import Manifest
from model_service.web.wording import number, percent

TASKS: Mapping[str, str] = {
    "classification": "Classification",
    "regression": "Regression: a number",
    "clustering": "Clustering: the number of a cluster",
    "outlier": "Outlier detection: 1 for a usual row, -1 for an outlier",
}
TYPES: Mapping[str, str] = {"boolean": "true or false", "text": "free text"}
TRANSFORMS: Mapping[str, str] = {
    "exp": "e to the power of the model's own number, which is a logarithm",
    "expm1": "e to the power of the model's own number, which is a logarithm, less 1",
}
MOST_LISTED = 20
# Up to here each value has a bar beside it; more categories are named.
MOST_LABELLED = 8
# With the pictures of more features the page would be too large for a telephone.
MOST_PICTURES = 200
HEIGHT = 40


@dataclass(frozen=True)
class Fact:
    """A term and what is said of it, a line each."""

    term: str
    lines: tuple[str, ...]
    code: bool = False


@dataclass(frozen=True)
class Section:
    title: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Bar:
    label: str
    percent: int


@dataclass(frozen=True)
class Histogram:
    """Bars as the path of an SVG, each one unit wide, `HEIGHT` units the highest."""

    path: str
    bars: int
    low: str
    high: str
    text: str


@dataclass(frozen=True)
class FeatureCard:
    name: str
    description: str
    lines: tuple[str, ...]
    bars: tuple[Bar, ...] = ()
    histogram: Histogram | None = None


@dataclass(frozen=True)
class Card:
    sections: tuple[Section, ...]
    features: tuple[FeatureCard, ...]
    sampled: bool  # whether anything is known of a sample


def card_of(
    contract: Contract,
    manifest: Manifest,
    goldens: int,
    reproduced: datetime | None,
    reason: str | None,
) -> Card:
    """Return the card. `goldens` are reproduced at a time in UTC, or there is a reason why not."""
    pictures = len(contract.features) <= MOST_PICTURES
    return Card(
        (
            Section("What it predicts", tuple(_prediction(contract.output, manifest))),
            Section("The model", tuple(_model(manifest))),
            Section("Its proof", tuple(_proof(manifest, goldens, reproduced, reason))),
        ),
        tuple(
            _feature(feature, manifest.profiles.get(feature.name), pictures)
            for feature in contract.features
        ),
        bool(manifest.profiles),
    )


def _prediction(output: Output, manifest: Manifest) -> Iterator[Fact]:
    yield Fact("Output", output.targets or (output.name,))
    yield Fact("Task", (TASKS[manifest.task.kind],))
    labels = output.labels
    # Of several targets only those classes are known that people have named.
    if classes := [json_text(value) for value in manifest.task.classes or labels]:
        said = [f"{text}: {labels[text]}" if text in labels else text for text in classes]
        yield Fact("Classes", _first(said))
    if manifest.task.kind == "classification":
        yield Fact("Probabilities", ("of each class" if manifest.task.probabilities else "none",))
    if output.threshold is not None:
        positive = json_text(output.positive)
        least = amount(output.threshold)
        yield Fact("Threshold", (f"{positive} where its probability is at least {least}",))
    if output.unit:
        yield Fact("Unit", (output.unit,))
    if output.transform is not None:
        yield Fact("Given as", (TRANSFORMS[output.transform],))


def _model(manifest: Manifest) -> Iterator[Fact]:
    yield Fact("Version", (str(manifest.about.version),))
    yield Fact("Estimator", (manifest.estimator,))
    if manifest.transformers:
        applied = (f"{entry.estimator} ({entry.reference})" for entry in manifest.transformers)
        yield Fact("Applied before it", tuple(applied))
    if manifest.code is not None:
        yield Fact("Code of its own", (manifest.code.file,), code=True)
    yield Fact("File", (f"{manifest.model.reference}, {manifest.model.size:,} bytes",))
    yield Fact("SHA-256", (manifest.model.sha256,), code=True)
    yield Fact("Python", (manifest.environment.python,))
    named = (
        f"{name} {version or '(not locked)'}"
        for name, version in manifest.environment.libraries.items()
    )
    yield Fact("Libraries", (", ".join(named),))


def _proof(
    manifest: Manifest, goldens: int, reproduced: datetime | None, reason: str | None
) -> Iterator[Fact]:
    yield Fact("Verified", ("yes" if manifest.verified else "not yet",))
    if goldens:
        yield Fact("Recorded predictions", (f"{goldens:,}",))
    if reproduced is not None:
        when = f"{reproduced:%Y-%m-%d %H:%M:%S} UTC, when this process began"
        yield Fact("Last reproduced", (when,))
    if reason is not None:
        yield Fact("Not ready", (reason,))


def _feature(feature: Feature, profile: Profile | None, pictures: bool) -> FeatureCard:
    if profile is not None and not profile.fits(feature):
        profile = None
    shares = _shares(feature, profile)
    drawn = profile if pictures and profile is not None and profile.shares else None
    bars: tuple[Bar, ...] = ()
    histogram = None
    lines = [f"{TYPES.get(feature.type, feature.type)}, {feature.unit}".removesuffix(", ")]
    lines += _range(feature)
    if drawn is not None and 0 < len(shares) <= MOST_LABELLED:
        bars = tuple(Bar(text, round(100 * (share or 0))) for text, share in shares.items())
    elif feature.categories:
        lines.append(", ".join(_first([_with_share(*pair) for pair in shares.items()])))
    elif drawn is not None:
        histogram = histogram_of(drawn)
    if feature.categories and not feature.closed:
        lines.append("other categories are taken, too")
    lines.append("may be unknown" if feature.nullable else "must be given")
    if profile is not None:
        lines.append(f"{percent(profile.missing) if profile.missing else 'none'} missing")
    return FeatureCard(feature.name, feature.description, tuple(lines), bars, histogram)


def _shares(feature: Feature, profile: Profile | None) -> dict[str, float | None]:
    """Return the share of each value, first of those that are known in the sample."""
    if profile is None or not profile.shares:
        return dict.fromkeys(map(json_text, feature.categories or ()))
    known = dict(zip(_texts(profile), profile.shares, strict=False))  # bins have no texts
    return dict.fromkeys([*known, *map(json_text, feature.categories or ())]) | known


def _with_share(category: str, share: float | None) -> str:
    return category if share is None else f"{category} ({100 * share:.0f} %)"


def _range(feature: Feature) -> Iterator[str]:
    low, high = feature.minimum, feature.maximum
    usually = "" if feature.strict else "usually "
    if low is not None and high is not None:
        yield f"{usually}{amount(low)} to {amount(high)}"
    elif low is not None:
        yield f"{usually}at least {amount(low)}"
    elif high is not None:
        yield f"{usually}at most {amount(high)}"


def histogram_of(profile: Profile) -> Histogram:
    """Return the picture of shares that are in order."""
    limits = _limits(profile)
    highest = max(profile.shares) or 1
    heights = [round(HEIGHT * share / highest) for share in profile.shares]
    path = "".join(f"M{n} {HEIGHT}v-{h}h.9v{h}z" for n, h in enumerate(heights) if h)
    low, high = limits[0][0], limits[-1][1]
    share, peak = max(zip(profile.shares, limits, strict=True), key=lambda pair: pair[0])
    often = " to ".join(dict.fromkeys(peak))
    text = f"{low} to {high}, most often {often} ({100 * share:.0f} %)"
    return Histogram(path, len(heights), low, high, text)


def _limits(profile: Profile) -> list[tuple[str, str]]:
    """Return where each bar begins and ends, which for a value is the same."""
    if profile.start is None or profile.step is None:
        return [(text, text) for text in _texts(profile)]
    first = round(profile.start / profile.step)
    edges = [first + number for number in range(len(profile.shares) + 1)]
    return list(pairwise(amount(edge * profile.step) for edge in edges))


def _texts(profile: Profile) -> list[str]:
    """Return the values that the shares are of as people read them; a category is as it is sent."""
    numbers = profile.type in ("number", "integer")
    return [
        amount(value) if numbers and not isinstance(value, str) else json_text(value)
        for value in profile.values
    ]


def amount(value: float) -> str:
    """Write a number as people read it; up to four digits it may be a year."""
    return f"{value:.6g}" if abs(value) < 10_000 else number(value)


def _first(texts: Sequence[str]) -> tuple[str, ...]:
    more = len(texts) - MOST_LISTED
    return (*texts[:MOST_LISTED], *([f"and {more:,} more"] if more > 0 else []))
