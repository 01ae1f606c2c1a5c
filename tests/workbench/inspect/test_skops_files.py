"""Files of skops have the facts of pickles, and hostile ones are refused."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import resource
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TESTS

import workbench.inspect as package
from workbench.inspect import RefusedFile, inspect

FILES = TESTS / "data" / "libraries"
NAMES = ("Income", "Credit history", "limit(%)")
Node = dict[str, Any]


@pytest.mark.parametrize(
    ("file", "estimator", "task", "classes", "names", "protocol"),
    [
        ("0.16.0-forest", "RandomForestClassifier", "classification", ("no", "yes"), NAMES, 2),
        (
            *("0.16.0-columns", "LogisticRegression", "classification", ("no", "yes")),
            *((*NAMES, "Area"), 2),
        ),
        ("0.11.0-clusters", "KMeans", "clustering", None, NAMES, 2),
        ("0.4.0-clusters", "KMeans", "clustering", None, NAMES, 0),
    ],
)
def test_facts_equal_those_of_a_pickle(
    file: str,
    estimator: str,
    task: str,
    classes: tuple[str, ...] | None,
    names: tuple[str, ...],
    protocol: int,
) -> None:
    facts = inspect(FILES / f"skops-{file}.skops")
    assert (facts.container, facts.protocol) == ("skops", protocol)
    assert (facts.estimator, facts.task, facts.classes) == (estimator, task, classes)
    assert (facts.feature_names, facts.n_features) == (names, len(names))
    assert facts.unknown_names == ()
    assert {"scikit-learn", "skops"} <= set(facts.distributions)
    assert any(name.endswith(f".{facts.class_name.rsplit('.')[-1]}") for name in facts.trusted)


def node(loader: str, module: str, name: str, **more: Any) -> Node:
    return {"__loader__": loader, "__module__": module, "__class__": name, **more}


def plain(value: object) -> Node:
    return node("JsonNode", "builtins", "str", content=json.dumps(value), is_json=True)


def kind(module: str, name: str) -> Node:
    return node("TypeNode", module, name)


def a_list(*items: Node) -> Node:
    return node("ListNode", "builtins", "list", content=list(items))


def a_tuple(*items: Node) -> Node:
    return node("TupleNode", "builtins", "tuple", content=list(items))


def a_dict(types: Node | None = None, **items: Node) -> Node:
    keys = types or a_list(*(kind("builtins", "str") for _ in items))
    return node("DictNode", "builtins", "dict", content=items, key_types=keys)


def model(**attributes: Node) -> Node:
    """Return a fitted model with a payload among its attributes."""
    state = {
        "coef_": plain(1.0),
        "n_features_in_": plain(2),
        "_sklearn_version": plain("1.6.1"),
        **attributes,
    }
    return node(
        "ObjectNode", "sklearn.linear_model._base", "LinearRegression", content=a_dict(**state)
    )


def archive(schema: Node | str, members: dict[str, bytes] | None = None, **options: Any) -> bytes:
    """Return a skops file."""
    if isinstance(schema, dict):
        schema = json.dumps({"protocol": 2, "_skops_version": "0.16.0", **schema})
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as target:
        for name, data in (members or {}).items():
            target.writestr(name, data)
        target.writestr("schema.json", schema)
    return file.getvalue()


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[bytes], Path]:
    def save(data: bytes) -> Path:
        path = tmp_path / "model.skops"
        path.write_bytes(data)
        return path

    return save


def test_a_handwritten_file_is_read(saved: Callable[[bytes], Path]) -> None:
    facts = inspect(saved(archive(model())))
    assert (facts.estimator, facts.n_features) == ("LinearRegression", 2)
    assert dict(facts.libraries) == {"scikit-learn": "1.6.1"}
    assert facts.trusted == ("builtins.str", "sklearn.linear_model._base.LinearRegression")


def test_numpy_types_are_listed(saved: Callable[[bytes], Path]) -> None:
    """skops refuses to load files of its older releases unless these names are trusted."""
    array = node("NdArrayNode", "numpy", "ndarray", type="numpy", file="a.npy")
    dtype = node("DTypeNode", "numpy", "dtype", content=array)
    file = io.BytesIO()
    np.save(file, np.empty(0))
    facts = inspect(saved(archive(model(dtype=dtype), {"a.npy": file.getvalue()})))
    assert "numpy.dtype" in facts.trusted


ORDERED = {"__module__": "collections", "__class__": "OrderedDict"}
DANGEROUS = {
    "a function": node("FunctionNode", "os", "system"),
    "a function of protocol 0": node(
        "FunctionNode", "x", "y", content={"module_path": "os", "function": "system"}
    ),
    "a type": kind("subprocess", "Popen"),
    "a call": node("ConstructorFromReduceNode", "builtins", "eval", content=a_tuple(plain("1"))),
    "a call by reduce": node(
        "LossNode", "os", "system", __reduce__={"args": a_tuple(plain("x"))}, content=a_dict()
    ),
    "the type of a key": a_dict(a_list(kind("os", "system")), touch=plain(1)),
    "a dict": node("DictNode", "os", "system", content={}, key_types=a_list()),
    "a list": node("ListNode", "os", "system", content=[]),
    "a tuple": node("TupleNode", "os", "system", content=[plain("x")]),
    "an array": node("NdArrayNode", "os", "system", type="json", content=[], shape=a_tuple()),
    "an object": node("ObjectNode", "subprocess", "Popen", content=a_dict()),
    "an object whose state is no dict": node(
        "ObjectNode",
        "sklearn.feature_extraction.text",
        "CountVectorizer",
        content={**a_dict(input=plain("filename")), **ORDERED},
    ),
    "a partial of an OrderedDict": node(
        "PartialNode",
        "functools",
        "partial",
        content={
            "func": node("FunctionNode", "numpy", "clip"),
            "args": a_tuple(),
            "kwds": {**a_dict(out=plain(1)), **ORDERED},
            "namespace": plain(None),
        },
    ),
    "an operator": node("OperatorFuncNode", "operator", "methodcaller", attrs=a_tuple()),
    "a bit generator": node(
        "RandomGeneratorNode",
        "numpy.random._generator",
        "Generator",
        content={"bit_generator": a_dict(bit_generator=plain("seed")), "seed_seq": a_dict()},
    ),
    "a partial": node(
        "PartialNode",
        "functools",
        "partial",
        content={
            "func": node("FunctionNode", "os", "system"),
            **dict.fromkeys(("args", "kwds", "namespace"), a_tuple()),
        },
    ),
    "a dotted name": node("FunctionNode", "sklearn.os", "os.system"),
}


@pytest.mark.parametrize("payload", DANGEROUS.values(), ids=DANGEROUS.keys())
def test_dangerous_nodes_are_refused(payload: Node, saved: Callable[[bytes], Path]) -> None:
    with pytest.raises(RefusedFile) as refusal:
        inspect(saved(archive(model(payload_=payload))))
    assert refusal.value.code == "dangerous"


@pytest.mark.parametrize(
    ("payload", "unknown"),
    [
        (node("ObjectNode", "mylib", "Scorer", content=a_dict()), "mylib.Scorer"),
        # Known names that no saved model calls.
        (
            node("ConstructorFromReduceNode", "numpy", "ndarray", content=a_tuple(plain(1))),
            "numpy.ndarray",
        ),
        (
            node("TupleNode", "sklearn.pipeline", "Pipeline", content=[]),
            "sklearn.pipeline.Pipeline",
        ),
        (
            node(
                "MethodNode",
                "sklearn.linear_model._base",
                "LinearRegression",
                content={"obj": model(), "func": "fit"},
            ),
            "sklearn.linear_model._base.LinearRegression.fit",
        ),
    ],
)
def test_unknown_names_need_trust(
    payload: Node, unknown: str, saved: Callable[[bytes], Path]
) -> None:
    assert unknown in inspect(saved(archive(model(payload_=payload)))).unknown_names


def npy(header: str) -> bytes:
    text = header.encode("latin-1")
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def array_of(data: bytes) -> bytes:
    payload = node("NdArrayNode", "numpy", "ndarray", type="numpy", file="1.npy")
    return archive(model(payload_=payload), {"1.npy": data})


def flags(data: bytes, flag: int) -> bytes:
    """Return an archive whose last member claims to be encrypted."""
    place = data.rindex(b"PK\x01\x02") + 8
    return data[:place] + bytes([data[place] | flag]) + data[place + 1 :]


def misnamed(which: slice) -> bytes:
    """Break the UTF-8 of a member's name: before its content, in the directory, or in both."""
    before, middle, after = archive(model(), {"é.npy": b""}).split("é.npy".encode())
    names = ["é.npy".encode()] * 2
    names[which] = [b"\xff\xff.npy"] * len(names[which])
    return before + names[0] + middle + names[1] + after


