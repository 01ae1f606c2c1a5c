"""What differs between two adopted models: for callers, in the answers, and for the reviewer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from model_service.contract.contract import Contract, Feature, Output
from model_service.contract.json_values import Scalar, json_text
from model_service.model.manifest import Manifest, TransformerFile
from workbench.adopt.beside.transformer_files import FOLDER, NUMBERED
from workbench.errors import listing

# What a change does: it breaks callers, it changes the answers that the same model file gives, or
# neither. A model that was trained again gives other answers, and no one has to accept that twice.
Effect = Literal["breaking", "answers", "none"]
# Of a kind, of which a retrained model can have one for each of thousands of features.
MAX_LISTED = 5
# The members of a feature that have sentences of their own, or none.
_COMPARED = frozenset(
    ("name", "type", "nullable", "categories", "strict", "encode", "one_hot", "minimum", "maximum")
)
_OUTPUT_COMPARED = frozenset(("labels", "positive", "threshold", "transform", "targets"))


@dataclass(frozen=True)
class Change:
    """A difference between two adopted models."""

    effect: Effect
    sentence: str


def find_changes(
    before: Contract, after: Contract, old: Manifest, new: Manifest
) -> Iterator[Change]:
    """Yield the differences that matter to callers and reviewers."""
    yield from _changed_features(before, after, new.derived)
    yield from _changed_task(old, new)
    yield from _changed_output(before.output, after.output)
    if old.environment.python != new.environment.python:
        python, other = old.environment.python, new.environment.python
        yield Change("none", f"Python was {python} and is {other}")
    if old.estimator != new.estimator:
        yield Change("none", f"the estimator was {old.estimator} and is {new.estimator}")
    yield from _changed_libraries(old.environment.libraries, new.environment.libraries)
    # Another model comes with transformers of its own; before the same one they change its input.
    effect: Effect = "answers" if is_same_model(old, new) else "none"
    for sentence in _changed_transformers(before, after, old, new):
        yield Change(effect, sentence)
    size, other_size = old.model.size, new.model.size
    if size != other_size:
        yield Change("none", f"the model file had {size:,} bytes and has {other_size:,}")


def is_same_model(old: Manifest, new: Manifest) -> bool:
    """Return whether both are the same member of the same file."""
    return (old.model.sha256, old.model.member) == (new.model.sha256, new.model.member)


def _changed_task(old: Manifest, new: Manifest) -> Iterator[Change]:
    if old.task.kind != new.task.kind:
        yield Change("breaking", f"the task was {old.task.kind}, now {new.task.kind}")
    if old.task.classes != new.task.classes:
        was, now = _classes(old), _classes(new)
        yield Change("breaking", f"the classes were {was}, now {now}")
    if old.task.probabilities and not new.task.probabilities:
        yield Change("breaking", "predictions no longer have probabilities")


def _classes(manifest: Manifest) -> list[Scalar] | None:
    return list(manifest.task.classes) if manifest.task.classes is not None else None


def _changed_output(was: Output, now: Output) -> Iterator[Change]:
    """Yield what is done to the model's prediction in another way."""
    if was.transform != now.transform:
        yield Change("answers", _was_and_is("the transform", was.transform, now.transform))
    if (was.threshold, was.threshold and was.positive) != (
        now.threshold,
        now.threshold and now.positive,
    ):
        yield Change("answers", _was_and_is("the threshold", _threshold(was), _threshold(now)))
    elif was.positive != now.positive:
        yield Change("none", _was_and_is("the positive class", was.positive, now.positive))
    if was.labels != now.labels:
        for name in {**was.labels, **now.labels}:
            label, other = was.labels.get(name), now.labels.get(name)
            if label != other:
                yield Change("answers", _was_and_is(f"the label of {name}", label, other))
    if was.targets != now.targets:
        targets, others = listing(was.targets or ()), listing(now.targets or ())
        yield Change(
            "breaking", _was_and_is("the list of targets", targets or None, others or None)
        )
    before, after = was.to_json(), now.to_json()
    for member in {**before, **after}:
        if member not in _OUTPUT_COMPARED and before.get(member) != after.get(member):
            what = f"the {member} of the prediction"
            yield Change("none", _was_and_is(what, before.get(member), after.get(member)))


def _threshold(output: Output) -> str | None:
    if output.threshold is None:
        return None
    return f"{output.threshold:.15g} for {json_text(output.positive)}"


def _was_and_is(what: str, was: Any, now: Any) -> str:
    shown = ["none" if value is None else str(value) for value in (was, now)]
    return f"{what} was {shown[0]} and is {shown[1]}"


def _changed_libraries(
    old: Mapping[str, str | None], new: Mapping[str, str | None]
) -> Iterator[Change]:
    for name in sorted({*old, *new}):
        version, other = old.get(name, "none"), new.get(name, "none")
        if version != other:
            sentence = f"{name} was {version or 'not locked'} and is {other or 'not locked yet'}"
            yield Change("none", sentence)


def _changed_features(
    before: Contract, after: Contract, derived: Mapping[str, Mapping[str, Any]]
) -> Iterator[Change]:
    was, now = before.by_name, after.by_name
    for name in was:
        if name in after.unused:
            yield Change(
                "none", f"feature {name} changes nothing any more; callers may go on to send it"
            )
        elif name not in now:
            yield Change("breaking", f"feature {name} is gone")
    for name in before.unused:
        if name not in now and name not in after.unused:
            yield Change("breaking", f"{name}, which changed nothing, is no longer accepted")
    for name in now:
        if name not in was:
            sentence = (
                f"feature {name} is new, and every row must have it: callers do not send it today"
            )
            yield Change("breaking", sentence)
    both = [(was[name], feature) for name, feature in now.items() if name in was]
    for earlier, feature in both:
        yield from _changed_values(earlier, feature, derived.get(feature.name, {}))
    yield from _changed_hints(both)


