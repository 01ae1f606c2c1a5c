"""What a model holds and calls later: known names do more than predict if they are composed."""

from __future__ import annotations

import copyreg
import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, _analyze, _preprocess
from sklearn.feature_selection import RFE, SelectFromModel, SelectKBest, f_classif
from sklearn.feature_selection._base import _get_feature_importances
from sklearn.gaussian_process.kernels import _approx_fprime
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer, pairwise_distances
from sklearn.metrics.pairwise import cosine_distances
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import Bunch
from sklearn.utils.validation import check_array

from workbench.inspect import ModelFacts, RefusedFile, inspect

FactsOf = Callable[[object], ModelFacts]
ROWS = np.arange(40.0).reshape(20, 2) % 7
LABELS = (ROWS[:, 0] > 3).astype(int)


def fitted(*functions: object) -> Pipeline:
    """Return a fitted pipeline whose first steps call these functions."""
    steps = [(f"s{number}", FunctionTransformer()) for number, _ in enumerate(functions)]
    model = Pipeline([*steps, ("model", LogisticRegression())]).fit(ROWS, LABELS)
    for (_, step), function in zip(model.steps, functions, strict=False):
        step.func = function
    return model


def changed(model: Any, **attributes: object) -> Any:
    """Return a model with other attributes."""
    vars(model).update(attributes)
    return model


def logistic(**attributes: object) -> LogisticRegression:
    return changed(LogisticRegression().fit(ROWS, LABELS), **attributes)


def fitted_with_keywords(keywords: object) -> Pipeline:
    """Return a pipeline with a step that calls a function with these keywords."""
    step = FunctionTransformer(np.clip, kw_args=keywords)
    return Pipeline([("s", step), ("model", logistic())])


def bare(**attributes: object) -> BaseEstimator:
    """Return an object of a known class with any attributes."""
    return changed(BaseEstimator(), **attributes)


def within(model: Any) -> Any:
    """Return a pipeline that holds a transformer as one part of a step."""
    return make_pipeline(FeatureUnion([("part", model)]), logistic())


def words(**attributes: object) -> Pipeline:
    return within(changed(CountVectorizer().fit(["one two"]), **attributes))


# Model files that act, of known names only. The first runs a command whenever it predicts.
COMMAND = lambda: fitted(  # noqa: E731
    partial(_get_feature_importances, getter="eval"),
    partial(_analyze, "a = a + 0 * @np.f2py.os.system('true')"),
)
TEXT, IMPORTANCES = "sklearn.feature_extraction.text", "sklearn.feature_selection._base"
# What it does: the model, and the names that need trust.
NEED_TRUST: dict[str, tuple[Callable[[], object], list[str]]] = {
    "runs a command": (
        COMMAND,
        [f"{TEXT}._analyze", f"{IMPORTANCES}._get_feature_importances"],
    ),
    "empties a file": (lambda: fitted(partial(np.memmap, "file", mode="w+")), ["numpy.memmap"]),
    "opens a file": (lambda: fitted(np.memmap), ["numpy.memmap"]),
    "makes an array": (lambda: fitted(np.ndarray), ["numpy.ndarray"]),
    "calls a class": (
        lambda: fitted(LogisticRegression),
        ["sklearn.linear_model._logistic.LogisticRegression"],
    ),
    "calls a function that it gets": (
        lambda: fitted(_approx_fprime),
        ["sklearn.gaussian_process.kernels._approx_fprime"],
    ),
    "calls a preprocessor": (lambda: words(preprocessor=_preprocess), [f"{TEXT}._preprocess"]),
    "calls a tokenizer": (lambda: words(tokenizer=_analyze), [f"{TEXT}._analyze"]),
    "calls an analyzer": (lambda: words(analyzer=np.memmap), ["numpy.memmap"]),
    "calls a metric that it gets": (
        lambda: fitted(pairwise_distances),
        ["sklearn.metrics.pairwise.pairwise_distances"],
    ),
    "makes one text of all rows": (lambda: fitted(np.max), ["numpy.max"]),
    "makes one text of all rows, prepared": (
        lambda: fitted(partial(np.max, axis=0)),
        ["numpy.max"],
    ),
    "makes a text": (lambda: fitted(str), ["builtins.str"]),
    "calls a key": (lambda: fitted(partial(max, key=len)), ["builtins.max"]),
    "calls a metric": (lambda: logistic(metric=np.memmap), ["numpy.memmap"]),
    "holds it in a list": (lambda: logistic(a_=[{"a": (np.memmap,)}]), ["numpy.memmap"]),
    "holds it as a key": (lambda: logistic(a_={np.memmap: 1}), ["numpy.memmap"]),
    "holds it in an array": (
        lambda: logistic(a_=np.array([np.memmap, None], dtype=object)),
        ["numpy.memmap"],
    ),
}


