"""Read the files that XGBoost, LightGBM and CatBoost save in their own formats.

Such a file is returned as a pickle of the same model would be, so that one reader serves both.
"""

from __future__ import annotations

import io
from typing import Any

from workbench.inspect.facts import BoosterFacts
from workbench.inspect.formats import catboost_model, lightgbm_model, xgboost_model
from workbench.inspect.pickle.values import Blob, Dict, Global, Instance
from workbench.inspect.refused_file import PROPER_NAMES, RefusedFile, too_big, truncated

MAX_WHOLE = 32 << 20  # bytes; of a longer model only both ends are kept
END, CHUNK = 1 << 20, 1 << 20
SAVE_AGAIN = {
    "xgboost": "booster.save_model('model.ubj')",
    "lightgbm": "booster.save_model('model.txt')",
    "catboost": "model.save_model('model.cbm')",
}


def read_booster_file(library: str, stream: io.BufferedReader[Any]) -> tuple[Instance, str]:
    """Return the model that a library's own file holds, and the usual suffix of such files.

    Raises RefusedFile for a file that is cut off or damaged.
    """
    content = _content(stream)
    if library == "xgboost" and xgboost_model.binary_model(content) is not None:
        model = Instance(Global("xgboost.core", "Booster"), (), Dict(("handle", content)))
        suffix = ".model"
    elif library == "xgboost":
        if isinstance(content, Blob) and xgboost_model.binary_model(content.head) is not None:
            raise too_big("an XGBoost model in the old binary format is converted up to 32 MB")
        if not xgboost_model.is_whole(content):
            raise truncated()
        model, suffix = _xgboost(content)
    elif library == "lightgbm":
        model, suffix = _lightgbm(content), ".txt"
    else:
        if not catboost_model.is_whole(content):
            raise truncated()
        model, suffix = _catboost(content), ".cbm"
    return model, suffix


def _xgboost(content: bytes | Blob) -> tuple[Instance, str]:
    facts = xgboost_model.read(content)
    if facts is None or facts.objective is None or not _consistent(facts):
        raise _damaged("xgboost")
    head = content.head if isinstance(content, Blob) else content[:2]
    model = Instance(Global("xgboost.core", "Booster"), (), Dict(("handle", content)))
    return model, ".ubj" if head.startswith(b"{L") else ".json"


def _lightgbm(content: bytes | Blob) -> Instance:
    text: str | Blob
    try:
        text = content if isinstance(content, Blob) else content.decode("utf-8")
    except UnicodeDecodeError:
        raise _damaged("lightgbm") from None
    if not lightgbm_model.is_whole(text):
        raise truncated()
    facts = lightgbm_model.read(text)
    if facts is None or facts.n_features is None or not _consistent(facts):
        raise _damaged("lightgbm")
    return Instance(Global("lightgbm.basic", "Booster"), (), Dict(("_handle", text)))


def _consistent(facts: BoosterFacts) -> bool:
    return facts.feature_names is None or len(facts.feature_names) == facts.n_features


def _catboost(content: bytes | Blob) -> Instance:
    """Return a CatBoostClassifier if the model was fitted on classes, else a plain CatBoost."""
    classifier = isinstance(content, bytes) and catboost_model.is_classifier(content)
    if isinstance(content, bytes) and catboost_model.read(content) is None:
        raise _damaged("catboost")
    name = "CatBoostClassifier" if classifier else "CatBoost"
    return Instance(Global("catboost.core", name), (), Dict(("__model", content)))


def _damaged(library: str) -> RefusedFile:
    """Return the refusal of a file that only begins as a library's own format."""
    return RefusedFile(
        "malformed",
        f"The file is not a readable {PROPER_NAMES[library]} model: it is damaged.",
        f"Save it again with {SAVE_AGAIN[library]} and give that file.",
    )


def compressed(library: str) -> RefusedFile:
    """Return the refusal of a compressed file, which the library itself cannot read."""
    return RefusedFile(
        "unsupported",
        f"The file is a compressed {PROPER_NAMES[library]} model.",
        "Unpack it and give the file in it.",
    )


def _content(stream: io.BufferedReader[Any]) -> bytes | Blob:
    content = stream.read(MAX_WHOLE)
    more = stream.read(CHUNK)
    if not more:
        return content
    length, tail = len(content), content[-END:]
    while more:
        length += len(more)
        tail = (tail + more)[-END:]
        more = stream.read(CHUNK)
    return Blob(length, content[:END], tail)