def _changed_values(was: Feature, now: Feature, derived: Collection[str]) -> Iterator[Change]:
    """Yield what a feature takes, and what the model gets of it, in another way.

    `derived` names the members that verify corrects: what is not known yet is not said.
    """
    if now.type != was.type:
        yield Change("breaking", f"feature {now.name} was a {was.type} and is a {now.type}")
    if was.nullable and not now.nullable and "nullable" not in derived:
        yield Change("breaking", f"feature {now.name} can no longer be null")
    yield from _changed_categories(was, now, derived)
    if (was.encode, was.one_hot) != (now.encode, now.one_hot):
        yield Change("answers", f"feature {now.name} is encoded in another way")
    if _enforced(was) != _enforced(now):
        low, high = _enforced(now)
        was_low, was_high = _enforced(was)
        narrower = low > was_low or high < was_high
        taken = "any number" if (low, high) == _ANY else f"{low:.15g} to {high:.15g} only"
        yield Change("breaking" if narrower else "none", f"feature {now.name} takes {taken}")


_ANY = (float("-inf"), float("inf"))


def _enforced(feature: Feature) -> tuple[float, float]:
    """Return the range outside of which a number is refused."""
    if not feature.strict or feature.type not in ("number", "integer"):
        return _ANY
    low, high = feature.minimum, feature.maximum
    return _ANY[0] if low is None else low, _ANY[1] if high is None else high


def _changed_categories(was: Feature, now: Feature, derived: Collection[str]) -> Iterator[Change]:
    """Yield which categories are refused that were taken, or are new."""
    # Verify finds out whether the model takes others, unless it is declared.
    is_open = not now.closed or ("strict" in derived and was.categories and not was.closed)
    lost = [c for c in was.categories or () if c not in (now.categories or ())]
    if lost:
        effect: Effect = "none" if is_open else "breaking"
        sentence = f"feature {now.name} has lost the categories {_shown(lost)}"
        yield Change(effect, sentence)
    gained = [c for c in now.categories or () if c not in (was.categories or ())]
    if was.categories and gained:
        yield Change("none", f"feature {now.name} has the new categories {_shown(gained)}")
    if was.type == now.type == "category" and not was.closed and not is_open:
        sentence = f"feature {now.name} takes no other categories than {_shown(now.categories)}"
        yield Change("breaking", sentence)
    elif was.closed and now.categories and not now.closed:
        yield Change("none", f"feature {now.name} takes other categories, too")


def _shown(categories: Iterable[Scalar] | None) -> str:
    return ", ".join(map(json_text, categories or ()))


def _changed_hints(features: Sequence[tuple[Feature, Feature]]) -> Iterator[Change]:
    """Yield what is said to people in another way: usual ranges, and words."""
    ranges = {
        now.name: f"{_range(was)}, now {_range(now)}"
        for was, now in features
        if _range(was) != _range(now)
    }
    yield from _summed_up("the usual range", ranges)
    words: dict[str, dict[str, str]] = {}
    for was, now in features:
        before, after = was.to_json(), now.to_json()
        for member in {**before, **after}:
            if member not in _COMPARED and before.get(member) != after.get(member):
                value, other = before.get(member, "none"), after.get(member, "none")
                words.setdefault(member, {})[now.name] = f"{value}, now {other}"
    for member, found in words.items():
        yield from _summed_up(f'"{member}"', found)


def _range(feature: Feature) -> str:
    ends = (feature.minimum, feature.maximum)
    if ends == (None, None):
        return "unknown"
    return " to ".join("…" if end is None else f"{end:.12g}" for end in ends)


def _summed_up(what: str, found: Mapping[str, str]) -> Iterator[Change]:
    """Yield a sentence for each feature, or one for all if there are many."""
    if len(found) > MAX_LISTED:
        yield Change("none", f"{what} of {len(found):,} features: {listing(list(found))}")
        return
    for name, sentence in found.items():
        yield Change("none", f"{what} of feature {name} was {sentence}")


def _changed_transformers(
    before: Contract, after: Contract, old: Manifest, new: Manifest
) -> Iterator[str]:
    """Yield the differences in the author's files before the model, matched by name."""
    files, others = old.transformers, new.transformers
    was, now = ({_name(one): one for one in transformers} for transformers in (files, others))
    for name in {**was, **now}:
        if name not in now:
            yield f"the transformer {name} is gone"
        elif name not in was:
            yield f"the transformer {name} is new: {now[name].estimator}"
        elif was[name].estimator != now[name].estimator:
            yield (f"the transformer {name} was {was[name].estimator} and is {now[name].estimator}")
    digests = {one.file: one.sha256 for one in files}
    for file, digest in {one.file: one.sha256 for one in others}.items():
        if file.startswith(f"{FOLDER}/") and digests.get(file, digest) != digest:
            yield f"{file} is another file"
    if set(was) == set(now):
        if [*was] != [*now]:
            yield f"the transformers are applied in another order: {listing([*now])}"
        columns = {one.file: one.columns for one in before.transformers}
        for one in after.transformers:
            if columns.get(one.file, one.columns) != one.columns:
                chosen = listing(one.columns) if one.columns else "all columns"
                yield f"the transformer {one.file} is for {chosen}"
    if (old.code and old.code.sha256) != (new.code and new.code.sha256):
        yield "your own code (model_code) is another file" if new.code else "your own code is gone"


def _name(transformer: TransformerFile) -> str:
    """Return the name for messages, without the number that adopt adds."""
    file = NUMBERED.sub("", Path(transformer.file).name)
    return f"{file}#{transformer.member}" if transformer.member else file
