"""The classes and functions that model files can import and call: exact names, never prefixes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources

from workbench.inspect.pickle.model_functions import (
    MODEL_FUNCTIONS,
    STORED_FUNCTIONS,
    UFUNC_KEYWORDS,
    VALUE_TYPES,
    FunctionRule,
)
from workbench.inspect.pickle.values import Global

CUSTOM_MODULES = ("__main__", "__mp_main__")

# Root module -> the distribution that installs it.
DISTRIBUTIONS: Mapping[str, str] = {
    "sklearn": "scikit-learn",
    "_loss": "scikit-learn",  # how scikit-learn 1.5 to 1.8 pickles its Cython losses
    "numpy": "numpy",
    "scipy": "scipy",
    "pandas": "pandas",
    "joblib": "joblib",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
    "_catboost": "catboost",
    "imblearn": "imbalanced-learn",
    "interpret": "interpret-core",
    "category_encoders": "category-encoders",
    "cloudpickle": "cloudpickle",
    "dill": "dill",
    "feature_engine": "feature-engine",
    "mlxtend": "mlxtend",
    "sklearn_extra": "scikit-learn-extra",
    "skopt": "scikit-optimize",
    "statsmodels": "statsmodels",
}

# Root modules that code in a model file can import without the user's trust.
CODE_ROOTS = frozenset(
    """
    __future__ abc bisect catboost cmath collections copy dataclasses datetime decimal enum
    fractions functools hashlib heapq itertools json lightgbm math numbers numpy operator pandas
    random re scipy sklearn statistics string textwrap time types typing unicodedata uuid warnings
    xgboost
    """.split()
)

# Libraries whose objects are data, not models.
DATA_ROOTS = frozenset(("collections", "datetime", "numpy", "pandas", "polars", "scipy"))

# Root modules that no model needs: a file that refers to one does more than describe a model.
DANGEROUS_ROOTS = frozenset(
    """
    __builtin__ _codecs _ctypes _io _operator _pickle _posixsubprocess asyncio atexit bdb
    builtins cProfile code codecs codeop commands concurrent ctypes distutils doctest ensurepip
    fileinput ftplib glob http imp importlib inspect io marshal multiprocessing nt nturl2path
    operator os pdb pickle pip pkgutil platform popen2 posix posixpath profile pty pydoc
    requests runpy setuptools shelve shutil signal site smtplib socket sqlite3 ssl subprocess
    sys sysconfig tarfile telnetlib tempfile threading timeit trace turtle types urllib uuid
    venv webbrowser xmlrpc zipapp zipfile zipimport
    """.split()
)

# Built-in functions that act only through what they are given: a user can trust them.
PLAIN_BUILTINS = frozenset(Global("builtins", name) for name in ("max", "min", "sorted"))

# The types of arrays: an array in a file can be one, but no model calls them. memmap opens files.
ARRAY_TYPES = frozenset(Global("numpy", name) for name in ("matrix", "memmap", "ndarray"))
# Types of lists and dicts that a loader calls, and then fills.
CALLED_CONTAINERS = frozenset(
    Global("collections", name) for name in ("Counter", "OrderedDict", "defaultdict", "deque")
)

# Usual names of functions that run commands, read files or evaluate text.
DANGEROUS_NAMES = frozenset(
    """
    DataSource check_output eval exec exec_command fromfile genfromtxt getoutput load load_files
    load_module loads loadtxt open popen read_pickle run_module system urlopen
    """.split()
)


@dataclass(frozen=True)
class Estimator:
    """The kind and the methods of an estimator class."""

    kind: str  # classifier, regressor, clusterer, outlier, transformer or other
    methods: frozenset[str]  # "predict_proba?": only with some settings
    like: str = ""  # of a user's class, the library's class that it inherits those settings from


@dataclass(frozen=True)
class KnownNames:
    """The content of known_names.json, which tools/make_known_names.py writes."""

    classes: frozenset[Global]  # of the objects in a file
    calls: frozenset[Global]  # that a loader calls
    scalars: frozenset[Global]  # NumPy's scalar types, which stand for dtypes
    functions: Mapping[Global, FunctionRule]  # that a model can call
    estimators: Mapping[Global, Estimator]
    callables: frozenset[Global]  # classes whose objects can be called
    containers: frozenset[Global]  # classes of lists and dicts
    methods: frozenset[str]  # names of all methods of the classes
    parts: frozenset[str]  # attributes in which estimators hold other estimators

    @cached_property
    def names(self) -> frozenset[Global]:
        """All names that a file can refer to without the user's trust, each in its own place."""
        stored = frozenset().union(*STORED_FUNCTIONS.values())
        values = self.scalars | self.functions.keys() | VALUE_TYPES | stored
        return self.classes | self.calls | values | ARRAY_TYPES

    def estimator(self, cls: Global) -> Estimator | None:
        """Return what is known about a class, or None if it is no public estimator."""
        return self.estimators.get(cls)

    def is_library(self, cls: Global) -> bool:
        """Return whether a class comes with a known library, so that it is not the user's own."""
        return cls in self.names or cls.module.split(".")[0] in DATA_ROOTS

    def is_of_library(self, cls: Global) -> bool:
        """Return whether an object, or its constructor, is that of a known library."""
        return cls in self.classes or cls in self.calls or cls.name == "object"

    def is_value(self, name: Global) -> bool:
        """Return whether a model can hold a function or type, and call it later."""
        return name in self.functions or name in self.scalars or name in VALUE_TYPES


@cache
def known_names() -> KnownNames:
    """Read the list in this package."""
    data = json.loads(resources.files(__package__).joinpath("known_names.json").read_text("utf-8"))
    ufuncs = {
        Global(module, name): FunctionRule(inputs - 1, UFUNC_KEYWORDS)
        for module, functions in data["ufuncs"].items()
        for name, inputs in functions.items()
    }
    return KnownNames(
        classes=frozenset(_globals(data["classes"])),
        calls=frozenset(_globals(data["calls"])),
        scalars=frozenset(_globals(data["scalars"])),
        functions={**ufuncs, **MODEL_FUNCTIONS},
        estimators={
            Global(module, name): Estimator(words.split()[0], frozenset(words.split()[1:]))
            for module, classes in data["estimators"].items()
            for name, words in classes.items()
        },
        callables=frozenset(_globals(data["callables"])),
        containers=frozenset(_globals(data["containers"])) | CALLED_CONTAINERS,
        methods=frozenset(name for names in data["methods"].values() for name in names),
        parts=frozenset(name for names in data["parts"].values() for name in names),
    )


def _globals(modules: Mapping[str, Iterable[str]]) -> Iterable[Global]:
    return (Global(module, name) for module, names in modules.items() for name in names)


def is_dangerous(name: Global) -> bool:
    """Return whether an unknown name is too dangerous for a user to trust."""
    if name in PLAIN_BUILTINS or name in VALUE_TYPES:
        return False
    # A dotted name (`sklearn.os.system`) leads from a harmless module to any other.
    *path, last = name.name.split(".")
    parts = {name.module.split(".")[0], *path}
    return bool(parts & DANGEROUS_ROOTS) or last in DANGEROUS_NAMES


def distributions_of(modules: Iterable[str]) -> tuple[str, ...]:
    """Return the distributions that install these modules, sorted."""
    roots = {module.split(".")[0] for module in modules}
    return tuple(sorted({DISTRIBUTIONS[root] for root in roots if root in DISTRIBUTIONS}))
