"""A pickle machine that only describes: it imports nothing and calls nothing from the file.

It decodes each opcode itself, as `pickle._Unpickler` would, and refuses whatever Python's own
pickler never writes, since a file that needs such a thing was made to mislead its readers.
"""

from __future__ import annotations

import math
import re
import struct
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pickletools import opcodes

from workbench.inspect.errors import Refused, dangerous, malformed
from workbench.inspect.estimators.statsmodels_results import check_state
from workbench.inspect.pickle.arrays import build_array, build_dtype, read_shape
from workbench.inspect.pickle.budget import Budget
from workbench.inspect.pickle.pickled_code import REDUCERS as CODE_REDUCERS
from workbench.inspect.pickle.pickled_code import Made, cost_of
from workbench.inspect.pickle.reader import Reader
from workbench.inspect.pickle.reducers import PARTIAL, REDUCERS
from workbench.inspect.pickle.values import (
    Array,
    Blob,
    Dict,
    DType,
    Function,
    Global,
    Instance,
    Set,
)

HIGHEST_PROTOCOL = 5
DEEPEST_NESTING = 20  # pickles inside object arrays inside pickles
LONGEST_INTEGER = 64  # bytes; the state of a random generator takes 17
OBJECT_COST, INSTANCE_COST = 80, 200  # bytes of memory that even a small one takes

LINE_COST, FRAME_COST, NAME_COST = 2, 2, 2  # operations, besides the one that every opcode is

PARTIAL_STATE_LENGTH = 4  # function, arguments, keywords, __dict__

JOBLIB_WRAPPER = Global("joblib.numpy_pickle", "NumpyArrayWrapper")
JOBLIB_ALIGNMENT = "numpy_array_alignment_bytes"  # from joblib 1.2
JOBLIB_KEYS = {"subclass", "shape", "order", "dtype", "allow_mmap", JOBLIB_ALIGNMENT}
NDARRAY_NAMES = frozenset(("ndarray", "memmap", "matrix"))

INTEGER_LINE = re.compile(rb"-?\d{1,150}L?")
MEMO_LINE = re.compile(rb"\d{1,9}")


@dataclass
class Trace:
    """What a loader would have looked up, called and met while it read the file."""

    names: set[Global] = field(default_factory=set)
    called: set[Global] = field(default_factory=set)
    wrapped: set[Global] = field(default_factory=set)  # functions that a partial would call
    made: list[Made] = field(default_factory=list)  # from code in the file
    protocol: int = 0
    joblib_arrays: int = 0