@pytest.mark.parametrize("name", NEED_TRUST)
def test_functions_outside_the_short_list_need_trust(name: str, facts_of: FactsOf) -> None:
    make, names = NEED_TRUST[name]
    assert list(facts_of(make()).unknown_names) == names


# What it has: the model, and words of the refusal.
REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "chosen bytes for a file": (
        lambda: fitted(
            partial(_get_feature_importances, getter="dtype.names"),
            partial(np.memmap, "file", "uint8", "w+", 0, (8,)),
            partial(np.add, np.zeros(8, np.uint8), np.uint8(0)),
        ),
        r"in step 's2' holds a partial of numpy\.add that fixes positional arguments",
    ),
    "out": (lambda: fitted(partial(np.mean, out=ROWS)), "partial of numpy.mean that fixes out"),
    "where": (lambda: fitted(partial(np.mean, where=[True])), "numpy.mean that fixes where"),
    "like": (lambda: fitted(partial(np.asarray, like=ROWS)), "numpy.asarray that fixes like"),
    "an argument by position": (
        lambda: fitted(partial(np.mean, ROWS)),
        "numpy.mean that fixes positional arguments",
    ),
    "keywords of a step": (
        lambda: changed(fitted(), steps=[("s", FunctionTransformer(np.mean, kw_args={"out": 1}))]),
        "'s' has kw_args that give numpy.mean out",
    ),
    "keywords of a step in an OrderedDict": (
        lambda: fitted_with_keywords(OrderedDict(out=ROWS)),
        "'s' has kw_args that give numpy.clip out",
    ),
    "keywords of a step in a Bunch": (
        lambda: fitted_with_keywords(Bunch(out=ROWS)),
        "'s' has kw_args that give numpy.clip unreadable arguments",
    ),
    "keywords of a step, NumPy's texts": (
        lambda: fitted_with_keywords({np.str_("out"): ROWS}),
        "'s' has kw_args that give numpy.clip out",
    ),
    "keywords of a scorer": (
        lambda: logistic(scorer_=changed(make_scorer(f1_score), _kwargs={"out": 1})),
        "_kwargs that give .*f1_score out",
    ),
    "another predict": (
        lambda: logistic(predict=np.mean),
        "LogisticRegression replaces its own method predict by numpy.mean",
    ),
    "another predict, prepared": (
        lambda: logistic(predict=partial(np.add, 1)),
        "replaces its own method predict by a prepared function",
    ),
    "another predict, an object": (
        lambda: logistic(predict=make_scorer(f1_score)),
        "replaces its own method predict by a _Scorer",
    ),
    "another method in a Bunch": (
        lambda: logistic(parts_=Bunch(transform=np.mean)),
        "Bunch replaces its own method transform",
    ),
    "another method in a Bunch, by a text of NumPy's": (
        lambda: logistic(parts_=Bunch(**{np.str_("transform"): np.mean})),
        "Bunch replaces its own method transform",
    ),
    "memory of the process": (
        lambda: logistic(coef_=bare(__array_interface__={"data": (1, False)})),
        "BaseEstimator replaces its own __array_interface__",
    ),
    "memory of the process in a Bunch": (
        lambda: logistic(coef_=Bunch(__array_interface__={"data": (1, False)})),
        "Bunch replaces its own __array_interface__",
    ),
    "the path to a function": (
        lambda: changed(fitted(), selector=SelectFromModel(None, importance_getter="eval")),
        "importance_getter='eval': it can be the path to any function",
    ),
    "a path through a private name": (
        lambda: changed(fitted(), selector=SelectFromModel(None, importance_getter="_a.coef_")),
        "importance_getter='_a.coef_'",
    ),
    "a path in a list": (
        lambda: changed(fitted(), selector=SelectFromModel(None, importance_getter=["eval"])),
        r"importance_getter=\(…\)",
    ),
    "keywords of a metric": (
        lambda: logistic(effective_metric_=cosine_distances, effective_metric_params_={"out": 1}),
        "effective_metric_params_ that give .*cosine_distances out",
    ),
    "the name of a method": (
        lambda: logistic(part_=changed(StackingClassifier([]), stack_method_=["eval"])),
        r"stack_method_=\(…\): it names a method that is called",
    ),
    "the name of a scorer's method": (
        lambda: logistic(scorer_=changed(make_scorer(f1_score), _response_method="eval")),
        "_response_method='eval'",
    ),
    "files that callers name": (
        lambda: words(input="filename"),
        "in step 'part' has input='filename': it opens the files that callers name. Fit it with",
    ),
    "objects that callers read": (lambda: words(input="file"), "'part' has input='file'"),
    "callbacks": (
        lambda: logistic(_skl_callbacks=[bare()]),
        "callbacks connect to other processes",
    ),
    "a scorer as a step": (
        lambda: fitted(make_scorer(f1_score)),
        "'s0' has a _Scorer as its func",
    ),
    "an object for random numbers": (
        lambda: logistic(random_state=bare()),
        "random_state=BaseEstimator: it is no state of a random generator",
    ),
    "an object for jobs": (lambda: logistic(n_jobs=bare()), "n_jobs=BaseEstimator: it is no"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_name_shows_is_refused(name: str, facts_of: FactsOf) -> None:
    make, message = REFUSED[name]
    with pytest.raises(RefusedFile, match=message):
        facts_of(make())


@pytest.mark.parametrize("data", [pd.DataFrame({"a": ROWS[:, 0]}), pd.Series(ROWS[:, 0])])
def test_a_frame_is_no_estimator(data: object, facts_of: FactsOf) -> None:
    """Its methods evaluate text and open files, so only an attribute of the author's holds one."""
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, LABELS)
    model.training_rows_ = data
    assert facts_of(model).unknown_names == ()
    model.steps.insert(0, ("data", data))
    with pytest.raises(RefusedFile, match=r"'data' holds a (DataFrame|Series) in steps"):
        facts_of(model)


