"""Load a file of an old scikit-learn in scikit-learn 1.1, repair it, and save it again.

Models in XGBoost's old binary format become present ones while it is loaded.

    python -m workbench.resave        in a folder with `old` and `names.json`; writes `new.joblib`

`workbench.convert` starts it in the sandbox of the verification, after static inspection has
passed: it imports nothing but the names in `names.json`, which inspection found in the file.
"""

from __future__ import annotations

import bz2
import io
import json
import lzma
import zlib
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import joblib
import numpy as np
import sklearn
from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler

from workbench.inspect.formats.decompression import compression_of
from workbench.inspect.old_file import CONVERTED_BY
from workbench.inspect.pickle.joblib_arrays import JOBLIB_WRAPPER
from workbench.inspect.pickle.old_names import current_name
from workbench.inspect.pickle.values import Global

OLD, NEW, NAMES = "old", "new.joblib", "names.json"


class _Wrapper(NumpyArrayWrapper):  # type: ignore[misc]  # joblib has no types
    """The wrapper of an array whose objects, too, have their old names."""

    def read_array(self, unpickler: OldUnpickler) -> Any:
        if self.dtype.hasobject:
            return OldUnpickler(unpickler.file_handle, unpickler.allowed).load()
        return super().read_array(unpickler)


class OldUnpickler(NumpyUnpickler):  # type: ignore[misc]  # joblib has no types
    """Read a pickle of an old scikit-learn, importing only the names that are `allowed`."""

    proto: int  # set by the pickle's first opcode

    def __init__(self, file: BinaryIO, allowed: Collection[Global]) -> None:
        super().__init__("", file, mmap_mode=None)
        self.allowed = allowed
        self.encoding = "latin1"  # the arrays of Python 2 are texts

    def find_class(self, module: str, name: str) -> Any:
        """Import a class or function under the name that it has now."""
        if self.proto < 3:
            module, name = NAME_MAPPING.get((module, name), (module, name))
            module = IMPORT_MAPPING.get(module, module)
        found = current_name(module, name)
        if found == JOBLIB_WRAPPER:
            return _Wrapper
        if found not in self.allowed:
            raise ImportError(f"{found.qualified} was not found by the inspection of the file")
        if found.module.split(".")[0] == "xgboost":
            from workbench.resave_booster import reader_of  # noqa: PLC0415  # is not always there

            return reader_of(found.name)
        protocol, self.proto = self.proto, 4  # the names of Python 2 are translated already
        try:
            return super().find_class(found.module, found.name)
        finally:
            self.proto = protocol


def load_old(content: bytes, allowed: Collection[Global]) -> Any:
    """Return the object in a file of an old scikit-learn, repaired for this one."""
    kind = compression_of(content[:10])
    if kind in ("zlib", "gzip"):
        content = zlib.decompress(content, zlib.MAX_WBITS | 32)
    elif kind == "bz2":
        content = bz2.decompress(content)
    elif kind is not None:
        content = lzma.decompress(content)
    root = OldUnpickler(io.BytesIO(content), allowed).load()
    if sklearn.__version__ != CONVERTED_BY:
        return root  # the release that wrote the file: only its models of XGBoost are old
    for part in list(_parts(root)):
        _decode_classes(vars(part))
        if repair := REPAIRS.get(type(part).__name__):
            repair(part, vars(part))
    return root


def _decode_classes(state: dict[str, Any]) -> None:
    """Make texts of classes that are the bytes of Python 2's texts."""
    classes = state.get("classes_")
    if isinstance(classes, np.ndarray) and classes.dtype.kind == "S":
        state["classes_"] = np.char.decode(classes, "utf-8")


def _parts(root: object) -> Iterator[object]:
    """Yield every object with attributes that `root` reaches, each once."""
    seen: dict[int, object] = {}  # keeps them alive, so that no two have the same id
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, str | bytes | int | float | None):
            continue
        seen[id(value)] = value
        if isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple | set):
            waiting.extend(value)
        elif isinstance(value, np.ndarray):
            waiting.extend(value.ravel().tolist() if value.dtype.hasobject else ())
        elif hasattr(value, "__dict__") and not isinstance(value, type):
            yield value
            waiting.extend(vars(value).values())


