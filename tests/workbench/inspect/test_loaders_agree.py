"""Inspection lists every name that a real loader looks up."""

from __future__ import annotations

import contextlib
import io
import pickle
import pickletools
from collections.abc import Callable, Iterator

import joblib
import numpy as np
import pandas as pd
import pytest
from fuzz.loaders import (
    CStandIn,
    JoblibStandIn,
    PythonStandIn,
    Recorder,
    as_python_3,
    compare_with_loaders,
    inspected_names,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib.numpy_pickle import NumpyUnpickler
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC

from workbench.inspect import ModelFacts, RefusedFile, inspect


def fitted_models() -> Iterator[BaseEstimator]:
    """Yield models whose pickles use many different names and opcodes."""
    values = np.random.default_rng(0).uniform(size=(60, 3))
    frame = pd.DataFrame(values, columns=["a", "b", "c"]).assign(area=["x", "y", "z"] * 20)
    labels = np.array(["no", "yes"] * 30)
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), make_column_selector("^[abc]$")),
        (OneHotEncoder(), ["area"]),
    )
    yield make_pipeline(columns, LogisticRegression()).fit(frame, labels)
    encoded = make_column_transformer((OrdinalEncoder(), ["area"]), remainder="passthrough")
    search = GridSearchCV(make_pipeline(encoded, SVC()), {"svc__C": [1, 2]}, cv=2)
    yield search.fit(frame, labels)
    for model in (
        RandomForestClassifier(n_estimators=2, random_state=0),
        HistGradientBoostingClassifier(max_iter=2),
        KNeighborsClassifier(algorithm="ball_tree"),
        KMeans(n_clusters=2),
    ):
        yield model.fit(values, labels)
    words = make_pipeline(CountVectorizer(max_features=2), LogisticRegression())
    yield words.fit(["good film", "bad film"] * 30, labels)


MODELS = tuple(fitted_models())


def dump_with_pickle(model: BaseEstimator, protocol: int) -> bytes:
    return pickle.dumps(model, protocol)


def dump_with_joblib(model: BaseEstimator, protocol: int) -> bytes:
    file = io.BytesIO()
    joblib.dump(model, file, protocol=protocol)
    return file.getvalue()


class CLoader(Recorder, pickle.Unpickler):
    pass


class PythonLoader(Recorder, pickle._Unpickler):
    pass


class JoblibLoader(Recorder, NumpyUnpickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__("", file, ensure_native_byte_order=False)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize(
    ("dump", "loader"),
    [
        (dump_with_pickle, CLoader),
        (dump_with_pickle, PythonLoader),
        (dump_with_pickle, JoblibLoader),
        (dump_with_joblib, JoblibLoader),
    ],
)
def test_the_same_names(
    dump: Callable[[BaseEstimator, int], bytes],
    loader: type[Recorder],
    model: BaseEstimator,
    protocol: int,
) -> None:
    data = dump(model, protocol)
    looked_up = as_python_3(loader(io.BytesIO(data)).load_and_record(), protocol)
    assert inspected_names(data) == looked_up


# Mutated files: real classes must not meet them, so the loaders find only stand-ins.

PICKLES = tuple((dump_with_pickle(m, p), p) for m in MODELS[2:3] + MODELS[6:] for p in range(6))
JOBLIBS = tuple((dump_with_joblib(m, p), p) for m in MODELS[:2] + MODELS[4:] for p in (2, 4))
OPCODES = b"".join(opcode.code.encode("latin-1") for opcode in pickletools.opcodes)
BYTES = st.one_of(st.sampled_from(list(OPCODES)), st.integers(0, 255))
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 4), st.lists(BYTES, max_size=4)),
    min_size=1,
    max_size=4,
)
MANY = settings(max_examples=400, deadline=None, database=None)


def mutate(data: bytes, edits: list[tuple[float, int, list[int]]]) -> bytes:
    """Replace a few bytes, at relative positions, by a few others."""
    for where, removed, inserted in edits:
        position = int(where * len(data))
        data = data[:position] + bytes(inserted) + data[position + removed :]
    return data


@MANY
@given(st.sampled_from(PICKLES + JOBLIBS), EDITS)
def test_mutants_hide_no_name_from_the_inspection(
    original: tuple[bytes, int], edits: list[tuple[float, int, list[int]]]
) -> None:
    data = mutate(original[0], edits)
    compare_with_loaders(data)


@MANY
@given(st.sampled_from(PICKLES + JOBLIBS), EDITS)
def test_mutants_end_in_facts_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory,
    original: tuple[bytes, int],
    edits: list[tuple[float, int, list[int]]],
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutant.pkl"
    path.write_bytes(mutate(original[0], edits))
    with contextlib.suppress(RefusedFile):
        assert isinstance(inspect(path), ModelFacts)


def test_the_stand_ins_read_what_was_not_mutated() -> None:
    for loader, originals in (
        (CStandIn, PICKLES),
        (PythonStandIn, PICKLES),
        (JoblibStandIn, JOBLIBS),
    ):
        for data, protocol in originals:
            looked_up = loader(io.BytesIO(data)).load_and_record()
            assert as_python_3(looked_up, protocol) == inspected_names(data)
