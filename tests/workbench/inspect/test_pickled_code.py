"""Code that cloudpickle wrote into a file is read, never run, and refused if it is dangerous."""

# Functions of libraries go by their name; only a lambda around them is pickled by value.
# ruff: noqa: PLW0108, PTH123

from __future__ import annotations

import builtins
import dis
import functools
import os
import pickle
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from cloudpickle import cloudpickle as writer
from conftest import TESTS
from sklearn.linear_model import LogisticRegression

from workbench.inspect import ModelFacts, RefusedFile, inspect
from workbench.inspect.pickle.bytecode import read_code

CANARY = "canary"
SECONDS = 2
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
MADE = TESTS / "data" / "trust"


def model_with(value: object) -> LogisticRegression:
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    model.payload_ = value
    return model


@pytest.fixture
def pickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[object], ModelFacts]]:
    """Save a model with a value among its attributes by cloudpickle, and inspect the file."""
    monkeypatch.chdir(tmp_path)

    def save_and_inspect(value: object) -> ModelFacts:
        path = tmp_path / "model.pkl"
        path.write_bytes(cloudpickle.dumps(model_with(value)))
        return inspect(path)

    yield save_and_inspect
    assert not (tmp_path / CANARY).exists()


def harmless() -> list[Any]:
    offset = 2

    class Ratio:
        """A class with every kind of member."""

        factor = 3

        def __init__(self, power: int = 1) -> None:
            self.power = power

        @property
        def half(self) -> float:
            return self.factor / 2

        @classmethod
        def make(cls) -> Any:
            return cls()

        @staticmethod
        def add(rows: Any) -> Any:
            return rows + offset

        def transform(self, rows: Any) -> Any:
            return np.log1p([np.abs(row) ** self.power for row in rows if row is not None])

    class Child(Ratio):
        def transform(self, rows: Any) -> Any:
            return pd.DataFrame(super().transform(rows)).fillna(0)

    def recursive(depth: int) -> int:
        return recursive(depth - 1) if depth else offset

    return [
        lambda rows: rows * 2,
        Ratio(),
        Child(2),
        Child(2).transform,
        recursive,
        functools.partial(recursive, 1),
        {}.keys(),
        np.log1p,
    ]


def test_ordinary_code_is_read(pickled: Callable[[object], ModelFacts]) -> None:
    facts = pickled(harmless())
    here = f"{__name__}.harmless.<locals>"
    names = [f"{here}.<lambda>", f"{here}.recursive"]
    assert set(names) < set(facts.pickled_names)
    # A class by value does not say in what it was defined.
    assert {f"{__name__}.Ratio", f"{__name__}.Child"} < set(facts.pickled_names)
    assert facts.code_pythons is not None
    assert RUNNING in facts.code_pythons
    assert facts.unknown_names == ()
    assert "pandas" in facts.distributions


def test_modules_that_code_imports_need_trust(pickled: Callable[[object], ModelFacts]) -> None:
    def late(rows: Any) -> Any:
        import fancy.deep as library  # type: ignore[import-not-found]  # noqa: PLC0415

        return library.transform(rows)

    assert pickled(late).unknown_names == ("fancy.deep.*",)


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
@pytest.mark.parametrize("name", ["pickled_pipeline", "pickled_classifier"])
def test_the_python_that_wrote_the_code_is_found(name: str, python: str) -> None:
    facts = inspect(MADE / f"{name}-{python}.pkl")
    assert facts.code_pythons == (python,)
    assert facts.unknown_names == facts.custom_names == ()


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


