"""Write `src/workbench/inspect/pickle/known_names.json` from releases of the libraries.

    python tools/make_known_names.py PYTHON [PYTHON ...]     # the newest release last

Each PYTHON is the interpreter of an environment with one release of scikit-learn and, optionally,
of imbalanced-learn, xgboost, lightgbm and catboost. Names are only added: those that the file has
already are kept, so that releases that can no longer be installed stay known.

The file has three parts: `names` (that a model file can import), `calls` (that it can call while
it is loaded) and `estimators` (the kind and the methods of each estimator; a `?` marks a method
that only some settings have).
"""

# The libraries are installed only where `harvest` runs, so functions import them.
# ruff: noqa: PLC0415

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import json
import pickle
import pkgutil
import subprocess
import sys
import tempfile
import types
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "src" / "workbench" / "inspect" / "pickle" / "known_names.json"
HARVEST = "--harvest"  # how this script calls itself inside each environment

Names = dict[str, set[str]]

# Calls in pickles of ordinary models; none of them runs code that the file chooses.
CALLS = {
    "_codecs": ["encode"],
    "builtins": ["bytearray", "bytes", "complex", "frozenset", "object", "range", "set", "slice"],
    "collections": ["Counter", "OrderedDict", "defaultdict", "deque"],
    "copyreg": ["__newobj__", "_reconstructor"],
    "datetime": ["date", "datetime", "time", "timedelta", "timezone"],
    "decimal": ["Decimal"],
    "dill._dill": ["_create_array", "_load_type"],  # whose arguments the interpreter checks
    "fractions": ["Fraction"],
    "functools": ["partial"],  # whose function the interpreter checks
    "numpy": ["dtype"],
    "numpy._core.multiarray": ["_reconstruct", "scalar"],
    "numpy._core.numeric": ["_frombuffer"],
    "numpy.core.multiarray": ["_reconstruct", "scalar"],
    "numpy.core.numeric": ["_frombuffer"],
    "numpy.ma.core": ["_mareconstruct"],
    "numpy.random._pickle": ["__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor"],
    "pandas._libs.tslibs.nattype": ["__nat_unpickle"],  # before pandas 2
    "uuid": ["UUID"],
}
# Names that are referred to but not called.
NAMES = {
    "_loss": ["CyHalfMultinomialLoss"],  # as skops names it
    "builtins": "abs bool dict float int len list max min round sorted str sum tuple".split(),
    "joblib.numpy_pickle": ["NumpyArrayWrapper"],
    "numpy": ["matrix", "memmap", "ndarray"],
    "numpy.ma": ["MaskedArray"],
    "numpy.ma.core": ["MaskedArray"],
    "numpy.random._generator": ["Generator"],
    "numpy.random._mt19937": ["MT19937"],
    "numpy.random._pcg64": ["PCG64", "PCG64DXSM"],
    "numpy.random._philox": ["Philox"],
    "numpy.random._sfc64": ["SFC64"],
    "numpy.random.bit_generator": ["SeedSequence"],
    "numpy.random.mtrand": ["RandomState"],
    "sklearn.utils.validation": ["check_array"],  # in the preprocessor of histogram boosting
}
# Functions without side effects that people give to FunctionTransformer and the like.
NUMPY_FUNCTIONS = (
    "abs absolute all amax amin any argmax argmin around array asarray average clip copy cumprod "
    "cumsum diff max mean median min nan_to_num nanmax nanmean nanmedian nanmin nanstd nansum "
    "nanvar prod ravel round std sum transpose unique var where"
).split()
# The packages whose modules are searched as a whole.
PACKAGES = ("sklearn", "imblearn")
# Modules in them that no fitted model refers to, or that write files or fetch data.
NOT_IN_MODELS = (
    "imblearn._min_dependencies imblearn._version imblearn.datasets imblearn.exceptions "
    "imblearn.keras imblearn.model_selection imblearn.tensorflow imblearn.utils "
    "sklearn._build_utils sklearn._min_dependencies sklearn.conftest sklearn.datasets "
    "sklearn.externals sklearn.experimental sklearn.inspection sklearn.metrics._plot sklearn.setup "
    "sklearn.model_selection._plot sklearn.utils._estimator_html_repr sklearn.utils._joblib "
    "sklearn.utils._mocking sklearn.utils._plotting sklearn.utils._pprint sklearn.utils._repr_html "
    "sklearn.utils._show_versions sklearn.utils._test_common sklearn.utils._testing "
    "sklearn.utils.deprecation sklearn.utils.estimator_checks sklearn.utils.parallel"
).split()
# Modules whose public functions are pure and stored in estimators (scorers, kernels).
FUNCTION_MODULES = (
    "imblearn.metrics sklearn.metrics sklearn.feature_selection sklearn.cluster._kmeans "
    "sklearn.preprocessing._data sklearn.feature_extraction.text sklearn.ensemble._gb "
    "sklearn.gaussian_process sklearn.decomposition._fastica"
).split()
OTHER_ESTIMATORS = {
    "xgboost.sklearn": ["XGBClassifier", "XGBRFClassifier", "XGBRFRegressor", "XGBRegressor"],
    "lightgbm.sklearn": ["LGBMClassifier", "LGBMRegressor"],
    "catboost.core": ["CatBoost", "CatBoostClassifier", "CatBoostRegressor"],
}
OTHER_CLASSES = {
    "lightgbm.basic": ["Booster"],
    "lightgbm.callback": ["_EarlyStoppingCallback", "_LogEvaluationCallback"],
    "statsmodels.base.data": ["ModelData", "PandasData"],
    "statsmodels.discrete.discrete_model": (
        "BinaryResults BinaryResultsWrapper Logit LogitResults Probit ProbitResults"
    ).split(),
    "statsmodels.genmod.families.family": (
        "Binomial Gamma Gaussian InverseGaussian NegativeBinomial Poisson Tweedie"
    ).split(),
    "statsmodels.genmod.families.links": (
        "CLogLog Identity InversePower InverseSquared Log LogLog Logit Power Sqrt cloglog identity "
        "inverse_power inverse_squared log logit loglog sqrt"
    ).split(),
    "statsmodels.genmod.families.varfuncs": (
        "Binomial NegativeBinomial Power VarianceFunction"
    ).split(),
    "statsmodels.genmod.generalized_linear_model": ["GLM", "GLMResults", "GLMResultsWrapper"],
    "statsmodels.regression.linear_model": (
        "GLS OLS OLSResults RegressionResults RegressionResultsWrapper WLS"
    ).split(),
    "xgboost.callback": ["EarlyStopping", "EvaluationMonitor", "LearningRateScheduler"],
    "xgboost.compat": ["XGBoostLabelEncoder"],  # before 1.6
    "xgboost.core": ["Booster"],
}
LIBRARIES = ("_loss catboost imblearn lightgbm numpy pandas scipy sklearn xgboost").split()


