"""Find out which Pythons can run a pickled code object, and which names it uses; nothing is run.

CPython's bytecode changes with every minor version, and a code object does not record its version.
But each version has its own opcodes and its own number of inline cache entries after each of them,
so bytecode of one version is invalid in another, except in functions so short that both agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workbench.inspect.pickle.values import PickledCode
from workbench.inspect.refused_file import RefusedFile, malformed

MAX_CODE_BYTES = 64 << 10  # the longest function of the standard library has 10 kB
UNIT = 2  # bytes of an instruction: an opcode and an argument
# Number of arguments of CodeType: Python 3.11 added the qualified name and the exception table.
OLD_FIELDS, FIELDS = 16, 18
NO_PYTHON = RefusedFile(
    "unsupported",
    "The file holds code that was pickled by a Python other than 3.10 to 3.14.",
    "Fit and save the model with one of these.",
)


@dataclass(frozen=True)
class BytecodeVersion:
    """The opcodes of one Python version that matter here."""

    resume: int | None  # every function begins with it, since 3.11
    extended_arg: int
    load_global: int
    load_name: int
    import_name: int
    global_shift: int = 1  # since 3.11 the lowest bit of LOAD_GLOBAL's argument is a flag
    # By opcode, the number of cache entries that follow it, in hexadecimal, or a point if there is
    # no such opcode. Code fits a version without this table only if it fits no other version.
    caches: str = ""


VERSIONS: Mapping[str, BytecodeVersion] = {
    "3.10": BytecodeVersion(None, 144, 116, 101, 108, global_shift=0),
    "3.11": BytecodeVersion(
        *(151, 144, 116, 101, 108),
        caches=".00......0000..0.........4....0000.000...........000000.....10......0000..00......00"
        "00000000100400000000004200000.0050000.10000.0000000000000.0.000000.00..000..a.00001."
        "...400000",
    ),
    "3.12": BytecodeVersion(
        *(151, 144, 116, 101, 108),
        caches=".00000...0.00..0.........100..0000.000...........0000000....10......00.0..00.......0"
        ".0.0.0001104000000000091000...0040000011000000000000000001000000.0000..000....0000.....30"
        "0000",
    ),
    "3.13": BytecodeVersion(
        *(149, 71, 91, 92, 75),
        caches=".00.0100000000000.0000000000000000000001300001000000030000110000000000.0100001000090"
        "00000004010001111000100040000000010..............................0",
    ),
    "3.14": BytecodeVersion(128, 69, 92, 93, 73),
}


def read_code(args: tuple[object, ...]) -> PickledCode:
    """Read the arguments of `types.CodeType`."""
    if len(args) not in (OLD_FIELDS, FIELDS):
        raise NO_PYTHON
    code, names, name, lines = args[6], args[8], args[11], args[-4 if len(args) == FIELDS else -3]
    if not isinstance(code, bytes) or len(code) > MAX_CODE_BYTES or len(code) % UNIT:
        raise malformed("the code of a function is unreadable")
    if not isinstance(lines, bytes):
        raise malformed("the code of a function is unreadable")
    if not isinstance(names, tuple) or type(name) is not str:
        raise malformed("the code of a function is unreadable")
    texts = tuple(text for text in names if type(text) is str)
    if len(texts) != len(names):
        raise malformed("the code of a function is unreadable")
    pythons = tuple(_pythons(code, lines, len(args)))
    if not pythons:
        raise NO_PYTHON
    # If the code fits several Pythons, they read the same names from it.
    globals_, imports = _looked_up(code, texts, VERSIONS[pythons[0]])
    return PickledCode(name, pythons, globals_, imports, texts, len(code))


def _pythons(code: bytes, lines: bytes, fields: int) -> Iterator[str]:
    """Yield the Pythons that can have written this code."""
    if fields == OLD_FIELDS:
        # The line table of 3.10 covers all of the code; earlier ones leave out the last line.
        if sum(lines[::2]) == len(code):
            yield "3.10"
        return
    candidates = [
        (python, version.caches)
        for python, version in VERSIONS.items()
        if version.resume is not None and (version.resume, 0) in _units(code)
    ]
    found = [python for python, caches in candidates if caches and _fits(code, caches)]
    yield from found or (python for python, caches in candidates if not caches)


def _units(code: bytes) -> Iterator[tuple[int, int]]:
    """Return the pairs of an opcode and the low byte of its argument."""
    return zip(code[::UNIT], code[1::UNIT], strict=True)


def _fits(code: bytes, caches: str) -> bool:
    """Return whether all opcodes exist and have exactly the cache entries that belong to them."""
    expected = 0
    for opcode in code[::UNIT]:
        if (opcode == 0) != (expected > 0):
            return False
        if opcode == 0:
            expected -= 1
        elif opcode < len(caches) and caches[opcode] != ".":
            expected = int(caches[opcode], 16)
        else:
            return False
    return expected == 0


def _looked_up(
    code: bytes, names: tuple[str, ...], version: BytecodeVersion
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the globals that the code looks up, and the modules that it imports."""
    globals_: list[str] = []
    imports: list[str] = []
    extended = 0
    for opcode, low in _units(code):
        argument = extended << 8 | low
        extended = argument if opcode == version.extended_arg else 0
        if opcode in (version.load_global, version.load_name, version.import_name):
            shift = version.global_shift if opcode == version.load_global else 0
            if argument >> shift >= len(names):
                raise malformed("the code of a function is unreadable")
            found = imports if opcode == version.import_name else globals_
            found.append(names[argument >> shift])
    return tuple(globals_), tuple(imports)
