"""Known names, composed in every way: what inspection accepts touches no file, socket or process.

Each example is a model file that holds a known name, or one that acts, where a model or a loader
calls it, with arguments that would do harm. Those that need no trust are loaded and asked to
predict in one child process, whose audit hook reports what they touch.
"""

from __future__ import annotations

import importlib
import inspect as python_inspect
import io
import json
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from conftest import environment
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.ensemble import StackingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Bunch

from workbench.inspect import RefusedFile, inspect
from workbench.inspect.pickle.names import known_names
from workbench.inspect.pickle.values import Global

CANARY = "canary"
COMMAND = f"touch {CANARY}"
EXPRESSIONS = (COMMAND, f"a = a + 0 * @np.f2py.os.system('{COMMAND}')", CANARY, "eval", "w+")
ROWS = pd.DataFrame({"a": np.arange(12.0) % 5, "b": np.arange(12.0) % 3})
LABELS = (ROWS["a"] > 1).astype(int)
TEXTS = ["one two", "two three", CANARY] * 4
# Functions that act, or that call what they are given: some were known names once.
ACTING = (
    "builtins:eval builtins:exec builtins:open builtins:map builtins:max numpy:fromfile numpy:load "
    "numpy:memmap numpy:save numpy:apply_along_axis os:system pandas:eval pandas:read_pickle "
    "joblib:load sklearn.datasets:load_files subprocess:call"
).split()
SELECTORS = (RFE, SelectFromModel)
MODULES = (
    "feature_extraction.text feature_selection._base feature_selection._rfe "
    "gaussian_process.kernels metrics._scorer metrics.pairwise preprocessing._data "
    "utils.validation"
).split()
CHILD = """
import json, os, signal, sys, warnings
import joblib, numpy, pandas, sklearn.pipeline

warnings.simplefilter("ignore")
folder, canary = sys.argv[1:]
rows = pandas.DataFrame({"a": numpy.arange(4.0), "b": numpy.arange(4.0)})
touched = []
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

def watch(event, args):
    if event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn")):
        touched.append((event, current))
    elif event == "open" and (canary in str(args[0]) or args[2] & WRITES):
        touched.append((event, str(args[0]), current))

current = ""
sys.addaudithook(watch)
for current in sorted(os.listdir(folder)):
    try:
        signal.alarm(20)
        model = joblib.load(os.path.join(folder, current))
        for data in (rows, rows.to_numpy(), [canary, "one two"], canary):
            try:
                model.predict(data)
            except Exception:
                pass
    except Exception:
        pass
print(json.dumps(touched))
"""


def functions() -> list[object]:
    """Return known functions and classes, private ones of the same modules, and those that act."""
    known = known_names()
    names = [*known.functions, *known.scalars, *known.calls, *known.estimators]
    found = [_imported(name.module, name.name) for name in sorted(names, key=str)]
    for module in MODULES:
        values = vars(importlib.import_module(f"sklearn.{module}"))
        found += [v for _, v in sorted(values.items()) if python_inspect.isfunction(v)]
    found += [_imported(*name.split(":")) for name in ACTING]
    return [function for function in found if function is not None]


def _imported(module: str, name: str) -> object:
    try:
        with warnings.catch_warnings():  # some are names of older releases
            warnings.simplefilter("ignore")
            return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None


def _set(model: Any, **attributes: object) -> Any:
    vars(model).update(attributes)
    return model


@cache
def _fitted() -> dict[str, Any]:
    """Return models to be changed, each fitted once."""
    first = Pipeline([("s0", FunctionTransformer()), ("model", LogisticRegression())])
    second = Pipeline([("s0", FunctionTransformer()), *first.steps[1:]])
    second.steps.insert(1, ("s1", FunctionTransformer()))
    words = Pipeline([("words", CountVectorizer()), ("model", LogisticRegression())])
    neighbours = KNeighborsClassifier(algorithm="brute")
    stacking = StackingClassifier([("a", LogisticRegression())], cv=2)
    numbers = {"1": first, "2": second, "neighbours": neighbours, "stacking": stacking}
    return {
        **{name: model.fit(ROWS, LABELS) for name, model in numbers.items()},
        **{cls.__name__: cls(LogisticRegression()).fit(ROWS, LABELS) for cls in SELECTORS},
        "words": words.fit(TEXTS, LABELS),
        "logistic": LogisticRegression().fit(ROWS, LABELS),
    }


def _model(name: str) -> Any:
    return deepcopy(_fitted()[name])


def _pipeline(*values: object) -> Pipeline:
    model = _model(str(len(values)))
    for (_, step), value in zip(model.steps, values, strict=False):
        _set(step, func=value)
    return model


def _before_model(part: object) -> Pipeline:
    model = _pipeline(None)
    model.steps[0] = ("part", part)
    return model


def _vectorizer(**attributes: object) -> Pipeline:
    model = _model("words")
    _set(model.steps[0][1], **attributes)
    return model


def _logistic(**attributes: object) -> LogisticRegression:
    return _set(_model("logistic"), **attributes)