# How the state of each class differs from that in scikit-learn 1.1: what was renamed, and what a
# parameter that did not exist had in effect. None of it computes a number of the model.


def _gaussian_nb(_: Any, state: dict[str, Any]) -> None:
    if "sigma_" in state:  # until 1.0
        state["var_"] = state.pop("sigma_")


def _dummy_classifier(_: Any, state: dict[str, Any]) -> None:
    state.setdefault("_strategy", state["strategy"])  # the start of gradient boosting in 0.21


def _simple_imputer(_: Any, state: dict[str, Any]) -> None:
    if "statistics_" in state:
        state.setdefault("_fit_dtype", state["statistics_"].dtype)
    state.setdefault("add_indicator", False)
    state.setdefault("indicator_", None)


def _one_hot_encoder(part: Any, state: dict[str, Any]) -> None:
    for name in ("drop", "drop_idx_", "min_frequency", "max_categories"):
        state.setdefault(name, None)
    state.setdefault("_infrequent_enabled", False)
    if "categories_" in state:
        state.setdefault("_n_features_outs", part._compute_n_features_outs())


def _ordinal_encoder(_: Any, state: dict[str, Any]) -> None:
    state.setdefault("handle_unknown", "error")
    state.setdefault("unknown_value", None)
    state.setdefault("encoded_missing_value", np.nan)
    state.setdefault("_missing_indices", {})


def _gradient_boosting(_: Any, state: dict[str, Any]) -> None:
    state.setdefault("_loss", state.get("loss_"))


def _polynomial_features(part: Any, state: dict[str, Any]) -> None:
    count = state.get("n_features_in_", state.get("n_input_features_"))
    state.setdefault("order", "C")
    if count is None:
        return
    fresh = type(part)(
        degree=part.degree,
        interaction_only=part.interaction_only,
        include_bias=part.include_bias,
        order=part.order,
    ).fit(np.zeros((1, count)))
    for name, value in vars(fresh).items():
        state.setdefault(name, value)


def _min_max_scaler(_: Any, state: dict[str, Any]) -> None:
    state.setdefault("clip", False)


def _svm(_: Any, state: dict[str, Any]) -> None:
    for new, old in {"_n_support": "n_support_", "_probA": "probA_", "_probB": "probB_"}.items():
        if new not in state and old in state:
            state[new] = state.pop(old)
    state.setdefault("break_ties", False)


def _k_means(_: Any, state: dict[str, Any]) -> None:
    state.setdefault("_n_threads", 1)


def _neighbors(_: Any, state: dict[str, Any]) -> None:
    if "_fit_X" in state:
        state.setdefault("n_samples_fit_", state["_fit_X"].shape[0])


REPAIRS: Mapping[str, Callable[[Any, dict[str, Any]], None]] = {
    "DummyClassifier": _dummy_classifier,
    "GaussianNB": _gaussian_nb,
    "GradientBoostingClassifier": _gradient_boosting,
    "GradientBoostingRegressor": _gradient_boosting,
    "KMeans": _k_means,
    "KNeighborsClassifier": _neighbors,
    "KNeighborsRegressor": _neighbors,
    "MinMaxScaler": _min_max_scaler,
    "OneHotEncoder": _one_hot_encoder,
    "OrdinalEncoder": _ordinal_encoder,
    "PolynomialFeatures": _polynomial_features,
    "SVC": _svm,
    "SVR": _svm,
    "SimpleImputer": _simple_imputer,
}


def main() -> None:
    """Convert the file `old` of the working directory."""
    names = json.loads(Path(NAMES).read_text(encoding="utf-8"))
    root = load_old(Path(OLD).read_bytes(), {Global(module, name) for module, name in names})
    joblib.dump(root, NEW)


if __name__ == "__main__":
    main()
