"""Import the author's own code, and put its names where the model file looks for them."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

NAME = "custom_code"
CACHE = "__pycache__"
# The folder of nltk's corpora and models beside the author's code, and where nltk looks for it.
NLTK_DATA = "nltk_data"


def load_custom_code(path: Path, modules: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Execute a file once, and register its names in the modules that the model file names.

    A pickle refers to `__main__.RatioAdder`, but under gunicorn `__main__` is gunicorn. Only the
    names that the model file needs are registered. Returns all names of the file. Raises whatever
    the file raises.
    """
    spec = importlib.util.spec_from_file_location(NAME, path)
    assert spec is not None
    assert spec.loader is not None
    code = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = code
    spec.loader.exec_module(code)
    _register(modules, vars(code))
    return vars(code)


def load_custom_modules(
    folder: Path, modules: Mapping[str, Sequence[str]], defined_in: Mapping[str, str]
) -> dict[str, Any]:
    """Make a folder of modules importable, and register their names as `load_custom_code` does.

    `defined_in` has the module of each name that is registered or returned. Raises whatever the
    modules raise.
    """
    if (folder / NLTK_DATA).is_dir():
        os.environ.setdefault("NLTK_DATA", str(folder / NLTK_DATA))
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    found = {
        name: getattr(importlib.import_module(module), name) for name, module in defined_in.items()
    }
    _register(modules, found)
    return found


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the content of the files of a folder by relative path, without Python's caches."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    names = {path.relative_to(folder): path for path in paths}
    return {
        name.as_posix(): path.read_bytes()
        for name, path in names.items()
        if CACHE not in name.parts
    }


def _register(modules: Mapping[str, Sequence[str]], values: Mapping[str, Any]) -> None:
    for module, names in modules.items():
        target = _module(module)
        for name in names:
            setattr(target, name, values[name])


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
