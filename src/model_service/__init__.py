"""Serve one fitted model over HTTP. The project's app.py is built from the names below.

They are imported when they are first used, so that `model_service.contract` works without Flask.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_service.errors import StartError
    from model_service.web import api, docs, pages
    from model_service.web.app import ModelService
    from model_service.web.policy import policy

__all__ = ["ModelService", "StartError", "api", "docs", "pages", "policy"]

# Public name -> its module, and the attribute of that module; None is the module itself.
_PUBLIC = {
    "ModelService": ("model_service.web.app", "ModelService"),
    "StartError": ("model_service.errors", "StartError"),
    "api": ("model_service.web.api", None),
    "docs": ("model_service.web.docs", None),
    "pages": ("model_service.web.pages", None),
    "policy": ("model_service.web.policy", "policy"),
}


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module_name, attribute = _PUBLIC[name]
    module = import_module(module_name)
    value = module if attribute is None else getattr(module, attribute)
    globals()[name] = value  # found directly from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