def test_code_of_the_standard_library_fits_this_python() -> None:
    folder = Path(os.__file__).parent
    reduce = vars(writer)["_code_reduce"]
    for path in sorted(folder.glob("[a-d]*.py")):
        for code in codes(compile(path.read_text("utf-8"), str(path), "exec")):
            found = read_code(reduce(code)[1])
            assert RUNNING in found.pythons, code
            steps = list(dis.get_instructions(code))
            named = {s.argval for s in steps if s.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
            assert set(found.globals) == named
            assert set(found.imports) == {s.argval for s in steps if s.opname == "IMPORT_NAME"}


def imports_os(rows: Any) -> Any:
    import os as harmless_name  # noqa: PLC0415

    harmless_name.system(f"touch {CANARY}")
    return rows


def dangerous() -> dict[str, tuple[object, str]]:
    def inner(rows: Any) -> Any:
        def innermost() -> None:
            from subprocess import run  # noqa: PLC0415

            run(["touch", CANARY], check=True)

        return innermost() or rows

    class Loader:
        def transform(self, rows: Any) -> Any:
            return np.load(rows)

    class Meta(type):
        def __call__(cls) -> Any:
            return eval("1")

    return {
        "import": (types.FunctionType(imports_os.__code__, {}), "os"),
        "a global": (lambda: os.getpid(), "os"),
        "deep inside": (inner, "subprocess"),
        "in a method": (Loader(), "load"),
        "in a metaclass": (Meta("Made", (), {}), "eval"),
        "eval": (lambda text: eval(text), "eval"),
        "exec": (lambda text: exec(text), "exec"),
        "compile": (lambda text: compile(text, "", "exec"), "compile"),
        "open": (lambda path: open(path), "open"),
        "__import__": (lambda name: __import__(name), "__import__"),
        "builtins": (lambda: builtins.len, "builtins"),
        "subclasses": (lambda: ().__class__.__base__.__subclasses__(), "__subclasses__"),
        "globals of a function": (lambda f: f.__globals__["x"], "__globals__"),
        "a pickle": (lambda path: pd.read_pickle(path), "read_pickle"),
        "a default": (lambda rows, run=os.system: run(rows), "posix.system"),
        "partial": (functools.partial(os.system, f"touch {CANARY}"), "posix.system"),
        "partial of eval": (functools.partial(eval, "1"), "builtins.eval"),
        "partial of a loader": (functools.partial(np.load, "x"), "numpy.load"),
        "a module": (subprocess, "subprocess"),
        "a method of a module": (pickle.loads, "_pickle.loads"),
    }


@pytest.mark.parametrize("name", dangerous())
def test_dangerous_code_is_refused_even_with_trust(
    name: str, pickled: Callable[[object], ModelFacts]
) -> None:
    value, word = dangerous()[name]
    with pytest.raises(RefusedFile, match=word) as refusal:
        pickled(value)
    assert refusal.value.code == "dangerous"


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def name(module: str, what: str) -> bytes:
    return text(module) + text(what) + b"\x93"


def helper(what: str, *arguments: bytes) -> bytes:
    """Return opcodes that call a helper of cloudpickle."""
    return name("cloudpickle.cloudpickle", what) + b"(" + b"".join(arguments) + b"tR"


SHELL = text(f"touch {CANARY}")


def own_class(title: str, metaclass: bytes, bases: bytes = b")", module: str = "__main__") -> bytes:
    namespace = b"}" + text("__module__") + text(module) + b"s"
    return helper("_make_skeleton_class", metaclass, text(title), bases, namespace, b"N", b"N")


TYPE = name("builtins", "type")
CLASS = own_class("C", TYPE)
FUNCTION = cloudpickle.dumps(lambda: 1)[len(b"\x80\x05") + 9 : -1]  # without its frame
# What uses the helpers as cloudpickle never does.
MISUSED = {
    "a library's class is changed": helper(
        "_class_setstate", name("sklearn.pipeline", "Pipeline"), b"}", b"}\x86"
    ),
    "a library's function is changed": helper(
        "_function_setstate", name("numpy", "abs"), b"}", b"}\x86"
    ),
    "a module is changed": helper("_function_setstate", helper("subimport", text("numpy")), b"))"),
    "a metaclass that is called": own_class("C", name("numpy", "memmap")),
    "a function that is called": FUNCTION + b")R",
    "type makes a class": name("builtins", "type") + text("C") + b")}\x87R",
    "a type that runs code": helper("_builtin_type", text("FunctionType")) + b")R",
    "a loader in the loader": helper("loads", SHELL),
    "a module by value": helper("dynamic_subimport", text("os"), b"}"),
    "os": helper("subimport", text("os")),
    "os below another": helper("subimport", text("os.path")),
    "members that are none": helper("_class_setstate", CLASS, b"NN\x86"),
    "code that is none": helper("_make_function", b"N}NNN"),
    "code of nothing": helper("_builtin_type", text("CodeType")) + b")R",
    "a name that is a sentence": own_class("C, trust me", TYPE),
    "a bound function of a library": helper("_builtin_type", text("MethodType"))
    + name("numpy", "abs")
    + b"N\x86R",
}


@pytest.mark.parametrize("case", MISUSED)
def test_misused_helpers_are_refused(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x05" + MISUSED[case] + b"0" + pickle.dumps(model_with(None), 4)[2:])
    with pytest.raises(RefusedFile) as refusal:
        inspect(path)
    assert refusal.value.code in ("dangerous", "malformed", "unsupported")
    assert not (tmp_path / CANARY).exists()


def test_a_class_by_value_never_counts_as_a_library_class(tmp_path: Path) -> None:
    """It has the name of scikit-learn's Pipeline, and still needs trust."""
    path = tmp_path / "model.pkl"
    cls = own_class("Pipeline", TYPE, module="sklearn.pipeline")
    path.write_bytes(b"\x80\x05" + cls + b")\x810" + pickle.dumps(model_with(None), 4)[2:])
    assert inspect(path).pickled_names == ("sklearn.pipeline.Pipeline",)
    path.write_bytes(b"\x80\x05" + cls + b")\x81}" + text("steps") + b"]sb.")
    with pytest.raises(RefusedFile, match="cannot predict"):
        inspect(path)


def shared_ancestors() -> bytes:
    """Return sixty classes, each of which has the previous one as a base twice."""
    opcodes = name("builtins", "object") + b"\x940"
    for _ in range(60):
        opcodes += own_class("C", TYPE, bases=b"h\x00h\x00\x86") + b"q\x000"
    return opcodes + b"h\x00)\x81}" + text("a") + b"K\x01sb."


def much_code(size: int, count: int) -> bytes:
    """Return code objects that share one long bytecode."""
    code = b"B" + size.to_bytes(4, "little") + b"\x97\x00" * (size // 2)
    before, after = (
        b"(K\x00K\x00K\x00K\x00K\x00K\x00",
        b"))" + b")" + text("f") + text("f") + text("f"),
    )
    made = helper("_builtin_type", text("CodeType")) + b"q\x010" + code + b"q\x020"
    made = b"N\x940" + made
    one = b"h\x01" + before + b"h\x02" + after + b"K\x01C\x00C\x00))tR0"
    return made + one * count + b"N."


BOMBS = {
    "ancestors that are shared": shared_ancestors,
    "much code": lambda: much_code(60_000, 10_000),
    "long code": lambda: much_code(1_000_000, 1),
}


@pytest.mark.parametrize("case", BOMBS)
def test_reading_code_stays_within_limits(case: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x05" + BOMBS[case]())
    start = time.process_time()
    with pytest.raises(RefusedFile):
        inspect(path)
    assert time.process_time() - start < SECONDS