class StatePickler(pickle.Pickler):
    """Write the attributes of one object in another form than Python does."""

    def __init__(self, file: io.BytesIO, target: object, form: Callable[[Any], object]) -> None:
        super().__init__(file, 4)
        self.target, self.form = target, form

    def reducer_override(self, value: object) -> Any:
        if value is not self.target:
            return NotImplemented
        return copyreg.__newobj__, (type(value),), self.form(value.__getstate__())


def numpy_keys(attributes: dict[str, object]) -> dict[str, object]:
    return {np.str_(name): value for name, value in attributes.items()}


# How a state can name attributes: the form, and whether a loader of scikit-learn's classes takes it
FORMS: dict[str, tuple[Callable[[Any], object], bool]] = {
    "an OrderedDict": (OrderedDict, True),
    "a dict with NumPy's texts": (numpy_keys, True),
    "a Bunch": (lambda attributes: Bunch(**attributes), True),
    "an OrderedDict in a pair": (lambda attributes: (OrderedDict(attributes), None), False),
    "slots with NumPy's texts": (lambda attributes: (None, numpy_keys(attributes)), False),
    "a list of pairs": (lambda attributes: list(attributes.items()), False),
    "a tuple of pairs": (lambda attributes: tuple(attributes.items()), False),
}


@pytest.mark.parametrize("form", FORMS)
def test_attributes_are_set_by_a_dict_with_plain_texts_only(form: str, tmp_path: Path) -> None:
    """Any other state would hide a parameter from the checks."""
    change, is_loaded = FORMS[form]
    vectorizer = changed(CountVectorizer().fit(["one two"]), input="filename")
    file, path = io.BytesIO(), tmp_path / "model.pkl"
    StatePickler(file, vectorizer, change).dump(make_pipeline(vectorizer, logistic()))
    path.write_bytes(file.getvalue())
    if is_loaded:
        assert pickle.loads(file.getvalue())[0].input == "filename"
    with pytest.raises(
        RefusedFile, match="the state of a CountVectorizer is no dict of attributes"
    ):
        inspect(path)