class PickleInterpreter:
    """Read one pickle from `reader`; pickles nested in it share its trace and its budget."""

    def __init__(self, reader: Reader, trace: Trace, budget: Budget, depth: int = 0) -> None:
        if depth > DEEPEST_NESTING:
            raise malformed("pickles are nested too deeply")
        self.reader = reader
        self.take = reader.take
        self.trace = trace
        self.budget = budget
        self.depth = depth
        self.protocol = 0
        self.stack: list[object] = []
        self.marks: list[int] = []  # heights of the stack at each MARK
        self.memo: list[object] = []

    def run(self) -> object:
        """Return the value that the pickle describes."""
        take = self.take
        code = self._read_protocol()
        for _ in self.budget.operations:
            if code == STOP:
                break
            handler = HANDLERS.get(code)
            if handler is None:
                raise malformed(f"byte 0x{code.hex()} is no pickle opcode")
            handler(self)
            code = take(1)
        else:
            raise self.budget.exhausted()
        value = self.pop()
        if self.stack or self.marks:
            raise malformed("it leaves values behind")
        if not self.reader.at_frame_end():
            raise malformed("it stops inside a frame")
        if self.depth == 0:
            self.trace.protocol = self.protocol
        return value

    def _read_protocol(self) -> bytes:
        """Return the first opcode after the protocol, which Python writes only at the start."""
        code = self.take(1)
        if code == PROTO:
            self.protocol = self.number(1)
            if self.protocol > HIGHEST_PROTOCOL:
                raise malformed(f"it claims protocol {self.protocol}")
            code = self.take(1)
        return code

    # The stack, the marks and the memo.

    def push(self, value: object) -> None:
        self.stack.append(value)

    def keep(self, value: object, size: int = OBJECT_COST) -> None:
        """Push a value that costs memory."""
        self.budget.keep(size)
        self.stack.append(value)

    def pop(self) -> object:
        self.require(1)
        return self.stack.pop()

    def top(self) -> object:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise malformed("it takes a value that is not there")
        return self.stack[-1]

    def require(self, count: int) -> None:
        """Check that so many values lie above the last mark."""
        if len(self.stack) - count < (self.marks[-1] if self.marks else 0):
            raise malformed("it takes a value that is not there")

    def pop_to_mark(self) -> list[object]:
        if not self.marks:
            raise malformed("a mark is missing")
        height = self.marks.pop()
        values = self.stack[height:]
        del self.stack[height:]
        return values

    def pop_or_unmark(self) -> None:
        stack, marks = self.stack, self.marks
        if marks and marks[-1] == len(stack):
            marks.pop()
        elif stack:
            stack.pop()
        else:
            raise malformed("it takes a value that is not there")

    def memoize(self) -> None:
        self.require(1)
        self.memo.append(self.stack[-1])

    def store(self, index: int) -> None:
        """Memoize the top of the stack; an index may be overwritten but not left out."""
        value = self.top()
        if index == len(self.memo):
            self.memo.append(value)
        elif index < len(self.memo):
            self.memo[index] = value
        else:
            raise malformed("the memo has gaps")

    def store_short(self) -> None:
        self.protocol = self.protocol or 1  # which has no opcode of its own to say so
        self.store(self.take(1)[0])

    def fetch(self, index: int) -> None:
        if index >= len(self.memo):
            raise malformed("it refers to a value that was never memoized")
        self.stack.append(self.memo[index])

    # Numbers, text and bytes.

    def line(self) -> bytes:
        """Read a line, as protocol 0 has them; it takes as long as some other opcodes."""
        self.budget.spend(LINE_COST)
        return self.reader.line()

    def open_frame(self) -> None:
        self.budget.spend(FRAME_COST)
        self.reader.open_frame(self.number(8))

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def push_signed(self) -> None:
        self.push(int.from_bytes(self.take(4), "little", signed=True))

    def push_long(self, size: int) -> None:
        if size > LONGEST_INTEGER:
            raise malformed("an integer is too long")
        self.push(int.from_bytes(self.take(size), "little", signed=True))

    def push_integer_line(self) -> None:
        line = self.line()
        if line in (b"00", b"01"):  # how protocols 0 and 1 write False and True
            self.push(line == b"01")
        elif INTEGER_LINE.fullmatch(line):
            self.push(int(line.rstrip(b"L")))
        else:
            raise malformed("a number is unreadable")

    def push_float_line(self) -> None:
        try:
            self.push(float(self.line()))
        except ValueError:
            raise malformed("a number is unreadable") from None

    def push_float(self) -> None:
        self.push(struct.unpack(">d", self.take(8))[0])

    def read_bytes(self, size: int) -> bytes | Blob:
        return self.take(size) if self.budget.can_keep(size) else self.reader.blob(size)

    def push_bytes(self, size: int) -> None:
        self.keep(self.read_bytes(size))

    def push_text(self, size: int) -> None:
        data = self.read_bytes(size)
        self.keep(data if isinstance(data, Blob) else _decode(data, "utf-8"))

    def push_short_text(self) -> None:
        data = self.take(self.take(1)[0])
        self.keep(_decode(data, "utf-8"), OBJECT_COST + len(data))

    def push_short_bytes(self) -> None:
        data = self.take(self.take(1)[0])
        self.keep(data, OBJECT_COST + len(data))

    def push_text_line(self) -> None:
        line = self.line()
        self.keep(_decode(line, "raw-unicode-escape"), OBJECT_COST + len(line))

    def memo_line(self) -> int:
        line = self.line()
        if not MEMO_LINE.fullmatch(line):
            raise malformed("a memo index is unreadable")
        return int(line)

    # Containers.

    def mark(self) -> None:
        self.marks.append(len(self.stack))

    def pop_tuple(self, size: int) -> None:
        self.require(size)
        stack = self.stack
        stack[-size:] = (tuple(stack[-size:]),)

    def append(self, values: list[object]) -> None:
        target = self.top()
        if isinstance(target, Instance):
            target.elements = target.elements or []
            target.elements.extend(values)
        elif isinstance(target, list) and not isinstance(target, Dict | Set):
            target.extend(values)
        else:
            raise malformed("it appends to something that is no list")

    def add(self, values: list[object]) -> None:
        target = self.top()
        if not isinstance(target, Set):
            raise malformed("it adds to something that is no set")
        target.extend(values)

    def set_items(self, flat: list[object]) -> None:
        target = self.top()
        if len(flat) % 2:
            raise malformed("a key of a dict has no value")
        if isinstance(target, Instance):
            target.entries = target.entries or Dict()
            target.entries.extend(flat)
        elif isinstance(target, Dict):
            target.extend(flat)
        else:
            raise malformed("it sets items of something that is no dict")

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def push_dict_from_mark(self) -> None:
        flat = self.pop_to_mark()
        self.keep(Dict())
        self.set_items(flat)

    # Names, calls and states.

    def push_global(self, module: object, name: object) -> None:
        self.budget.spend(NAME_COST)
        # Exactly str: what the loader would look up must not come out of a calculation.
        if type(module) is not str or type(name) is not str:
            raise dangerous("it computes the name of something to import")
        if self.protocol < 3:  # the loader translates what Python 2 would have written
            module, name = NAME_MAPPING.get((module, name), (module, name))
            module = IMPORT_MAPPING.get(module, module)
        found = Global(module, name)
        self.trace.names.add(found)
        self.keep(found)

    def push_global_lines(self) -> None:
        module, name = self.line(), self.line()
        self.push_global(_decode(module, "utf-8"), _decode(name, "utf-8"))

    def push_stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        self.push_global(module, name)

    def reduce(self) -> None:
        self.require(2)
        args, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, Global):
            raise dangerous("it calls something computed instead of a named function")
        if not isinstance(args, tuple):
            raise malformed("a call has no arguments")
        self.trace.called.add(function)
        reducer = REDUCERS.get(function) or CODE_REDUCERS.get(function)
        value = reducer(args) if reducer else Instance(function, args)
        if isinstance(value, Made):
            self.trace.made.append(value)
            self.budget.keep(cost_of(value))
        self.keep_new(value)

    def new_object(self) -> None:
        args, cls = self.pop(), self.pop()
        if not isinstance(cls, Global):
            raise dangerous("it makes an object of a computed class")
        if not isinstance(args, tuple):
            raise malformed("an object has no arguments")
        self.keep_new(Instance(cls, args))

    def new_object_with_keywords(self) -> None:
        keywords, args = self.pop(), self.pop()
        if not isinstance(keywords, Dict) or not isinstance(args, tuple):
            raise malformed("an object has no arguments")
        self.push((*args, *keywords))
        self.new_object()

    def keep_new(self, value: object) -> None:
        """Push a new object; `cls.__new__` with arguments is as good as a call of the class."""
        if not isinstance(value, Instance):
            self.keep(value)
            return
        if value.args:
            self.trace.called.add(value.cls)
        if value.cls == PARTIAL:
            self.wrap(value.args)
        self.keep(value, INSTANCE_COST)

    def wrap(self, args: tuple[object, ...]) -> None:
        """Check the arguments of `functools.partial`: one function, by name or by value."""
        if len(args) == 1 and isinstance(args[0], Function):
            return  # which needs the user's trust anyway
        if len(args) != 1 or not isinstance(args[0], Global) or args[0] == PARTIAL:
            raise dangerous("it prepares a call as Python never does")
        self.trace.wrapped.add(args[0])

    def build(self) -> None:
        state, target = self.pop(), self.top()
        if isinstance(target, DType):
            build_dtype(target, state)
        elif isinstance(target, Array):
            build_array(target, state)
        elif isinstance(target, Global):
            raise dangerous(f"it changes {target.qualified} itself")
        elif not isinstance(target, Instance) or target.state is not None or state is None:
            raise malformed("it sets the state of something that has none")
        else:
            check_state(target.cls, state)
            if target.cls == PARTIAL:
                _check_partial(target.args[0], state)
            target.state = state
            if target.cls == JOBLIB_WRAPPER:
                self.stack[-1] = self._read_joblib_array(target)

    def _read_joblib_array(self, wrapper: Instance) -> Array:
        """Read the array that joblib writes into the file right after its wrapper."""
        if self.depth:
            raise malformed("a joblib array lies inside a nested pickle")
        # joblib reads the array from the file, whatever is left of the frame.
        if not self.reader.at_frame_end():
            raise dangerous("it hides the data of an array inside a frame")
        state = wrapper.state
        if wrapper.args or not isinstance(state, Dict):
            raise malformed("the header of an array is unreadable")
        # An attribute beyond these could replace joblib's own method that reads the array.
        keys = [key for key, _ in state.pairs() if isinstance(key, str)]
        if len(keys) * 2 != len(state) or {*keys, JOBLIB_ALIGNMENT} != JOBLIB_KEYS:
            raise malformed("the header of an array has unusual fields")
        dtype, subclass = state.get("dtype"), state.get("subclass")
        if not isinstance(dtype, DType) or not isinstance(subclass, Global):
            raise malformed("the header of an array is unreadable")
        if subclass.name not in NDARRAY_NAMES or not subclass.module.startswith("numpy"):
            raise malformed(f"an array is a {subclass.qualified}")
        self.trace.joblib_arrays += 1
        array = Array(read_shape(state.get("shape")), dtype)
        if dtype.has_object:
            return self._read_nested_array()
        padding = state.get(JOBLIB_ALIGNMENT)
        if padding is not None:
            self.reader.skip(self.take(1)[0])
        size = math.prod(array.shape) * dtype.itemsize
        # Names and classes are flat; what has more dimensions or fields tells nothing.
        if len(array.shape) <= 1 and dtype.kind != "V" and self.budget.can_keep(size):
            array.data = self.take(size)
        else:
            self.reader.skip(size)
        return array

    def _read_nested_array(self) -> Array:
        value = PickleInterpreter(self.reader, self.trace, self.budget, self.depth + 1).run()
        if not isinstance(value, Array):
            raise malformed("an array of objects holds something else")
        return value

    # What Python's pickler never writes, or what no model file needs.

    def refuse_old_object(self) -> None:
        self.pop_to_mark()  # without a mark it is not even a pickle
        raise dangerous("it makes an object as only Python 2 or an attacker does")

    def refuse_duplicate(self) -> None:
        self.top()
        raise dangerous("it duplicates a value as only an attacker does")

    def refuse_python2_text(self) -> None:
        raise Refused(
            "unsupported",
            "The file was written by Python 2.",
            "Fit the model again with Python 3 and scikit-learn 1.1 or later.",
        )

    def refuse_persistent_id(self) -> None:
        raise Refused(
            "unsupported",
            "The file refers to data outside of itself, as PyTorch's files do.",
            "Give a scikit-learn model saved by joblib.dump or pickle.dump.",
        )

    def refuse_extension(self) -> None:
        raise malformed("it refers to data or codes outside of itself")


