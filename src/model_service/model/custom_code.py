"""The author's own classes and functions, found where the model file looks for them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

NAME = "custom_code"


def load(path: Path, modules: Mapping[str, Sequence[str]]) -> ModuleType:
    """Run the file once and register its names under the modules of the notebook.

    A pickle says `__main__.RatioAdder`, and under gunicorn `__main__` is gunicorn: so the names
    that the model file refers to, and no others, are put there. Raises what the file raises.
    """
    spec = importlib.util.spec_from_file_location(NAME, path)
    assert spec is not None
    assert spec.loader is not None
    code = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = code
    spec.loader.exec_module(code)
    for module, names in modules.items():
        target = _module(module)
        for name in names:
            setattr(target, name, getattr(code, name))
    return code


def _module(name: str) -> ModuleType:
    """Return a module of that name, made with its parents where there is none."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        part = ".".join(parts[:end])
        if part not in sys.modules:
            module = ModuleType(part)
            module.__path__ = []  # so that the parts below it can be looked up
            sys.modules[part] = module
    return sys.modules[name]
