"""Hostile files are refused, run nothing, and take little time and memory."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import json
import lzma
import os
import pickle
import resource
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegression

import workbench.inspect as package
from workbench.inspect import RefusedFile, inspect

CANARY = "canary"
# Of the processor for both readings of a file, and of address space.
SECONDS, MEMORY = 4, 300 << 20
# Real files of half a million words take all the steps that there are, and so may others: one to
# three seconds alone on a machine of two cores, and more where others compute beside it.
SECONDS_OF_ALL_STEPS = 8
SHELL = f"touch {CANARY}"


class Run:
    """Runs a shell command when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (SHELL,)


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def call(module: str, name: str, *arguments: str) -> bytes:
    """Return opcodes that call a function with texts."""
    return text(module) + text(name) + b"\x93(" + b"".join(map(text, arguments)) + b"tR"


def model() -> LogisticRegression:
    return LogisticRegression().fit([[0.0], [1.0]], [0, 1])


def model_with(value: object) -> LogisticRegression:
    """Return a model with a payload among its attributes."""
    carrier = model()
    carrier.payload_ = value
    return carrier


def joblib_bytes(value: object, **options: object) -> bytes:
    file = io.BytesIO()
    joblib.dump(value, file, **options)
    return file.getvalue()


def objects_with(value: object) -> np.ndarray:
    array = np.empty(1, dtype=object)
    array[0] = value
    return array


def wrapper(state: bytes) -> bytes:
    """Return opcodes that make joblib's array wrapper with the given state."""
    return text("joblib.numpy_pickle") + text("NumpyArrayWrapper") + b"\x93)\x81" + state + b"b"