# Inside an environment: the names that its libraries define and that fitted estimators pickle.


def harvest() -> dict[str, Any]:
    """Return the names, calls and estimators of the installed libraries."""
    names: Names = defaultdict(set)
    calls: Names = defaultdict(set)
    estimators: dict[str, dict[str, str]] = defaultdict(dict)
    for module in modules():
        for name, value in vars(module).items():
            if getattr(value, "__module__", None) != module.__name__:
                continue
            if inspect.isclass(value) or is_pure_function(module.__name__, name, value):
                names[module.__name__].add(name)
    for namespace in ("numpy", "scipy.special"):
        module = importlib.import_module(namespace)
        names[namespace] |= set(names_of_pure_values(module))
    for core in ("numpy.core._multiarray_umath", "numpy._core._multiarray_umath"):
        # The modules that pickles of numpy 1 and 2 import a ufunc from.
        names[core] |= {name for name in names["numpy"] if is_ufunc(name)}
    for estimator_class in estimator_classes():
        home, name = estimator_class.__module__, estimator_class.__name__
        names[home].add(name)
        estimators[home][name] = describe(estimator_class)
    for library, classes in OTHER_CLASSES.items():
        with contextlib.suppress(ImportError):
            module = importlib.import_module(library)
            names[library] |= {name for name in classes if hasattr(module, name)}
    for value in (*fitted_estimators(), *companions()):
        observe(value, names, calls)
    return {"names": names, "calls": calls, "estimators": estimators}


def modules() -> Iterator[types.ModuleType]:
    """Import and yield every module of PACKAGES that a fitted model can refer to."""
    for package in PACKAGES:
        try:
            path = importlib.import_module(package).__path__
        except ImportError:
            continue
        for info in pkgutil.walk_packages(path, f"{package}.", onerror=lambda _: None):
            parts = info.name.split(".")
            if "tests" in parts or parts[-1].startswith("test_"):
                continue
            if any(info.name == left or info.name.startswith(f"{left}.") for left in NOT_IN_MODELS):
                continue
            with contextlib.suppress(ImportError, AttributeError):
                yield importlib.import_module(info.name)


def is_pure_function(module: str, name: str, value: object) -> bool:
    """Return whether a function in one of PACKAGES has no side effects."""
    if name.startswith("__pyx_unpickle_"):
        return True
    inside = any(module == top or module.startswith(f"{top}.") for top in FUNCTION_MODULES)
    return inside and inspect.isfunction(value)


