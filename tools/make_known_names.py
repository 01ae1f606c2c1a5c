"""Write `src/workbench/inspect/pickle/known_names.json` from releases of the libraries.

    python tools/make_known_names.py PYTHON [PYTHON ...]     # the newest release last

Each PYTHON is the interpreter of an environment with one release of scikit-learn and, optionally,
of imbalanced-learn, xgboost, lightgbm, catboost and interpret-core. Names are only added: those
that the file has already are kept, so that releases that can no longer be installed stay known.

The file has these parts, by module or by library:

    classes     that an object in a model file can be an instance of
    calls       that a loader can call
    scalars     NumPy's scalar types, which stand for dtypes
    ufuncs      with their number of inputs: a model can call them
    estimators  the kind and the methods of each; a `?` marks a method that only some settings have
    callables   classes whose instances can be called
    containers  classes of lists and dicts, which a loader fills
    methods     names of methods, which no attribute that can be called must hide
    parts       attributes in which estimators hold other estimators

The functions that a model can call are listed by hand in `pickle/model_functions.py`.

Known classes that act by themselves (when they are loaded, called, deleted, or asked for an
attribute) are reviewed by hand: `reviewed_classes.json` beside this script gives the reason why
each is harmless. The script prints those without a reason, writes nothing, and fails.
"""

