"""Files of joblib and pickle have the same facts in every protocol and compression."""

from __future__ import annotations

import bz2
import copyreg
import gzip
import hashlib
import lzma
import pickle
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from workbench.inspect import ModelFacts, RefusedFile, inspect

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
COMPRESSORS = {
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
}


@pytest.fixture(scope="module")
def expected(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> ModelFacts:
    path = tmp_path_factory.mktemp("expected") / "model.pkl"
    path.write_bytes(pickle.dumps(pipeline))
    return inspect(path)


def neutral(facts: ModelFacts) -> ModelFacts:
    """Return the facts without those that depend on the file format."""
    return replace(
        facts,
        container="",
        suffix="",
        compression=None,
        protocol=0,
        size=0,
        sha256="",
        distributions=(),
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("compression", [None, "zlib", "gzip", "bz2", "xz", "lzma"])
def test_files_of_joblib(
    protocol: int, compression: str | None, pipeline: Pipeline, expected: ModelFacts, tmp_path: Path
) -> None:
    path = tmp_path / "model.pkl"
    joblib.dump(pipeline, path, compress=(compression, 3) if compression else 0, protocol=protocol)
    facts = inspect(path)
    assert (facts.container, facts.compression) == ("joblib", compression)
    assert facts.protocol == protocol
    assert facts.size == path.stat().st_size
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert neutral(facts) == neutral(expected)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("compression", [None, *COMPRESSORS])
@pytest.mark.parametrize("pickler", [pickle.Pickler, pickle._Pickler])
def test_files_of_pickle(
    protocol: int,
    compression: str | None,
    pickler: Callable[..., pickle.Pickler],
    pipeline: Pipeline,
    expected: ModelFacts,
    tmp_path: Path,
) -> None:
    path = tmp_path / "model"
    with path.open("wb") as file:
        pickler(file, protocol).dump(pipeline)
    if compression:
        path.write_bytes(COMPRESSORS[compression](path.read_bytes()))
    facts = inspect(path)
    assert (facts.container, facts.compression) == ("pickle", compression)
    assert facts.protocol == protocol
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert neutral(facts) == neutral(expected)


@pytest.mark.parametrize("compression", COMPRESSORS)
def test_damaged_compressed_files_are_refused(
    compression: str, pipeline: Pipeline, tmp_path: Path
) -> None:
    path = tmp_path / "model.pkl"
    data = COMPRESSORS[compression](pickle.dumps(pipeline))
    for damaged in (data + b"x", data + data, data[: len(data) // 2], data[:-1]):
        path.write_bytes(damaged)
        with pytest.raises(RefusedFile) as refusal:
            inspect(path)
        assert refusal.value.code in ("malformed", "truncated")


def pickle_dump(model: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(model))


@pytest.mark.parametrize("dump", [joblib.dump, pickle_dump])
def test_large_arrays_are_skipped(dump: Callable[[object, Path], object], tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows, labels = generator.normal(size=(200_000, 4)), generator.integers(0, 3, 200_000)
    path = tmp_path / "neighbours.joblib"
    dump(KNeighborsClassifier(algorithm="brute").fit(rows, labels), path)
    assert path.stat().st_size > 6 << 20
    assert inspect(path).classes == (0, 1, 2)


@pytest.mark.parametrize("dump", [joblib.dump, pickle_dump])
def test_many_arrays_are_skipped(
    dump: Callable[[object, Path], object],
    pipeline: Pipeline,
    expected: ModelFacts,
    tmp_path: Path,
) -> None:
    """A forest of 200 MB holds more small arrays than are worth keeping."""
    arrays = [np.full((1, 40_000), float(number)) for number in range(500)]
    path = tmp_path / "forest.joblib"
    dump(Heavy(pipeline, arrays), path)
    assert path.stat().st_size > 150 << 20
    assert neutral(inspect(path)) == neutral(expected)


class Heavy:
    """Pickles as a pipeline with many arrays among its attributes."""

    def __init__(self, model: Pipeline, arrays: list[np.ndarray]) -> None:
        self.model = model
        self.arrays = arrays

    def __reduce__(self) -> tuple[object, ...]:
        state = {"estimators_": self.arrays, **self.model.__getstate__()}
        return copyreg._reconstructor, (Pipeline, object, None), state
