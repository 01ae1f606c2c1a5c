"""Judge what a file refers to and calls, and the versions that wrote it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from workbench.inspect.errors import Refused, dangerous, dilled
from workbench.inspect.formats import pickled_boosters
from workbench.inspect.pickle import pickled_code
from workbench.inspect.pickle.interpreter import Trace
from workbench.inspect.pickle.names import CODE_ROOTS, CUSTOM_MODULES, is_dangerous, known_names
from workbench.inspect.pickle.values import Global, Instance, OwnClass, walk

OLDEST_SKLEARN = (1, 0)
PROPER_NAMES: Mapping[str, str] = {
    "catboost": "CatBoost",
    "scikit-learn": "scikit-learn",
    "xgboost": "XGBoost",
}
RELEASE = re.compile(r"(\d+)\.(\d+)(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?")

PLAIN = "Give a scikit-learn model saved by joblib.dump or pickle.dump."
# Libraries whose objects cannot be served: the first part of their modules, what, remedy.
UNSUPPORTED: Mapping[str, tuple[str, str]] = {
    "keras": ("The file holds a Keras model.", PLAIN),
    "tensorflow": ("The file holds a TensorFlow model.", PLAIN),
    "torch": ("The file holds a PyTorch model.", PLAIN),
    "fastai": ("The file holds a fastai model.", PLAIN),
    "onnx": ("The file holds an ONNX model.", PLAIN),
    "pyspark": ("The file holds a Spark model.", PLAIN),
}


@dataclass(frozen=True)
class Names:
    """The names that the user must vouch for or give the code of, sorted."""

    unknown: tuple[str, ...]
    custom: tuple[str, ...]
    pickled: tuple[str, ...]  # whose code is in the file


def judge_names(trace: Trace) -> Names:
    """Sort out the names outside of the known list; raise Refused for impossible ones."""
    known = known_names()
    doubtful = (trace.names - known.names) | (trace.called - known.calls)
    # What is only known as a constructor of the loader's is no function for a model to call.
    doubtful |= trace.wrapped & known.calls
    doubtful -= pickled_code.NAMES - trace.wrapped
    doubtful = {name for name in doubtful if not isinstance(name, OwnClass)}
    custom = {name for name in doubtful if name.module in CUSTOM_MODULES}
    unknown = sorted(doubtful - custom, key=lambda name: name.qualified)
    roots = {name.module.split(".")[0] for name in trace.names}
    unsupported = sorted(roots & UNSUPPORTED.keys())
    for name in unknown:
        # A Keras model refers to builtins, too: say what it is, not that it is dangerous.
        if is_dangerous(name) and not unsupported and "dill" not in roots:
            raise dangerous(f"it refers to {name.qualified}, which no model needs")
    for root in unsupported:
        raise Refused("unsupported", *UNSUPPORTED[root])
    if any(name.module.split(".")[0] == "dill" for name in unknown):
        raise dilled()
    pickled_code.refuse_unknown_helpers(unknown)
    pickled_code.refuse_dangerous_code(trace.made)
    modules = {m for m in pickled_code.modules_of(trace.made) if m.split(".")[0] not in CODE_ROOTS}
    if trace.made:
        # Whoever vouches for code vouches for what it takes from the libraries that are known.
        called = trace.called - known.calls
        unknown = [n for n in unknown if n in called or n.module.split(".")[0] not in CODE_ROOTS]
    return Names(
        tuple(
            sorted({*(f"{module}.*" for module in modules), *(name.qualified for name in unknown)})
        ),
        tuple(sorted(name.qualified for name in custom)),
        pickled_code.names_of(trace.made),
    )


def library_versions(root: object) -> dict[str, str]:
    """Return the version of each library that wrote its own into the file, which must be one."""
    found: dict[str, set[str]] = defaultdict(set)
    for value in walk(root):
        if not isinstance(value, Instance):
            continue
        if type(version := value.attribute("_sklearn_version")) is str:
            found["scikit-learn"].add(version)
        if booster := pickled_boosters.version_of(value):
            found[booster[0]].add(booster[1])
    for library, versions in sorted(found.items()):
        name = PROPER_NAMES[library]
        if len(versions) > 1:
            raise Refused(
                "mixed_versions",
                f"The file holds parts fitted with {name} {' and '.join(sorted(versions))}.",
                "Fit all parts again with one version.",
            )
        _check_release(library, name, *versions)
    return {library: version for library, (version,) in sorted(found.items())}


def _check_release(library: str, name: str, version: str) -> None:
    match = RELEASE.fullmatch(version)
    if match is None:
        raise Refused(
            "unreleased_version",
            f"The model was fitted with {name} {version}, which was never released.",
            "Fit it again with a released version.",
        )
    if library == "scikit-learn" and (int(match[1]), int(match[2])) < OLDEST_SKLEARN:
        raise Refused(
            "old_version",
            f"The model was fitted with scikit-learn {version}, "
            "which cannot be installed on any Python that Heroku runs.",
            "Fit it again, or load it once and save it again, with scikit-learn 1.1 or later.",
        )


def numpy_major(names: Iterable[Global]) -> int | None:
    """Return 1 or 2, as the modules that the file refers to tell, or None."""
    modules = {name.module for name in names}
    if any(module == "numpy._core" or module.startswith("numpy._core.") for module in modules):
        return 2
    if any(module == "numpy.core" or module.startswith("numpy.core.") for module in modules):
        return 1
    return None
