"""Which Pythons can run a pickled code object, and which names it looks up; nothing is run.

CPython's bytecode changes with every minor version, and a code object does not say which one made
it. But each version has opcodes of its own and leaves room behind them for its caches, so what
was made for one cannot be read as another's, except for functions so short that both agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workbench.inspect.errors import Refused, malformed
from workbench.inspect.pickle.values import PickledCode

LONGEST_CODE = 64 << 10  # the longest function of the standard library has 10 kB
UNIT = 2  # bytes of an instruction: an opcode and an argument
# Of the arguments of CodeType. Python 3.11 added the qualified name and the exception table.
OLD_FIELDS, FIELDS = 16, 18
NO_PYTHON = Refused(
    "unsupported",
    "The file holds code that was pickled by a Python other than 3.10 to 3.14.",
    "Fit and save the model with one of these.",
)


@dataclass(frozen=True)
class Dialect:
    """The opcodes of one Python that matter here."""

    resume: int | None  # every function begins with it, since 3.11
    extended_arg: int
    load_global: int
    load_name: int
    import_name: int
    global_shift: int = 1  # since 3.11 the lowest bit of the argument means something else
    # By opcode, how many units of cache follow, in hexadecimal; a point where there is no such
    # opcode. Without it a code is only taken for this Python's if it is no other's.
    caches: str = ""


DIALECTS: Mapping[str, Dialect] = {
    "3.10": Dialect(None, 144, 116, 101, 108, global_shift=0),
    "3.11": Dialect(
        *(151, 144, 116, 101, 108),
        caches=".00......0000..0.........4....0000.000...........000000.....10......0000..00......00"
        "00000000100400000000004200000.0050000.10000.0000000000000.0.000000.00..000..a.00001."
        "...400000",
    ),
    "3.12": Dialect(
        *(151, 144, 116, 101, 108),
        caches=".00000...0.00..0.........100..0000.000...........0000000....10......00.0..00.......0"
        ".0.0.0001104000000000091000...0040000011000000000000000001000000.0000..000....0000.....30"
        "0000",
    ),
    "3.13": Dialect(
        *(149, 71, 91, 92, 75),
        caches=".00.0100000000000.0000000000000000000001300001000000030000110000000000.0100001000090"
        "00000004010001111000100040000000010..............................0",
    ),
    "3.14": Dialect(128, 69, 92, 93, 73),
}


def read_code(args: tuple[object, ...]) -> PickledCode:
    """Read the arguments of `types.CodeType`."""
    if len(args) not in (OLD_FIELDS, FIELDS):
        raise NO_PYTHON
    code, names, name, lines = args[6], args[8], args[11], args[-4 if len(args) == FIELDS else -3]
    if not isinstance(code, bytes) or len(code) > LONGEST_CODE or len(code) % UNIT:
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
    # Where two Pythons read the same code, they read the same names.
    globals_, imports = _looked_up(code, texts, DIALECTS[pythons[0]])
    return PickledCode(name, pythons, globals_, imports, texts, len(code))


def _pythons(code: bytes, lines: bytes, fields: int) -> Iterator[str]:
    """Yield the Pythons that would have written this code."""
    if fields == OLD_FIELDS:
        # The table of 3.10 covers all of the code, and that of Pythons before not its last line.
        if sum(lines[::2]) == len(code):
            yield "3.10"
        return
    begins = [
        (python, dialect.caches)
        for python, dialect in DIALECTS.items()
        if dialect.resume is not None and bytes((dialect.resume, 0)) in _units(code)
    ]
    found = [python for python, caches in begins if caches and _fits(code, caches)]
    yield from found or (python for python, caches in begins if not caches)


def _units(code: bytes) -> Iterator[bytes]:
    return (code[start : start + UNIT] for start in range(0, len(code), UNIT))


def _fits(code: bytes, caches: str) -> bool:
    """Say whether all opcodes exist, with exactly the caches that belong to them."""
    expected = 0
    for unit in _units(code):
        opcode = unit[0]
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
    code: bytes, names: tuple[str, ...], dialect: Dialect
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names that the code looks up as globals, and those of modules it imports."""
    globals_: list[str] = []
    imports: list[str] = []
    extended = 0
    for opcode, low in _units(code):
        argument = extended << 8 | low
        extended = argument if opcode == dialect.extended_arg else 0
        if opcode in (dialect.load_global, dialect.load_name, dialect.import_name):
            shift = dialect.global_shift if opcode == dialect.load_global else 0
            if argument >> shift >= len(names):
                raise malformed("the code of a function is unreadable")
            found = imports if opcode == dialect.import_name else globals_
            found.append(names[argument >> shift])
    return tuple(globals_), tuple(imports)
