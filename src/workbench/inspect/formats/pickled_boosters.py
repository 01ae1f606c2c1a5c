"""Read the XGBoost, LightGBM and CatBoost models that a pickle holds in their own formats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from workbench.inspect.facts import BoosterFacts
from workbench.inspect.formats import catboost_model, lightgbm_model, xgboost_model
from workbench.inspect.pickle.values import Blob, Global, Instance, walk
from workbench.inspect.refused_file import RefusedFile, too_big

# Root module -> the library's proper name.
LIBRARIES: Mapping[str, str] = {
    "catboost": "CatBoost",
    "_catboost": "CatBoost",
    "lightgbm": "LightGBM",
    "xgboost": "XGBoost",
}
# Attributes of the pickled state that hold the native model.
CATBOOST_MODEL = "__model"
HANDLES = ("handle", "_handle")  # of a Booster; LightGBM before and from version 4

# XGBoost before 1.0 did not write its version; this is the last release of that time.
BEFORE_VERSIONS = "0.90"

WRAPPER = "Give the fitted scikit-learn wrapper (such as {}Classifier), saved by joblib.dump."
WRAPPERS: Mapping[str, str] = {"CatBoost": "CatBoost", "LightGBM": "LGBM", "XGBoost": "XGB"}


def library_of(cls: Global) -> str | None:
    """Return the boosting library that defines a class, or None."""
    return LIBRARIES.get(cls.module.split(".")[0])


def is_fitted(model: Instance) -> bool:
    """Return whether an object of a boosting library holds a trained model."""
    return _model(model) is not None


def is_of_old_lightgbm(model: Instance) -> bool:
    """Return whether a fitted model lacks the mark that LightGBM 3.3 and later ask for."""
    is_wrapper = model.cls.module == "lightgbm.sklearn"
    return is_wrapper and is_fitted(model) and model.attribute("fitted_") is None


def formats_of(parts: Iterable[object]) -> dict[str, str]:
    """Return the format version of LightGBM models, which do not record the library's version."""
    found = {
        lightgbm_model.format_of(content)
        for part in parts
        if isinstance(part, Instance)
        and library_of(part.cls) == "LightGBM"
        and isinstance(content := _native_model(part), str | Blob)
    }
    named = sorted(name for name in found if name)
    return {"lightgbm": named[0]} if named else {}


def facts_of(model: Instance) -> BoosterFacts | None:
    """Return the facts of the native model in an object, or None if there is none to read."""
    library, content = library_of(model.cls), _model(model)
    if library == "XGBoost" and isinstance(content, bytes | Blob):
        return xgboost_model.read(content)
    if library == "CatBoost" and isinstance(content, bytes):
        return catboost_model.read(content)
    if library == "LightGBM" and isinstance(content, str | Blob):
        return lightgbm_model.read(content)
    return None


def thresholds_of(model: Instance) -> Iterable[tuple[int, float]]:
    """Return columns by position with numbers that the trees compare them with, if readable."""
    library, content = library_of(model.cls), _model(model)
    if library == "XGBoost" and isinstance(content, bytes):
        return xgboost_model.thresholds(content)
    if library == "LightGBM" and isinstance(content, str):
        return lightgbm_model.thresholds(content)
    return ()


def version_of(part: Instance) -> tuple[str, str] | None:
    """Return the distribution and version that wrote a native model, or None.

    LightGBM records no version. Raises RefusedFile if another library's version cannot be read.
    """
    library, content = library_of(part.cls), _native_model(part)
    if library == "XGBoost" and isinstance(content, bytes | Blob):
        version = xgboost_model.version_of(content)
        if version is None and (binary := xgboost_model.binary_model(content)) is not None:
            version = xgboost_model.version_of_binary(binary) or BEFORE_VERSIONS
    elif library == "CatBoost" and isinstance(content, bytes | Blob):
        version = catboost_model.version_of(content)
    else:
        return None
    if version is None and isinstance(content, Blob):
        raise too_big(f"the {library} model in it is too large to find its version")
    if version is None:
        raise RefusedFile(
            "unknown_version",
            f"The version of {library} that wrote the file cannot be read from it.",
            f"Save the model again with a released version of {library}.",
        )
    return library.lower(), version


def binary_booster(root: object) -> Instance | None:
    """Return an XGBoost wrapper or Booster whose model has the old binary format, or None."""
    if not isinstance(root, Instance) or library_of(root.cls) != "XGBoost":
        return None
    content = _model(root)
    is_binary = isinstance(content, bytes) and xgboost_model.binary_model(content) is not None
    return root if is_binary else None


def binary_boosters(root: object) -> tuple[Instance, ...]:
    """Return each XGBoost wrapper in a file whose model has the old binary format.

    A Booster that no wrapper holds counts as one.
    """
    found = [part for part in walk(root) if binary_booster(part) is not None]
    wrapped = {id(part.attribute("_Booster")) for part in found if isinstance(part, Instance)}
    return tuple(p for p in found if isinstance(p, Instance) and id(p) not in wrapped)


def binary_content(root: Instance) -> bytes:
    """Return the model of a `binary_booster`."""
    content = _model(root)
    found = xgboost_model.binary_model(content) if isinstance(content, bytes) else None
    assert found is not None
    return found


def unsupported_object(cls: Global) -> RefusedFile:
    """Return the refusal of an object of a boosting library that cannot be served."""
    library = LIBRARIES[cls.module.split(".")[0]]
    what = f"{'a' if library == 'CatBoost' else 'an'} {cls.name}"
    return RefusedFile(
        "unsupported",
        f"The file holds {what}, which is not supported yet.",
        WRAPPER.format(WRAPPERS[library]),
    )


def _model(model: Instance) -> object:
    """Return the native model of a scikit-learn wrapper or of a Booster."""
    booster = model.attribute("_Booster")
    return _native_model(booster if isinstance(booster, Instance) else model)


def _native_model(part: Instance) -> object:
    library = library_of(part.cls)
    if library is None:
        return None
    if library == "CatBoost":
        return part.attribute(CATBOOST_MODEL)
    return next((found for name in HANDLES if (found := part.attribute(name)) is not None), None)