# The libraries are installed only where `harvest` runs, so functions import them.
# ruff: noqa: PLC0415

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import io
import json
import pickle
import pkgutil
import re
import subprocess
import sys
import tempfile
import textwrap
import types
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "src" / "workbench" / "inspect" / "pickle" / "known_names.json"
REVIEWED = Path(__file__).with_name("reviewed_classes.json")
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
    "sklearn.impute._iterative": ["_ImputerTriplet"],  # a named tuple
    "uuid": ["UUID"],
}
# Classes that the search below does not find.
CLASSES = {
    "_loss": ["CyHalfMultinomialLoss"],  # as skops names it
    "joblib.numpy_pickle": ["NumpyArrayWrapper"],
    "numpy.ma": ["MaskedArray"],
    "numpy.ma.core": ["MaskedArray"],
    "numpy.random._generator": ["Generator"],
    "numpy.random._mt19937": ["MT19937"],
    "numpy.random._pcg64": ["PCG64", "PCG64DXSM"],
    "numpy.random._philox": ["Philox"],
    "numpy.random._sfc64": ["SFC64"],
    "numpy.random.bit_generator": ["SeedSequence"],
    "numpy.random.mtrand": ["RandomState"],
}
# The packages whose modules are searched as a whole.
PACKAGES = ("sklearn", "imblearn")
# Modules in them that no fitted model refers to, or that write files or fetch data.
NOT_IN_MODELS = (
    "imblearn._min_dependencies imblearn._version imblearn.datasets imblearn.exceptions "
    "imblearn.keras imblearn.model_selection imblearn.tensorflow imblearn.utils "
    "sklearn._build_utils sklearn._min_dependencies sklearn.conftest sklearn.datasets "
    "sklearn.callback sklearn.exceptions sklearn.externals sklearn.experimental sklearn.inspection "
    "sklearn.metrics._pairwise_distances_reduction sklearn.metrics._plot sklearn.metrics.setup "
    "sklearn.metrics.cluster.setup sklearn.setup sklearn.tree._export "
    "sklearn.tree._reingold_tilford sklearn.utils._array_api sklearn.utils._available_if "
    "sklearn.utils._param_validation sklearn.utils.fixes sklearn.utils.metaestimators "
    "sklearn.utils.optimize "
    "sklearn.model_selection._plot sklearn.utils._estimator_html_repr sklearn.utils._joblib "
    "sklearn.utils._mocking sklearn.utils._plotting sklearn.utils._pprint sklearn.utils._repr_html "
    "sklearn.utils._show_versions sklearn.utils._test_common sklearn.utils._testing "
    "sklearn.utils.deprecation sklearn.utils.estimator_checks sklearn.utils.parallel"
).split()
# Classes in the other modules that no fitted model holds.
NOT_KNOWN = frozenset(
    {
        "sklearn.calibration.CalibrationDisplay",
        "sklearn.ensemble._gb.VerboseReporter",
        "sklearn.linear_model._logistic._LbfgsCallbackBridge",
        "sklearn.linear_model._stochastic_gradient._ValidationScoreCallback",
        "sklearn.utils.parallel_backend",
    }
)
# Attributes that hold estimators, besides those that the search below finds.
ESTIMATORS_IN = (
    "_estimator _preprocessor base_estimator best_estimator_ calibrated_classifiers_ classifier "
    "categorical_encoder_ delegate est final_estimator fitted_estimator imputation_sequence_ "
    "indicator_ init initial_imputer_ named_steps named_transformers_ nn_ nn_fit nn_k_ regressor "
    "remainder steps svc_ transformer transformer_list transformers transformers_"
).split()
# What Python calls by itself, on loading and afterwards.
HOOKS = "__call__ __del__ __getattr__ __getattribute__ __new__ __setattr__ __setstate__".split()
# Words in the source of a method that opens, connects, starts, imports or evaluates something.
ACTS = re.compile(
    r"\b(Client|Popen|__import__|attrgetter|eval|exec|import_module|open|urlopen)\(|"
    r"\b(socket|subprocess|tempfile)\b"
)
OTHER_ESTIMATORS = {
    "xgboost.sklearn": ["XGBClassifier", "XGBRFClassifier", "XGBRFRegressor", "XGBRegressor"],
    "lightgbm.sklearn": ["LGBMClassifier", "LGBMRegressor"],
    "catboost.core": ["CatBoost", "CatBoostClassifier", "CatBoostRegressor"],
    "interpret.glassbox._ebm._ebm": [
        "ExplainableBoostingClassifier",
        "ExplainableBoostingRegressor",
    ],
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
LIBRARIES = "_loss catboost imblearn interpret lightgbm numpy pandas scipy sklearn xgboost".split()
PARTS = "classes calls scalars ufuncs estimators callables containers methods parts".split()


# Inside an environment: the names that its libraries define and that fitted estimators pickle.


def harvest() -> dict[str, Any]:
    """Return what the installed libraries define, by the parts of the file, and what acts."""
    classes: Names = defaultdict(set)
    calls: Names = defaultdict(set)
    parts: Names = defaultdict(set)
    estimators: dict[str, dict[str, str]] = defaultdict(dict)
    for module in modules():
        for name, value in vars(module).items():
            if inspect.isclass(value) and value.__module__ == module.__name__:
                classes[module.__name__].add(name)
    for estimator_class in estimator_classes():
        home, name = estimator_class.__module__, estimator_class.__name__
        classes[home].add(name)
        estimators[home][name] = describe(estimator_class)
    for library, names in OTHER_CLASSES.items():
        with contextlib.suppress(ImportError):
            module = importlib.import_module(library)
            classes[library] |= {name for name in names if hasattr(module, name)}
    for value in (*fitted_estimators(), *companions()):
        observe(value, classes, calls)
        observe_parts(value, parts)
    known = list(importable(merged_names("classes", [{"classes": CLASSES}, {"classes": classes}])))
    return {
        "classes": classes,
        "calls": calls,
        "scalars": {"numpy": set(scalar_types())},
        "ufuncs": ufuncs(),
        "estimators": estimators,
        "callables": by_module(cls for cls in known if has_own(cls, "__call__")),
        "containers": by_module(cls for cls in known if issubclass(cls[1], dict | list)),
        "methods": methods_of(known),
        "parts": parts,
        "acts": sorted({act for _, cls in known for act in acts_of(cls)}),
    }


Known = tuple[str, type]  # a class with the module that it is known in


def importable(classes: Names) -> Iterator[Known]:
    """Yield the classes that are installed, those of the standard library among them."""
    for module, names in classes.items():
        with contextlib.suppress(ImportError):
            found = vars(importlib.import_module(module))
            yield from ((module, found[n]) for n in names if inspect.isclass(found.get(n)))


def by_module(classes: Iterable[Known]) -> Names:
    found: Names = defaultdict(set)
    for module, cls in classes:
        found[module].add(cls.__name__)
    return found


def has_own(known: Known, hook: str) -> bool:
    """Return whether instances of a class have a method that `object` does not have."""
    return any(hook in vars(base) for base in known[1].__mro__ if base is not object)


def methods_of(classes: Iterable[Known]) -> Names:
    """Return the names of all methods, by library; an attribute can hide a method."""
    found: Names = defaultdict(set)
    for module, cls in classes:
        for name in dir(cls):
            value = inspect.getattr_static(cls, name)
            wrapped = isinstance(value, classmethod | staticmethod) or hasattr(value, "fn")
            cython = type(value).__name__ == "cython_function_or_method"
            if not name.startswith("__") and (wrapped or cython or inspect.isroutine(value)):
                found[module.split(".")[0]].add(name)
    return found


def acts_of(cls: type) -> Iterator[str]:
    """Yield the methods that Python calls by itself, and those that open or import something."""
    for base in cls.__mro__:
        if base.__module__ in ("builtins", "abc", "typing", "collections", "enum"):
            continue
        home = f"{base.__module__}.{base.__qualname__}"
        for name, value in vars(base).items():
            # Cython writes these for each class; they set its fields or refuse to.
            generated = getattr(value, "__name__", "") in ("__setstate_cython__", "__pyx_capi__")
            native_new = name == "__new__" and not is_python(value)
            is_hook = name in HOOKS and not generated and not native_new
            if is_hook or ACTS.search(source_of(value)):
                yield f"{home}.{name}"


def is_python(value: object) -> bool:
    return inspect.isfunction(getattr(value, "__func__", value))


def source_of(value: object) -> str:
    """Return the code of a method or property without its docstring, or nothing."""
    value = getattr(value, "fget", None) or getattr(value, "__func__", value)
    function = inspect.unwrap(value) if callable(value) else None
    if not inspect.isfunction(function):
        return ""
    with contextlib.suppress(OSError, SyntaxError, TypeError):
        source = inspect.getsource(function)
        tree = ast.parse(textwrap.dedent(source))
        body = tree.body[0].body if isinstance(tree.body[0], ast.FunctionDef) else []
        if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]
        return "\n".join(ast.unparse(statement) for statement in body)
    return ""


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