def names_of_pure_values(module: types.ModuleType) -> Iterator[str]:
    """Yield the scalar types, ufuncs and listed functions of numpy or scipy.special."""
    import numpy as np

    for name, value in vars(module).items():
        is_scalar = inspect.isclass(value) and issubclass(value, np.generic)
        if is_scalar or isinstance(value, np.ufunc) or name in NUMPY_FUNCTIONS:
            yield name


def is_ufunc(name: str) -> bool:
    import numpy as np

    return isinstance(getattr(np, name, None), np.ufunc)


def estimator_classes() -> Iterator[type]:
    """Yield the public estimators of the installed libraries."""
    from sklearn.utils import all_estimators

    yield from (estimator_class for _, estimator_class in all_estimators())
    with contextlib.suppress(ImportError):
        testing = importlib.import_module("imblearn.utils.testing")
        yield from (estimator_class for _, estimator_class in testing.all_estimators())
        yield importlib.import_module("imblearn.pipeline").Pipeline
    for library, classes in OTHER_ESTIMATORS.items():
        with contextlib.suppress(ImportError):
            module = importlib.import_module(library)
            yield from (getattr(module, name) for name in classes)


def describe(estimator_class: type) -> str:
    """Return the kind of an estimator and its methods, such as 'classifier predict'."""
    words = [kind_of(estimator_class)]
    for method in ("predict", "predict_proba"):
        attribute = inspect.getattr_static(estimator_class, method, None)
        if attribute is not None:
            words.append(method if inspect.isfunction(attribute) else f"{method}?")
    return " ".join(words)


def kind_of(estimator_class: type) -> str:
    bases = {base.__name__ for base in estimator_class.__mro__}
    declared = getattr(estimator_class, "_estimator_type", None)
    if "ClassifierMixin" in bases or declared == "classifier":
        return "classifier"
    if "RegressorMixin" in bases or declared == "regressor":
        return "regressor"
    if "OutlierMixin" in bases or declared == "outlier_detector":
        return "outlier"
    if "ClusterMixin" in bases or declared == "clusterer":
        return "clusterer"
    return "transformer" if hasattr(estimator_class, "transform") else "other"


def fitted_estimators() -> Iterator[object]:
    """Fit estimators on a few rows and yield them, for the names in their pickles."""
    import numpy as np

    random = np.random.RandomState(0)
    rows = np.abs(random.normal(size=(60, 4)))
    labels = (rows[:, 0] > rows[:, 1]).astype(int)
    targets = rows[:, 0] + 0.1
    texts = [f"word{row % 7} other{row % 3}" for row in range(60)]
    for estimator in variants():
        for x, y in ((rows, labels), (rows, targets), (rows, np.c_[labels, labels]), (texts, None)):
            with contextlib.suppress(Exception):  # not every estimator accepts every data
                estimator.fit(x, y)
                yield estimator
                break


def companions() -> Iterator[object]:
    """Yield values of other libraries that estimators hold."""
    import numpy as np

    pd = importlib.import_module("pandas")
    sparse = importlib.import_module("scipy.sparse")
    interpolate = importlib.import_module("scipy.interpolate")

    yield from (pd.Index(["a", "b"]), pd.Index([1, 2]), pd.RangeIndex(2))
    yield pd.CategoricalDtype(["a", "b"])
    yield from (pd.DataFrame({"a": [1.0], "b": [1], "c": ["d"]}), pd.Series([1.0], name="a"))
    yield from (pd.Timestamp("2024-02-29"), pd.Timedelta("1 day"), pd.NaT)
    yield from (
        np.random.RandomState(0),
        np.random.default_rng(0),
        np.ma.masked_array([1.0], [True]),
    )
    yield interpolate.interp1d([0.0, 1.0], [0.0, 1.0])
    for layout in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil"):
        for kind in ("matrix", "array"):
            yield getattr(sparse, f"{layout}_{kind}")(np.eye(2))
    # No distributions of scipy.stats: loading one executes a text that it holds.


def variants() -> Iterator[Any]:
    """Yield estimators with settings that store different helper objects."""
    from sklearn import linear_model, tree

    for estimator_class in estimator_classes():
        parameters = inspect.signature(estimator_class).parameters
        with contextlib.suppress(Exception):  # some need arguments or other packages
            if "estimator" in parameters:
                yield estimator_class(linear_model.LogisticRegression())
            elif "estimators" in parameters:
                members = (tree.DecisionTreeClassifier(), linear_model.LogisticRegression())
                yield estimator_class([("one", members[0]), ("two", members[1])])
            else:
                yield estimator_class()
        for name, values in SETTINGS.items():
            for value in values if name in parameters else ():
                with contextlib.suppress(Exception):
                    yield estimator_class(**{name: value})