def test_a_constructor_of_native_code_makes_no_other_class(tmp_path: Path) -> None:
    """It makes an object of any class, whose parameters nothing would check."""
    made = text("sklearn.neighbors._kd_tree") + text("newObj") + b"\x93"
    made += text("sklearn.feature_extraction.text") + text("CountVectorizer") + b"\x93\x85R"
    path = tmp_path / "model.pkl"
    path.write_bytes(
        b"\x80\x04" + made + b"}" + text("input") + text("filename") + b"sb"
        b"0" + pickle.dumps(logistic(), 4)[2:]
    )
    assert inspect(path).unknown_names == ("sklearn.feature_extraction.text.CountVectorizer",)


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def test_an_object_is_not_filled_as_a_list(tmp_path: Path) -> None:
    """A loader calls `extend` of what it fills: an attribute could be any function."""
    made = text("sklearn.base") + text("BaseEstimator") + b"\x93)\x81}" + text("a") + b"K\x01sb"
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04" + made + b"(K\x02e.")
    with pytest.raises(RefusedFile, match="fills a BaseEstimator as if it were a list"):
        inspect(path)


def test_an_object_that_connects_when_it_is_loaded_needs_trust(tmp_path: Path) -> None:
    """scikit-learn's callbacks connect to the address in their state."""
    module, name = "sklearn.callback._scoring_monitor", "ScoringMonitor"
    state = b"}" + text("_listener_handle") + b"Nsb"
    made = text(module) + text(name) + b"\x93)\x81" + state
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04" + made + b"0" + pickle.dumps(logistic(), 4)[2:])
    assert inspect(path).unknown_names == (f"{module}.{name}",)


@pytest.mark.parametrize(("before", "drop"), [(b"", b"0"), (b"(", b"1")], ids=["POP", "POP_MARK"])
def test_what_a_file_drops_is_checked(before: bytes, drop: bytes, tmp_path: Path) -> None:
    """A loader makes it all the same."""
    made = text("sklearn.base") + text("BaseEstimator") + b"\x93)\x81"
    state = b"}" + text("a") + text("numpy") + text("memmap") + b"\x93sb"
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04" + before + made + state + drop + pickle.dumps(logistic(), 4)[2:])
    assert inspect(path).unknown_names == ("numpy.memmap",)


def test_a_state_does_not_change_after_it_is_set(tmp_path: Path) -> None:
    """An object has copied it: what is added later hides what the object holds."""
    state = b"}\x94(" + text("func") + text("numpy") + text("mean") + b"\x93"
    state += text("kw_args") + b"}" + text("out") + b"K\x01su"
    made = text("sklearn.preprocessing._function_transformer") + text("FunctionTransformer")
    path = tmp_path / "model.pkl"
    path.write_bytes(
        b"\x80\x04" + made + b"\x93)\x81" + state + b"bh\x00" + text("func") + b"Ns\x86."
    )
    with pytest.raises(RefusedFile, match="it changes a state that it has set already"):
        inspect(path)


def test_a_slot_takes_the_place_of_an_attribute(tmp_path: Path) -> None:
    """A loader sets the slots of a state after its attributes."""
    state = b"}" + text("_kwargs") + b"}" + text("out") + b"K\x01ss"
    slots = b"}" + text("_score_func") + text("numpy") + text("mean") + b"\x93s"
    made = text("sklearn.metrics._scorer") + text("_Scorer") + b"\x93)\x81"
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04" + made + state + slots + b"\x86b.")
    with pytest.raises(RefusedFile, match=r"_kwargs that give numpy\.mean out"):
        inspect(path)


# Models of usual practice, which need no trust.
USUAL: dict[str, Callable[[], object]] = {
    "a ufunc": lambda: fitted(np.log1p),
    "a ufunc with an argument": lambda: fitted(partial(np.power, 2.0)),
    "a function with keywords": lambda: fitted(partial(np.clip, a_min=0, a_max=1)),
    "a reduction of each row": lambda: fitted(partial(np.max, axis=1, keepdims=True)),
    "keywords of a step": lambda: make_pipeline(
        FunctionTransformer(np.clip, kw_args={"a_min": 0, "a_max": 5}), LogisticRegression()
    ).fit(ROWS, LABELS),
    "keywords in an OrderedDict": lambda: make_pipeline(
        FunctionTransformer(np.clip, kw_args=OrderedDict(a_min=0, a_max=5)), LogisticRegression()
    ).fit(ROWS, LABELS),
    "parts by names of NumPy's": lambda: VotingClassifier(
        [(np.str_("one"), LogisticRegression())]
    ).fit(ROWS, LABELS),
    "a score function": lambda: make_pipeline(SelectKBest(f_classif, k=1), logistic()),
    "a metric": lambda: KNeighborsClassifier(metric=cosine_distances, algorithm="brute"),
    "histogram boosting": lambda: HistGradientBoostingClassifier(max_iter=2),
    "a scorer": lambda: logistic(scorer_=make_scorer(f1_score, average="macro")),
    "a path to coefficients": lambda: RFE(
        Pipeline([("m", LogisticRegression())]), importance_getter="named_steps.m.coef_"
    ),
    "many jobs, a cache and messages": lambda: Pipeline(
        [("m", logistic(n_jobs=-1, verbose=2))], memory="cache"
    ),
    "a generator": lambda: logistic(random_state=np.random.RandomState(0)),
    "columns of an index": lambda: make_pipeline(
        ColumnTransformer([("a", StandardScaler(), pd.Index(["a"]))]), LogisticRegression()
    ),
    "a prepared check": lambda: fitted(partial(check_array, dtype=None, ensure_all_finite=False)),
}


@pytest.mark.parametrize("name", USUAL)
def test_usual_models_need_no_trust(name: str, facts_of: FactsOf, tmp_path: Path) -> None:
    model: Any = USUAL[name]()
    if not hasattr(model, "classes_"):
        rows = pd.DataFrame(ROWS, columns=["a", "b"]) if name == "columns of an index" else ROWS
        model.fit(rows, LABELS)
    assert facts_of(model).unknown_names == ()


def test_an_array_mapped_to_a_file_is_an_array_in_the_model(
    facts_of: FactsOf, tmp_path: Path
) -> None:
    """joblib maps large arrays to files while it fits; the saved model holds their values."""
    mapped = np.memmap(tmp_path / "rows", dtype=float, mode="w+", shape=(20, 2))
    model = logistic(rows_=mapped)
    assert facts_of(model).unknown_names == ()
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    assert inspect(path).unknown_names == ()
    assert joblib.load(path).rows_.filename is None