def scalar_types() -> Iterator[str]:
    """Yield the names of numpy's scalar types, but for those that hold other values."""
    import numpy as np

    for name, value in vars(np).items():
        is_scalar = inspect.isclass(value) and issubclass(value, np.generic)
        if is_scalar and not issubclass(value, np.void):
            yield name


def ufuncs() -> dict[str, dict[str, int]]:
    """Return the ufuncs of numpy and scipy.special with the number of their inputs."""
    import numpy as np

    found: dict[str, dict[str, int]] = {}
    for namespace in ("numpy", "scipy.special"):
        values = vars(importlib.import_module(namespace))
        found[namespace] = {n: v.nin for n, v in values.items() if isinstance(v, np.ufunc)}
    for core in ("numpy.core._multiarray_umath", "numpy._core._multiarray_umath"):
        # The modules that pickles of numpy 1 and 2 import a ufunc from.
        found[core] = found["numpy"]
    return found


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


def observe_parts(value: object, parts: Names, depth: int = 3) -> None:
    """Add the attributes of estimators that hold other estimators, alone or in containers."""
    library = type(value).__module__.split(".")[0]
    attributes = vars(value) if library in PACKAGES and hasattr(value, "__dict__") else {}
    for name, held in attributes.items():
        for part in flat(held):
            if type(part).__module__.split(".")[0] in PACKAGES and depth:
                if hasattr(part, "fit") or hasattr(part, "predict"):
                    parts[library].add(name)
                observe_parts(part, parts, depth - 1)


