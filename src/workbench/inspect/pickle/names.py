"""The classes and functions that model files can import and call: exact names, never prefixes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

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

    names: frozenset[Global]
    calls: frozenset[Global]
    estimators: Mapping[Global, Estimator]

    def estimator(self, cls: Global) -> Estimator | None:
        """Return what is known about a class, or None if it is no public estimator."""
        return self.estimators.get(cls)

    def is_library(self, cls: Global) -> bool:
        """Return whether a class comes with a known library, so that it is not the user's own."""
        return cls in self.names or cls.module.split(".")[0] in DATA_ROOTS


@cache
def known_names() -> KnownNames:
    """Read the list in this package."""
    data = json.loads(resources.files(__package__).joinpath("known_names.json").read_text("utf-8"))
    return KnownNames(
        names=frozenset(_globals(data["names"])),
        calls=frozenset(_globals(data["calls"])),
        estimators={
            Global(module, name): Estimator(words.split()[0], frozenset(words.split()[1:]))
            for module, classes in data["estimators"].items()
            for name, words in classes.items()
        },
    )


def _globals(modules: Mapping[str, Iterable[str]]) -> Iterable[Global]:
    return (Global(module, name) for module, names in modules.items() for name in names)


def is_dangerous(name: Global) -> bool:
    """Return whether an unknown name is too dangerous for a user to trust."""
    # A dotted name (`sklearn.os.system`) leads from a harmless module to any other.
    *path, last = name.name.split(".")
    parts = {name.module.split(".")[0], *path}
    return bool(parts & DANGEROUS_ROOTS) or last in DANGEROUS_NAMES


def distributions_of(modules: Iterable[str]) -> tuple[str, ...]:
    """Return the distributions that install these modules, sorted."""
    roots = {module.split(".")[0] for module in modules}
    return tuple(sorted({DISTRIBUTIONS[root] for root in roots if root in DISTRIBUTIONS}))