def _stacking(value: object) -> StackingClassifier:
    return _set(_model("stacking"), estimators_=[ROWS], stack_method_=[value])


def _selected(cls: type, value: object) -> Pipeline:
    return _before_model(_set(_model(cls.__name__), importance_getter=value))


# Each place that calls a value, or that looks an attribute up by it.
PLACES: tuple[Callable[[Any], object], ...] = (
    _pipeline,
    lambda value: _pipeline(None, value),
    _before_model,
    lambda value: _before_model(Bunch(transform=value)),
    lambda value: _before_model(_set(BaseEstimator(), transform=value)),
    lambda value: _vectorizer(analyzer=value),
    lambda value: _vectorizer(tokenizer=value),
    lambda value: _vectorizer(preprocessor=value),
    lambda value: _vectorizer(input=value),
    lambda value: _vectorizer(strip_accents=value),
    lambda value: _logistic(predict=value),
    lambda value: _logistic(decision_function=value),
    lambda value: _logistic(_skl_callbacks=[value]),
    lambda value: _logistic(coef_=_set(BaseEstimator(), __array__=value)),
    lambda value: _logistic(scorer_=_set(make_scorer(f1_score), _score_func=value)),
    lambda value: _pipeline(_set(make_scorer(f1_score), _response_method=value)),
    lambda value: _set(_model("neighbours"), metric=value, weights=value),
    lambda value: _selected(SelectFromModel, value),
    lambda value: _selected(RFE, value),
    _stacking,
    lambda value: {"model": _logistic(), "other": value},
)

ARGUMENTS = st.sampled_from(
    (*EXPRESSIONS, 0, (2,), np.zeros(2), np.zeros(2, np.uint8), len, None, ["a"], ROWS)
)
KEYWORDS = st.sampled_from(
    "axis dtype f filename func getter key kw_args like metric mode out shape where".split()
)
FUNCTIONS = functions()
PARTIALS = st.builds(
    lambda function, positional, keywords: partial(function, *positional, **keywords),
    st.sampled_from(FUNCTIONS),
    st.lists(ARGUMENTS, max_size=3),
    st.dictionaries(KEYWORDS, ARGUMENTS, max_size=2),
)
VALUES = st.one_of(st.sampled_from(FUNCTIONS), PARTIALS, st.sampled_from(EXPRESSIONS))
MODELS = st.one_of(
    st.builds(lambda place, value: place(value), st.sampled_from(PLACES), VALUES),
    st.builds(_pipeline, VALUES, VALUES),
)


def _saved(model: object) -> bytes:
    """Return a pickle of a model, or nothing if Python cannot write one."""
    file = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pickle looks for a ufunc in old modules too
            pickle.Pickler(file, protocol=4).dump(model)
    except (AttributeError, TypeError, pickle.PicklingError):
        return b""
    return file.getvalue()


def _touched_by(models: Path, work: Path) -> list[list[str]]:
    """Return what the models in a folder touch, each time with the file of the model."""
    child = subprocess.run(
        [sys.executable, "-B", "-c", CHILD, str(models), CANARY],
        cwd=work,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found: list[list[str]] = json.loads(child.stdout.splitlines()[-1])
    return found


def test_what_is_accepted_touches_nothing(tmp_path: Path) -> None:
    accepted, work = tmp_path / "accepted", tmp_path / "work"
    accepted.mkdir()
    work.mkdir()
    outcomes = {"accepted": 0, "to trust": 0, "refused": 0}

    @settings(
        max_examples=400,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(MODELS)
    def sort_out(model: object) -> None:
        content = _saved(model)
        path = tmp_path / "model.pkl"
        path.write_bytes(content or b"x")
        try:
            needs_trust = bool(
                inspect(path, "model" if isinstance(model, dict) else None).unknown_names
            )
        except RefusedFile:
            outcomes["refused"] += 1
            return
        outcomes["to trust" if needs_trust else "accepted"] += 1
        if not needs_trust:
            (accepted / f"{outcomes['accepted']:04}.pkl").write_bytes(content)

    sort_out()
    print(outcomes)
    assert min(outcomes.values()) > 20, outcomes
    assert _touched_by(accepted, work) == []
    assert list(work.iterdir()) == []


def test_the_child_would_see_what_acts(tmp_path: Path) -> None:
    """The places do call: a function that acts is seen in each that does."""
    accepted, work = tmp_path / "accepted", tmp_path / "work"
    accepted.mkdir()
    work.mkdir()
    acts = partial(np.memmap, CANARY, "uint8", "w+", 0)
    for number, place in enumerate(PLACES):
        (accepted / f"{number:04}.pkl").write_bytes(_saved(place(acts)))
    assert len({file for *_, file in _touched_by(accepted, work)}) > 5


def test_no_known_function_calls_what_it_gets() -> None:
    """A function with a parameter for a function, a path or an output is not on the list alone."""
    known = known_names()
    for name in known.functions:
        assert not name.name.startswith("_"), name
    assert Global("numpy", "apply_along_axis") not in known.functions