DTYPE = (
    text("numpy") + text("dtype") + b"\x93" + text("u1") + b"\x89\x88\x87R"
    b"(K\x03" + text("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)
ARRAY_STATE = (
    b"}("
    + text("subclass")
    + text("numpy")
    + text("ndarray")
    + b"\x93"
    + text("shape")
    + b"K\x02\x85"
    + text("order")
    + text("C")
    + text("dtype")
    + DTYPE
    + text("allow_mmap")
    + b"\x89"
)
PLAIN_ARRAY = wrapper(ARRAY_STATE + b"u")
PROTO4, STOP = b"\x80\x04", b"."
SYSTEM = call("posix", "system", SHELL)


def framed(body: bytes) -> bytes:
    return b"\x95" + struct.pack("<Q", len(body)) + body


def named(module: str, name: str) -> bytes:
    """Return opcodes that refer to a function."""
    return text(module) + text(name) + b"\x93"


def partial_of(module: str, name: str, rest: bytes = b")}N", other: bytes = b"") -> bytes:
    """Return opcodes that make a partial of a function and set its state as Python does."""
    function = named(module, name)
    return named("functools", "partial") + function + b"\x85R(" + (other or function) + rest + b"tb"


# Files that would run a command, or that mislead about what a loader would do.
PAYLOADS: dict[str, bytes] = {
    "reduce": pickle.dumps(Run()),
    "reduce, protocol 0": pickle.dumps(Run(), 0),
    "in a model": pickle.dumps(model_with(Run())),
    "in a joblib model": joblib_bytes(model_with(Run())),
    "in a compressed model": joblib_bytes(model_with(Run()), compress=3),
    "in an object array of joblib": joblib_bytes(model_with(objects_with(Run()))),
    "in an object array in an object array": joblib_bytes(
        model_with(objects_with(objects_with(Run())))
    ),
    "in an object array of pickle": pickle.dumps(model_with(objects_with(Run()))),
    "as a key": pickle.dumps({Run(): 1}),
    "dropped from the stack": PROTO4 + SYSTEM + b"0" + pickle.dumps(model())[2:],
    "dropped with a mark": PROTO4 + b"(" + SYSTEM + b"1N" + STOP,
    "INST": b"(S'" + SHELL.encode() + b"'\nios\nsystem\n.",
    "INST with text": b"(V" + SHELL.encode() + b"\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nV" + SHELL.encode() + b"\no.",
    "DUP": PROTO4 + b"N20" + STOP,
    "NEWOBJ": PROTO4 + text("posix") + text("system") + b"\x93" + text(SHELL) + b"\x85\x81.",
    "NEWOBJ_EX": PROTO4
    + text("subprocess")
    + text("Popen")
    + b"\x93"
    + text(SHELL)
    + b"\x85}\x92.",
    "Python 2's name": b"\x80\x02ccommands\ngetoutput\n" + b"X\x04\x00\x00\x00true\x85R.",
    "a dotted name": PROTO4 + call("sklearn", "os.system", SHELL) + STOP,
    "eval": PROTO4 + call("builtins", "eval", "1") + STOP,
    "getattr": PROTO4 + call("builtins", "getattr", "a", "b") + STOP,
    "a computed name": PROTO4
    + call("_codecs", "encode", "posix", "latin1")
    + text("system")
    + b"\x93.",
    "a computed function": PROTO4 + call("numpy", "abs", "x") + b")R.",
    "a computed class": PROTO4 + call("numpy", "abs", "x") + b")\x81.",
    "a codec": PROTO4 + call("_codecs", "encode", "x", "zip") + STOP,
    "a memo that is overwritten": PROTO4
    + text("math")
    + b"q\x00"
    + text("posix")
    + b"q\x000"
    + b"h\x00"
    + text("system")
    + b"\x93"
    + text(SHELL)
    + b"\x85R.",
    "a patched class": PROTO4 + text("sklearn.pipeline") + text("Pipeline") + b"\x93}b.",
    "through numpy.random": PROTO4
    + text("numpy.random._pickle")
    + text("__randomstate_ctor")
    + b"\x93"
    + text("x")
    + text("numpy")
    + text("abs")
    + b"\x93\x86R.",
    "through pandas": PROTO4
    + text("pandas.core.indexes.base")
    + text("_new_Index")
    + b"\x93"
    + text("numpy")
    + text("memmap")
    + b"\x93}\x86R.",
    "through copyreg": PROTO4
    + text("copyreg")
    + text("_reconstructor")
    + b"\x93("
    + text("sklearn.pipeline")
    + text("Pipeline")
    + b"\x93"
    + text("numpy")
    + text("memmap")
    + b"\x93"
    + text(CANARY)
    + b"tR.",
    "a partial of a command": pickle.dumps(partial(os.system, SHELL)),
    "a partial of a command in a model": pickle.dumps(model_with(partial(os.system, SHELL))),
    "a partial of what a loader calls": pickle.dumps(partial(codecs.encode, SHELL)),
    "a partial of a constructor": PROTO4 + partial_of("builtins", "bytearray") + STOP,
    "a partial of partial": PROTO4 + partial_of("functools", "partial") + STOP,
    "a partial that is exchanged": PROTO4
    + partial_of("numpy", "abs", other=named("numpy", "memmap"))
    + STOP,
    "a partial with attributes": PROTO4 + partial_of("numpy", "abs", b")}}") + STOP,
    "a partial with an odd state": PROTO4 + partial_of("numpy", "abs", b")") + STOP,
    "a partial of more than a function": PROTO4 + call("functools", "partial", "numpy", "x") + STOP,
    "a partial of nothing": PROTO4 + named("functools", "partial") + b")R.",
    "a partial that is only made": PROTO4 + named("functools", "partial") + b")\x81.",
    "a partial through copyreg": PROTO4
    + (named("copyreg", "_reconstructor") + b"(" + named("functools", "partial"))
    + (named("builtins", "object") + b"NtR."),
    "a partial that is called": PROTO4 + partial_of("numpy", "abs") + text("x") + b"\x85R.",
    "a partial through numpy.random": PROTO4
    + (named("numpy.random._pickle", "__randomstate_ctor") + text("MT19937"))
    + (partial_of("numpy", "abs") + b"\x86R."),
    "an array in an open frame": PROTO4 + framed(PLAIN_ARRAY + b"\x00\x00N0.") + b"xx" + SYSTEM,
    "an array in a nested pickle": PROTO4
    + wrapper(ARRAY_STATE.replace(text("u1"), text("O8")).replace(b"K\x00tb", b"K\x3ftb") + b"u")
    + PROTO4
    + PLAIN_ARRAY
    + b"\x00\x00."
    + STOP,
    "a wrapper that reads by itself": PROTO4
    + wrapper(ARRAY_STATE + text("read") + text("posix") + text("system") + b"\x93u")
    + b"\x00\x00.",
    "a wrapper that is called": PROTO4
    + text("joblib.numpy_pickle")
    + text("NumpyArrayWrapper")
    + b"\x93(NK\x02NtR"
    + ARRAY_STATE
    + b"ub\x00\x00.",
    "a dtype that hides objects": PROTO4
    + wrapper(ARRAY_STATE.replace(text("u1"), text("O8")) + b"u")
    + b"\x00" * 16
    + STOP,
    "bytes after the end": pickle.dumps(model()) + pickle.dumps(Run()),
    "garbage after a payload": pickle.dumps(Run())[:-1] + b"\xff\xff",
    "a second protocol": PROTO4 + b"\x80\x02N.",
    "a frame in a frame": PROTO4 + framed(b"N" + framed(b"0") + b"N.") + STOP,
    "an end inside a frame": PROTO4 + framed(b"N.N."),
    "a value across frames": PROTO4 + framed(b"\x8c\x05ab") + b"cde.",
    "values left behind": PROTO4 + b"NN.",
    "an append to a tuple": PROTO4 + b")Na.",
    "a persistent id": b"Pid\n.",
    "an extension code": PROTO4 + b"\x82\x01.",
    "a buffer outside": b"\x80\x05\x97.",
    "protocol 6": b"\x80\x06N.",
}


# The content decides, whatever the file is called.
SUFFIXES = " .pkl .joblib .skops .zip .gz .json .txt .ubj .cbm .bin .npy .h5 .onnx .p".split(" ")


@pytest.mark.parametrize("name", PAYLOADS)
def test_payloads_are_refused_and_never_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for suffix in SUFFIXES:
        path = tmp_path / f"model{suffix}"
        path.write_bytes(PAYLOADS[name])
        with pytest.raises(RefusedFile):
            inspect(path)
    assert not (tmp_path / CANARY).exists()


def test_a_payload_runs_when_it_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that the canary file would appear if a payload were loaded."""
    monkeypatch.chdir(tmp_path)
    pickle.loads(PAYLOADS["reduce"])
    assert (tmp_path / CANARY).exists()


NEED_TRUST = [
    # opcodes that call what may only be referred to, the name that is told
    (call("lightgbm_like.basic", "Booster", "x"), "lightgbm_like.basic.Booster"),
    (call("numpy", "abs", "x"), "numpy.abs"),
    (text("numpy") + text("memmap") + b"\x93" + text("x") + b"\x85\x81", "numpy.memmap"),
    (call("my_module", "helper", "x"), "my_module.helper"),
    (partial_of("my_module", "helper"), "my_module.helper"),
    (partial_of("collections", "Counter"), "collections.Counter"),
]


@pytest.mark.parametrize(("opcodes", "name"), NEED_TRUST)
def test_calls_that_need_trust(opcodes: bytes, name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(PROTO4 + opcodes + b"0" + pickle.dumps(model(), 4)[2:])
    assert inspect(path).unknown_names == (name,)


def test_a_partial_of_a_known_function_needs_no_trust(tmp_path: Path) -> None:
    """Histogram boosting has one, and so have score functions with a fixed argument."""
    for function in (partial(mutual_info_classif, random_state=0), partial(np.clip, a_min=0)):
        for protocol in range(6):
            path = tmp_path / "model.pkl"
            path.write_bytes(pickle.dumps(model_with(function), protocol))
            assert inspect(path).unknown_names == ()


ZEROS = bytes(64 << 20)


def shared(inner: list[object], times: int) -> list[object]:
    """Return nested lists, each of which holds the next one 300 times."""
    return shared([inner] * 300, times - 1) if times else inner


BOMBS: dict[str, Callable[[], bytes]] = {
    "text of 2**40": lambda: PROTO4 + b"\x8d" + struct.pack("<Q", 1 << 40),
    "bytes of 2**63": lambda: PROTO4 + b"\x8e" + struct.pack("<Q", 1 << 63),
    "bytes of 2**63 in a frame": lambda: (
        PROTO4 + framed(b"\x8e" + struct.pack("<Q", 1 << 63) + bytes(100))
    ),
    "frame of 2**40": lambda: PROTO4 + b"\x95" + struct.pack("<Q", 1 << 40),
    "integer of 2**31": lambda: PROTO4 + b"\x8b" + struct.pack("<i", (1 << 31) - 1),
    "array of 2**40": lambda: (
        PROTO4
        + wrapper(
            ARRAY_STATE.replace(
                b"K\x02\x85", b"\x8a\x06" + (1 << 40).to_bytes(6, "little") + b"\x85"
            )
            + b"u"
        )
    ),
    "bytearray of 2**40": lambda: (
        PROTO4
        + text("builtins")
        + text("bytearray")
        + b"\x93\x8a\x06"
        + (1 << 40).to_bytes(6, "little")
        + b"\x85R."
    ),
    "memo index 2**32": lambda: PROTO4 + b"Nr\xff\xff\xff\xff.",
    "memo line": lambda: b"Np999999999\n.",
    "digits": lambda: b"I" + b"9" * 5_000_000 + b"\n.",
    "endless line": lambda: b"V" + b"a" * 40_000_000,
    "doublings of a tuple": lambda: (
        PROTO4
        + b"N\x94"
        + b"".join(b"h" + bytes([n]) + b"h" + bytes([n]) + b"\x86\x94" for n in range(60))
        + STOP
    ),
    "doublings as a base": lambda: (
        PROTO4
        + b")\x940"
        + b"".join(b"h" + bytes([n]) + b"h" + bytes([n]) + b"\x86\x940" for n in range(60))
        + (text("copyreg") + text("_reconstructor") + b"\x93")
        + (text("numpy") + text("abs") + b"\x93h\x3cN\x87R.")
    ),
    "a deep tuple": lambda: PROTO4 + b"N" + b"\x85" * 100_000 + STOP,
    "nested lists": lambda: PROTO4 + b"](" * 1_000_000,
    "nested pickles": lambda: (
        PROTO4
        + wrapper(
            ARRAY_STATE.replace(text("u1"), text("O8")).replace(b"K\x00tb", b"K\x3ftb") + b"u"
        )
        * 10_000
    ),
    "512 MB in zlib": lambda: zlib.compress(
        PROTO4 + b"\x8e" + struct.pack("<Q", 1 << 40) + ZEROS * 8, 9
    ),
    "zeros in gzip": lambda: gzip.compress(ZEROS * 4, 9),
    "zeros in bz2": lambda: bz2.compress(PROTO4 + b"\x8e" + struct.pack("<Q", 1 << 40) + ZEROS * 2),
    "zeros in xz": lambda: lzma.compress(PROTO4 + b"\x8e" + struct.pack("<Q", 1 << 40) + ZEROS * 2),
    "gzip in gzip": lambda: gzip.compress(gzip.compress(ZEROS)),
    "a list in lists": lambda: pickle.dumps(shared([None], 6)),
    "long lists of texts": lambda: pickle.dumps([list("ab" * 20_000)] * 3000),
    "a dictionary of 1 GB": lambda: b"]\x00\x00\x00\x40" + b"\xff" * 8 + bytes(100),
}
MANY = 5_600_000
# What a file begins with, and what it repeats until no operation is left.
STEPS: dict[str, tuple[bytes, bytes]] = {
    "marks": (PROTO4, b"("),
    "dicts": (PROTO4, b"}"),
    "nothing": (PROTO4, b"N0"),
    "integers": (b"", b"I1\n0"),
    "memo lines": (b"N", b"p0\n"),
    "names": (b"", b"cnumpy\nabs\n0"),
    "names on the stack": (
        PROTO4 + text("numpy") + b"\x94" + text("abs") + b"\x94",
        b"h\0h\1\x930",
    ),
    "empty frames": (PROTO4, framed(b"")),
    "calls": (PROTO4 + named("builtins", "bytearray") + b"\x94", b"h\0)R0"),
}
MUTANTS = Path(__file__).with_name("mutants.py")
LARGE = 200_000  # bytes, of which mutants take long to write
REFUSALS = frozenset(
    "bomb dangerous empty malformed not_a_model text too_big truncated unsupported".split()
)
CHILD = """
import sys
from pathlib import Path
from workbench.inspect import RefusedFile, bundle_of, inspect, read_document
try:
    bundle_of(read_document(Path(sys.argv[1])).root)
    inspect(Path(sys.argv[1]))
except RefusedFile as refusal:
    print(refusal.code)
"""


def limit_resources(seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


@pytest.mark.parametrize("name", [*BOMBS, *STEPS])
def test_bombs_stay_within_limits(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.pkl"
    start, step = STEPS.get(name, (b"", b""))
    path.write_bytes(start + step * MANY if step else BOMBS[name]())
    seconds = SECONDS_OF_ALL_STEPS if step else SECONDS
    child = subprocess.run(
        [sys.executable, "-B", "-c", CHILD, str(path)],
        env={"PYTHONPATH": str(Path(package.__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=partial(limit_resources, seconds),
        check=False,
    )
    assert child.stderr == ""
    said = child.stdout.strip()
    assert said == "too_big" if step else said in REFUSALS - {"empty"}


@pytest.mark.parametrize("seed", range(2))
def test_mutants_stay_within_limits(seed: int, tmp_path: Path) -> None:
    """A mutant of a hostile or a good file ends in facts or a refusal, and runs nothing."""
    good = [*(pickle.dumps(model(), protocol) for protocol in range(6)), joblib_bytes(model())]
    small = [data for make in BOMBS.values() if len(data := make()) < LARGE]
    for number, data in enumerate([*good, *PAYLOADS.values(), *small]):
        (tmp_path / f"seed-{number:03}").write_bytes(data)
    child = subprocess.run(
        [sys.executable, "-B", MUTANTS, tmp_path, "20", str(seed)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(package.__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert child.stderr == ""
    assert child.returncode == 0
    assert set(json.loads(child.stdout)["outcomes"]) <= {*REFUSALS, "facts"}
    assert not (tmp_path / CANARY).exists()