def _check_partial(function: object, state: object) -> None:
    """Check that the state of a partial keeps its function: it could replace it."""
    if not isinstance(state, tuple) or len(state) != PARTIAL_STATE_LENGTH:
        raise malformed("a partial function is unreadable")
    same, args, keywords, attributes = state
    named = isinstance(same, Global) and same == function
    if not (named or (isinstance(same, Function) and same is function)) or attributes is not None:
        raise dangerous("it prepares a call as Python never does")
    if not isinstance(args, tuple) or not isinstance(keywords, Dict):
        raise malformed("a partial function is unreadable")


def _decode(data: bytes, codec: str) -> str:
    try:
        # A lone surrogate is legal in a pickled text, as it is in Python's own.
        return data.decode(codec, "surrogatepass" if codec == "utf-8" else "strict")
    except UnicodeDecodeError:
        raise malformed("a text is unreadable") from None


Handler = Callable[[PickleInterpreter], None]
CODES: Mapping[str, bytes] = {opcode.name: opcode.code.encode("latin-1") for opcode in opcodes}
PROTO, STOP = CODES["PROTO"], CODES["STOP"]
# By the names of pickletools, which documents them all.
HANDLERS: Mapping[bytes, Handler] = {
    CODES[name]: handler
    for name, handler in {
        "NONE": lambda machine: machine.stack.append(None),
        "NEWTRUE": lambda machine: machine.stack.append(True),
        "NEWFALSE": lambda machine: machine.stack.append(False),
        "BININT": PickleInterpreter.push_signed,
        "BININT1": lambda machine: machine.stack.append(machine.take(1)[0]),
        "BININT2": lambda machine: machine.push(machine.number(2)),
        "LONG1": lambda machine: machine.push_long(machine.number(1)),
        "LONG4": lambda machine: machine.push_long(machine.number(4)),
        "INT": PickleInterpreter.push_integer_line,
        "LONG": PickleInterpreter.push_integer_line,
        "FLOAT": PickleInterpreter.push_float_line,
        "BINFLOAT": PickleInterpreter.push_float,
        "UNICODE": PickleInterpreter.push_text_line,
        "SHORT_BINUNICODE": PickleInterpreter.push_short_text,
        "BINUNICODE": lambda machine: machine.push_text(machine.number(4)),
        "BINUNICODE8": lambda machine: machine.push_text(machine.number(8)),
        "SHORT_BINBYTES": PickleInterpreter.push_short_bytes,
        "BINBYTES": lambda machine: machine.push_bytes(machine.number(4)),
        "BINBYTES8": lambda machine: machine.push_bytes(machine.number(8)),
        "BYTEARRAY8": lambda machine: machine.push_bytes(machine.number(8)),
        "MARK": PickleInterpreter.mark,
        "POP": PickleInterpreter.pop_or_unmark,
        "POP_MARK": PickleInterpreter.pop_to_mark,
        "EMPTY_TUPLE": lambda machine: machine.stack.append(()),
        "TUPLE1": lambda machine: machine.pop_tuple(1),
        "TUPLE2": lambda machine: machine.pop_tuple(2),
        "TUPLE3": lambda machine: machine.pop_tuple(3),
        "TUPLE": lambda machine: machine.push(tuple(machine.pop_to_mark())),
        "EMPTY_LIST": lambda machine: machine.keep([]),
        "LIST": lambda machine: machine.keep(machine.pop_to_mark()),
        "APPEND": lambda machine: machine.append([machine.pop()]),
        "APPENDS": lambda machine: machine.append(machine.pop_to_mark()),
        "EMPTY_DICT": lambda machine: machine.keep(Dict()),
        "DICT": PickleInterpreter.push_dict_from_mark,
        "SETITEM": PickleInterpreter.set_item,
        "SETITEMS": lambda machine: machine.set_items(machine.pop_to_mark()),
        "EMPTY_SET": lambda machine: machine.keep(Set()),
        "ADDITEMS": lambda machine: machine.add(machine.pop_to_mark()),
        "FROZENSET": lambda machine: machine.keep(Set(machine.pop_to_mark())),
        "MEMOIZE": PickleInterpreter.memoize,
        "BINPUT": PickleInterpreter.store_short,
        "LONG_BINPUT": lambda machine: machine.store(machine.number(4)),
        "PUT": lambda machine: machine.store(machine.memo_line()),
        "BINGET": lambda machine: machine.fetch(machine.take(1)[0]),
        "LONG_BINGET": lambda machine: machine.fetch(machine.number(4)),
        "GET": lambda machine: machine.fetch(machine.memo_line()),
        "FRAME": PickleInterpreter.open_frame,
        "GLOBAL": PickleInterpreter.push_global_lines,
        "STACK_GLOBAL": PickleInterpreter.push_stack_global,
        "REDUCE": PickleInterpreter.reduce,
        "NEWOBJ": PickleInterpreter.new_object,
        "NEWOBJ_EX": PickleInterpreter.new_object_with_keywords,
        "BUILD": PickleInterpreter.build,
        "INST": PickleInterpreter.refuse_old_object,
        "OBJ": PickleInterpreter.refuse_old_object,
        "DUP": PickleInterpreter.refuse_duplicate,
        "STRING": PickleInterpreter.refuse_python2_text,
        "BINSTRING": PickleInterpreter.refuse_python2_text,
        "SHORT_BINSTRING": PickleInterpreter.refuse_python2_text,
        "PERSID": PickleInterpreter.refuse_persistent_id,
        "BINPERSID": PickleInterpreter.refuse_persistent_id,
        "EXT1": PickleInterpreter.refuse_extension,
        "EXT2": PickleInterpreter.refuse_extension,
        "EXT4": PickleInterpreter.refuse_extension,
        "NEXT_BUFFER": PickleInterpreter.refuse_extension,
        "READONLY_BUFFER": PickleInterpreter.refuse_extension,
    }.items()
}
