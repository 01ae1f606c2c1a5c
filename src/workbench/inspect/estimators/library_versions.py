"""The versions of the libraries that wrote a file, as far as the file records them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from workbench.inspect.formats import pickled_boosters
from workbench.inspect.pickle.values import Global, Instance, walk
from workbench.inspect.refused_file import PROPER_NAMES, RefusedFile

# Modules that only pickles of pandas 1 or 3 refer to.
ONLY_PANDAS_1, ONLY_PANDAS_3 = "pandas.core.indexes.numeric", "pandas"
RELEASE = re.compile(r"(\d+)\.(\d+)(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?")


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
            raise RefusedFile(
                "mixed_versions",
                f"The file holds parts fitted with {name} {' and '.join(sorted(versions))}.",
                "Fit all parts again with one version.",
            )
        _check_release(name, *versions)
    return {library: version for library, (version,) in sorted(found.items())}


def _check_release(name: str, version: str) -> None:
    if RELEASE.fullmatch(version) is None:
        raise RefusedFile(
            "unreleased_version",
            f"The model was fitted with {name} {version}, which was never released.",
            "Fit it again with a released version.",
        )


def pandas_format(names: Iterable[Global]) -> dict[str, str]:
    """Return the pandas that wrote objects in the file, if no other one reads them."""
    modules = {name.module for name in names}
    if ONLY_PANDAS_3 in modules:
        return {"pandas": "3"}
    return {"pandas": "1"} if ONLY_PANDAS_1 in modules else {}


def numpy_major(names: Iterable[Global]) -> int | None:
    """Return 1 or 2, as the modules that the file refers to tell, or None."""
    modules = {name.module for name in names}
    if any(module == "numpy._core" or module.startswith("numpy._core.") for module in modules):
        return 2
    if any(module == "numpy.core" or module.startswith("numpy.core.") for module in modules):
        return 1
    return None