SETTINGS: dict[str, list[Any]] = {
    "loss": "hinge log log_loss modified_huber squared_hinge perceptron squared_error huber "
    "epsilon_insensitive squared_epsilon_insensitive absolute_error poisson gamma quantile "
    "exponential deviance".split(),
    "metric": ["manhattan", "chebyshev", "haversine"],
    "algorithm": ["kd_tree", "ball_tree", "brute", "elkan", "lloyd"],
    "solver": ["adam", "sgd", "lbfgs", "newton-cholesky", "sag", "svd"],
    "kernel": ["linear", "poly"],
    "random_state": [0],
    "link": ["log", "identity"],
    "early_stopping": [True],
    "store_cv_values": [True],
}


# Only the pickler written in Python has methods to override, and it is missing in type stubs.
Pickler: Any = pickle._Pickler
which_module: Callable[[object, str], str] = vars(pickle)["whichmodule"]


class NameRecorder(Pickler):  # type: ignore[misc]
    """Pickle an object and record the names that loading it imports and calls."""

    def __init__(self, names: Names, calls: Names) -> None:
        super().__init__(io.BytesIO(), protocol=4)
        self.names, self.calls = names, calls

    def save_global(self, obj: Any, name: str | None = None) -> None:
        found = name or getattr(obj, "__qualname__", None) or obj.__name__
        self.names[which_module(obj, found)].add(found)
        super().save_global(obj, name)

    dispatch = Pickler.dispatch.copy()
    dispatch[types.FunctionType] = save_global

    def save_reduce(self, func: Any, args: Any, *rest: Any, **keywords: Any) -> None:
        called = func
        if func.__name__ in ("__newobj__", "__newobj_ex__"):
            called = args[0] if any(args[1:]) else None  # without arguments it calls nothing
        if called is not None:
            name = called.__qualname__
            self.calls[which_module(called, name)].add(name)
        super().save_reduce(func, args, *rest, **keywords)


def observe(estimator: object, names: Names, calls: Names) -> None:
    """Add the libraries' names in the pickle of a fitted estimator."""
    seen_names: Names = defaultdict(set)
    seen_calls: Names = defaultdict(set)
    with contextlib.suppress(Exception):  # some hold lambdas and cannot be pickled
        NameRecorder(seen_names, seen_calls).dump(estimator)
    for seen, kept in ((seen_names, names), (seen_calls, calls)):
        for module, found in seen.items():
            if module.split(".")[0] in LIBRARIES:
                kept[module] |= {name for name in found if "." not in name}  # no methods


# Outside: harvest in each environment, merge, and write the file.


def harvest_in(python: str) -> dict[str, Any]:
    """Run `harvest` in the environment of another interpreter."""
    command = [python, "-W", "ignore", str(Path(__file__).resolve()), HARVEST]
    with tempfile.TemporaryDirectory() as folder:  # catboost leaves its logs where it runs
        result = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def merge(harvests: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the union of all harvests, sorted."""
    names: Names = defaultdict(set)
    calls: Names = defaultdict(set)
    estimators: dict[str, dict[str, str]] = defaultdict(dict)
    for found in [{"names": NAMES, "calls": CALLS, "estimators": {}}, *harvests]:
        for module, values in found["names"].items():
            names[module] |= set(values)
        for module, values in found["calls"].items():
            names[module] |= set(values)
            calls[module] |= set(values)
        for module, described in found["estimators"].items():
            estimators[module].update(described)
    return {
        "names": {module: sorted(names[module]) for module in sorted(names) if names[module]},
        "calls": {module: sorted(calls[module]) for module in sorted(calls) if calls[module]},
        "estimators": {
            module: dict(sorted(estimators[module].items())) for module in sorted(estimators)
        },
    }


def render(data: dict[str, Any]) -> str:
    """Return JSON with one line for each module, so that a new release makes a short diff."""
    parts = []
    for part, modules in data.items():
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(modules[name])}" for name in modules)
        parts.append(f" {json.dumps(part)}: {{\n{lines}\n }}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> None:
    if sys.argv[1:] == [HARVEST]:
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(io.StringIO()):
            found = harvest()
        print(json.dumps(found, default=sorted))
        return
    known = [json.loads(DATA.read_text("utf-8"))] if DATA.exists() else []
    harvests = [harvest_in(str(Path(python).absolute())) for python in sys.argv[1:]]
    DATA.write_text(render(merge([*known, *harvests])), "utf-8")


if __name__ == "__main__":
    main()
