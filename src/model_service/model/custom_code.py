"""Import the author's own code, and put its names where the model file looks for them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

NAME = "custom_code"


def load_custom_code(path: Path, modules: Mapping[str, Sequence[str]]) -> ModuleType:
    """Execute a file once, and register its names in the modules that the model file names.

    A pickle refers to `__main__.RatioAdder`, but under gunicorn `__main__` is gunicorn. Only the
    names that the model file needs are registered. Raises whatever the file raises.
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
    """Return the module of a name; it and its parents are created if they do not exist."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        part = ".".join(parts[:end])
        if part not in sys.modules:
            module = ModuleType(part)
            module.__path__ = []  # submodules can be looked up only in a package
            sys.modules[part] = module
    return sys.modules[name]