def flat(value: Any, depth: int = 3) -> Iterator[object]:
    """Yield a value, or the values in lists, tuples, dicts and arrays of objects."""
    if isinstance(value, dict):
        value = list(value.values())
    if getattr(getattr(value, "dtype", None), "hasobject", False):
        value = list(value.ravel())
    if isinstance(value, list | tuple) and depth:
        for item in value[:20]:
            yield from flat(item, depth - 1)
    else:
        yield value


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


def observe(estimator: object, classes: Names, calls: Names) -> None:
    """Add the libraries' classes in the pickle of a fitted estimator, and what loading it calls."""
    seen: Names = defaultdict(set)
    called: Names = defaultdict(set)
    with contextlib.suppress(Exception):  # some hold lambdas and cannot be pickled
        NameRecorder(seen, called).dump(estimator)
    for module, names in seen.items():
        if module.split(".")[0] in LIBRARIES:
            values = vars(importlib.import_module(module))
            classes[module] |= {name for name in names if inspect.isclass(values.get(name))}
    for module, names in called.items():
        if module.split(".")[0] in LIBRARIES:
            calls[module] |= {name for name in names if "." not in name}  # no methods


# Outside: harvest in each environment, merge, and write the file.


def harvest_in(python: str) -> dict[str, Any]:
    """Run `harvest` in the environment of another interpreter."""
    command = [python, "-W", "ignore", str(Path(__file__).resolve()), HARVEST]
    with tempfile.TemporaryDirectory() as folder:  # catboost leaves its logs where it runs
        result = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def is_left_out(module: str, name: str) -> bool:
    """Return whether no fitted model holds a class, whatever an earlier file says."""
    inside = any(module == left or module.startswith(f"{left}.") for left in NOT_IN_MODELS)
    array = module == "numpy" and name in ("matrix", "memmap", "ndarray", "record", "void")
    return inside or array or f"{module}.{name}" in NOT_KNOWN


def merged_names(part: str, harvests: list[dict[str, Any]]) -> Names:
    """Return the union of one part of all harvests."""
    found: Names = defaultdict(set)
    for harvested in harvests:
        for module, names in harvested.get(part, {}).items():
            found[module] |= {name for name in names if not is_left_out(module, name)}
    return found


def merge(harvests: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the union of all harvests, sorted."""
    harvests = [
        {"classes": CLASSES, "calls": CALLS, "parts": {"sklearn": ESTIMATORS_IN}},
        *harvests,
    ]
    merged: dict[str, Any] = {}
    for part in PARTS:
        if part in ("estimators", "ufuncs"):
            found: dict[str, dict[str, Any]] = defaultdict(dict)
            for harvested in harvests:
                for module, described in harvested.get(part, {}).items():
                    found[module].update(described)
            merged[part] = {m: dict(sorted(found[m].items())) for m in sorted(found)}
        else:
            names = merged_names(part, harvests)
            merged[part] = {m: sorted(names[m]) for m in sorted(names) if names[m]}
    return merged


def unreviewed(harvests: list[dict[str, Any]]) -> list[str]:
    """Return the methods of known classes that act and that nobody has marked as harmless."""
    reviewed = json.loads(REVIEWED.read_text("utf-8"))
    return sorted({act for found in harvests for act in found["acts"]} - reviewed.keys())


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
    if acts := unreviewed(harvests):
        print(*acts, sep="\n")
        sys.exit(f"{len(acts)} methods act. Read each, and add it to {REVIEWED.name} if harmless.")
    DATA.write_text(render(merge([*known, *harvests])), "utf-8")


if __name__ == "__main__":
    main()