def far_away() -> bytes:
    """Give a member a position that no file has."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        info = zipfile.ZipInfo("schema.json")
        info.extra = struct.pack("<HHQ", 1, 8, 2**64 - 1)  # a zip64 position
        zipped.writestr(info, json.dumps(model()))
    data = bytearray(file.getvalue())
    place = data.index(b"PK\x01\x02") + 42
    data[place : place + 4] = b"\xff" * 4
    return bytes(data)


def large(data: object) -> bytes:
    file = io.BytesIO()
    np.save(file, data)
    return file.getvalue()


CYCLE = {**a_list(), "__id__": 7}
CYCLE["content"] = [{"__id__": 7}]

BROKEN = {
    "no zip": lambda: b"PK\x03\x04" + b"schema.json" * 100,
    "cut": lambda: archive(model())[:-30],
    "bytes after its end": lambda: archive(model()) + b"\0",
    "no nodes": lambda: archive("[]"),
    "no json": lambda: archive("{"),
    "other text": lambda: archive('{"é": 1}'),
    "a protocol of tomorrow": lambda: archive({**model(), "protocol": 3}),
    "no protocol": lambda: archive({**model(), "protocol": True}),
    "an unknown loader": lambda: archive(node("SGDNode", "a", "b")),
    "an endless integer": lambda: archive(model(payload_={**plain(1), "content": "9" * 5000})),
    "a list as a plain value": lambda: archive(model(payload_={**plain(1), "content": "[]"})),
    "a member that is missing": lambda: archive(
        model(payload_=node("BytesNode", "builtins", "bytes", file="../../etc/passwd"))
    ),
    "a cycle": lambda: archive(model(payload_=CYCLE)),
    "a cached node of nothing": lambda: archive(
        model(payload_={**node("CachedNode", "a", "b"), "__id__": 5})
    ),
    "an id that is a list": lambda: archive(model(payload_={**plain(1), "__id__": []})),
    "names that are no UTF-8": lambda: misnamed(slice(0, 2)),
    "a name in the directory that is no UTF-8": lambda: misnamed(slice(1, 2)),
    "a position that is no position": far_away,
    "encrypted": lambda: flags(archive(model()), 1),
    "bz2": lambda: archive(model(), compression=zipfile.ZIP_BZIP2),
    "no array": lambda: array_of(b"x" * 100),
    "an array of objects": lambda: array_of(npy("{'descr': '|O', 'shape': (1,)}")),
    "an array without end": lambda: array_of(npy("{'descr': '<f8', 'shape': (9,)}")),
    "an array of code": lambda: array_of(npy("__import__('os').system('x')")),
    "a deep header": lambda: array_of(npy("(" * 9000)),
    "nested deeply": lambda: archive(
        '{"protocol": 2, "content": ' + '{"content": ' * 100_000 + "1" + "}" * 100_001
    ),
    "nested nodes": lambda: archive(model(payload_=nested(300))),
}


def nested(depth: int) -> Node:
    found = a_list()
    for _ in range(depth):
        found = a_list(found)
    return found


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused(name: str, saved: Callable[[bytes], Path]) -> None:
    with pytest.raises(RefusedFile) as refusal:
        inspect(saved(BROKEN[name]()))
    assert refusal.value.code in ("malformed", "unsupported", "archive")
    assert "\n" not in str(refusal.value)


DEFLATED = {"compression": zipfile.ZIP_DEFLATED}


def test_a_pickle_called_skops_is_refused(saved: Callable[[bytes], Path]) -> None:
    """Old releases of skops loaded such a file with joblib, without a warning."""
    with pytest.raises(RefusedFile, match="not written by skops"):
        inspect(saved(pickle.dumps({"a": 1})))


BOMBS = {
    "a schema of 100 MB": lambda: archive(" " * (100 << 20), **DEFLATED),
    "a schema of lists": lambda: archive("[" + "[]," * 7_000_000 + "[]]", **DEFLATED),
    "a schema of numbers": lambda: archive("[" + "1234567," * 2_900_000 + "1]", **DEFLATED),
    "a schema of wide text": lambda: archive(
        '["' + "\\ud83d\\ude00" + "a" * (23 << 20) + '"]', **DEFLATED
    ),
    "a schema of nodes": lambda: archive(
        json.dumps({"protocol": 2, **a_list(*[plain(1)] * 190_000)}), **DEFLATED
    ),
    "a member of 260 MB": lambda: archive(
        model(payload_=node("BytesNode", "builtins", "bytes", file="1.bin")),
        {"1.bin": bytes(260 << 20)},
        **DEFLATED,
    ),
    "an array of 2**60": lambda: array_of(npy("{'descr': '<f8', 'shape': (1152921504606846976,)}")),
    "many members": lambda: archive(model(), {f"{n}.npy": b"" for n in range(20_000)}),
    "more members": lambda: archive(model(), {f"{n}.npy": b"" for n in range(70_000)}),
}
CHILD = """
import sys
from pathlib import Path
from workbench.inspect import RefusedFile, inspect
try:
    inspect(Path(sys.argv[1]))
    print("read")
except RefusedFile as refusal:
    print(refusal.code)
"""


def limit_resources() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (3, 3))  # 2 s, with a margin for slow machines
    resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_stay_within_limits(name: str, saved: Callable[[bytes], Path]) -> None:
    child = subprocess.run(
        [sys.executable, "-B", "-c", CHILD, str(saved(BOMBS[name]()))],
        env={"PYTHONPATH": str(Path(package.__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=limit_resources,
        check=False,
    )
    assert child.stderr == ""
    assert child.stdout.strip() in ("too_big", "malformed", "not_a_model", "read")


def test_damaged_files_end_in_facts_or_a_refusal(saved: Callable[[bytes], Path]) -> None:
    data = (FILES / "skops-0.16.0-columns.skops").read_bytes()
    random = np.random.RandomState(0)
    for _ in range(300):
        damaged = bytearray(data)
        for place in random.randint(0, len(data), size=3):
            damaged[place] = random.randint(256)
        with contextlib.suppress(RefusedFile):
            inspect(saved(bytes(damaged)))
