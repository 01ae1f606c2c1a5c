"""The list of known names covers the installed libraries and holds nothing dangerous."""

from __future__ import annotations

import ast
import importlib
import sys
import warnings
from pathlib import Path

import pytest
from sklearn.utils import all_estimators

import workbench.inspect as package
from workbench.inspect.pickle.names import DANGEROUS_ROOTS, known_names
from workbench.inspect.pickle.values import Global

LISTED_ONE_BY_ONE = frozenset(("_codecs", "builtins", "uuid"))


def test_every_estimator_is_known() -> None:
    for name, estimator_class in all_estimators():
        assert known_names().estimator(Global(estimator_class.__module__, name)), name


def test_names_that_can_be_called_can_be_imported() -> None:
    assert known_names().calls <= known_names().names


def test_nothing_known_is_dangerous() -> None:
    roots = {name.module.split(".")[0] for name in known_names().names}
    assert roots & DANGEROUS_ROOTS == LISTED_ONE_BY_ONE
    assert not [name for name in known_names().names if "." in name.name]


@pytest.mark.parametrize(
    "name",
    [
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("numpy", "load"),
        ("numpy", "fromfile"),
        ("numpy", "vectorize"),
        ("sklearn.datasets", "load_files"),
        ("sklearn.utils._testing", "TempMemmap"),
        # Loading one of these, scipy executes a text from the file.
        ("scipy.stats._distn_infrastructure", "rv_continuous_frozen"),
        ("scipy.stats._continuous_distns", "uniform_gen"),
    ],
)
def test_names_that_stay_unknown(name: tuple[str, str]) -> None:
    assert Global(*name) not in known_names().names


@pytest.mark.parametrize("name", ["memmap", "ndarray"])
def test_names_that_cannot_be_called(name: str) -> None:
    known = known_names()
    assert Global("numpy", name) not in known.calls | known.classes | known.functions.keys()


def test_functions_that_a_model_can_call_are_public() -> None:
    known = known_names()
    assert not [name for name in known.functions if name.name.startswith("_")]
    assert not known.functions.keys() & (known.calls | known.classes)


def test_no_callback_is_known() -> None:
    modules = {name.module for name in known_names().classes}
    assert not [module for module in modules if module.startswith("sklearn.callback")]


def test_classes_that_act_are_reviewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the installed libraries; the tool does it for each release that it is run with."""
    monkeypatch.syspath_prepend(Path(package.__file__).parents[3] / "tools")
    tool = importlib.import_module("make_known_names")
    classes: dict[str, set[str]] = {}
    for name in known_names().classes:
        classes.setdefault(name.module, set()).add(name.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # modules of older releases
        acts = {act for _, cls in tool.importable(classes) for act in tool.acts_of(cls)}
    assert len(acts) > 50
    assert tool.unreviewed([{"acts": acts}]) == []
    assert tool.unreviewed([{"acts": {"sklearn.callback.ScoringMonitor.__setstate__"}}])


def test_the_package_needs_only_the_standard_library() -> None:
    for path in Path(package.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                imported = [node.module or ""]
            else:
                continue
            assert {name.split(".")[0] for name in imported} <= {
                *sys.stdlib_module_names,
                "workbench",
            }


def test_the_tool_writes_the_file_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(package.__file__).parents[3] / "tools")
    tool = importlib.import_module("make_known_names")
    text = tool.DATA.read_text("utf-8")
    assert tool.render(tool.merge([tool.json.loads(text)])) == text
