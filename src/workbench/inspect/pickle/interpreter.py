"""Interpret a pickle without executing it: nothing in the file is imported or called.

Each opcode is decoded as `pickle._Unpickler` does. Opcodes and arguments that Python's own pickler
never writes are refused: a file with them was made to mislead other readers.
"""

from __future__ import annotations

import codecs
import re
import struct
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Mapping
from pickletools import opcodes

from workbench.inspect.pickle.arrays import build_array, build_dtype
from workbench.inspect.pickle.budget import Budget
from workbench.inspect.pickle.cloudpickle_reducers import REDUCERS as CLOUDPICKLE_REDUCERS
from workbench.inspect.pickle.joblib_arrays import JOBLIB_WRAPPER, read_joblib_array
from workbench.inspect.pickle.load_effects import LoadEffects
from workbench.inspect.pickle.object_state import StateCheck
from workbench.inspect.pickle.old_names import CHANGED_MODULES, current_name
from workbench.inspect.pickle.pickle_stream import PickleStream
from workbench.inspect.pickle.pickled_code import cost_of
from workbench.inspect.pickle.reducers import (
    PARTIAL,
    REDUCERS,
    check_partial_arguments,
    check_partial_state,
)
from workbench.inspect.pickle.stack import INSTANCE_COST, OBJECT_COST, PickleStack
from workbench.inspect.pickle.values import Array, Blob, ByValue, Dict, DType, Global, Instance, Set
from workbench.inspect.refused_file import RefusedFile, dangerous, malformed

HIGHEST_PROTOCOL = 5
MAX_INTEGER_BYTES = 64  # the state of a random generator takes 17
HOLDERS = (tuple, list, Instance)  # can hold more than the constructor that gets one takes from it
LINE_COST, FRAME_COST, NAME_COST = 2, 2, 2  # operations, besides the one that every opcode is

INTEGER_LINE = re.compile(rb"-?\d{1,150}L?")
MEMO_LINE = re.compile(rb"\d{1,9}")


class PickleInterpreter(PickleStack):
    """Read one pickle from a stream and record what loading it would do.

    The pickle of an array of objects, which joblib nests in a file's, shares effects and budget.
    """

    def __init__(
        self, stream: PickleStream, effects: LoadEffects, budget: Budget, *, nested: bool = False
    ) -> None:
        super().__init__(budget)
        self.stream = stream
        self.take = stream.take
        self.effects = effects
        self.nested = nested
        self.protocol = 0
        self.state_check = StateCheck()

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
        if not self.stream.at_frame_end():
            raise malformed("it stops inside a frame")
        if not self.nested:
            self.effects.protocol = self.protocol
        return value

    def _read_protocol(self) -> bytes:
        """Return the first opcode after PROTO, which Python writes only at the start."""
        code = self.take(1)
        if code == PROTO:
            self.protocol = self.number(1)
            if self.protocol > HIGHEST_PROTOCOL:
                raise malformed(f"it claims protocol {self.protocol}")
            code = self.take(1)
        return code

    # Numbers, text and bytes.

    def line(self) -> bytes:
        """Read a line of protocol 0, which takes as long as several other opcodes."""
        self.budget.spend(LINE_COST)
        return self.stream.line()

    def open_frame(self) -> None:
        self.budget.spend(FRAME_COST)
        self.stream.open_frame(self.number(8))

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def push_signed(self) -> None:
        self.push(int.from_bytes(self.take(4), "little", signed=True))

    def push_long(self, size: int) -> None:
        if size > MAX_INTEGER_BYTES:
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
        return self.take(size) if self.budget.can_keep(size) else self.stream.blob(size)

    def push_bytes(self, size: int) -> None:
        self.push_new(self.read_bytes(size))

    def push_text(self, size: int) -> None:
        data = self.read_bytes(size)
        self.push_new(data if isinstance(data, Blob) else _decode(data, "utf-8"))

    def push_short_text(self) -> None:
        data = self.take(self.take(1)[0])
        self.push_new(_decode(data, "utf-8"), OBJECT_COST + len(data))

    def push_short_bytes(self) -> None:
        data = self.take(self.take(1)[0])
        self.push_new(data, OBJECT_COST + len(data))

    def push_text_line(self) -> None:
        line = self.line()
        self.push_new(_decode(line, "raw-unicode-escape"), OBJECT_COST + len(line))

    def push_python2_text(self, size: int) -> None:
        """Push a `str` of Python 2: bytes, which a loader of old files decodes as Latin-1."""
        self.effects.python2 = True
        data = self.read_bytes(size)
        self.push_new(data if isinstance(data, Blob) else data.decode("latin-1"))

    def push_python2_line(self) -> None:
        """Push a `str` of Python 2 in protocol 0: its `repr`."""
        self.effects.python2 = True
        line = self.line()
        if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1]:
            raise malformed("a text of Python 2 is unreadable")
        try:
            text = codecs.escape_decode(line[1:-1])[0].decode("latin-1")
        except ValueError:
            raise malformed("a text of Python 2 is unreadable") from None
        self.push_new(text, OBJECT_COST + len(text))

    def store_short(self) -> None:
        self.protocol = self.protocol or 1  # protocol 1 writes no PROTO opcode, but this one
        self.store(self.take(1)[0])

    def memo_line(self) -> int:
        line = self.line()
        if not MEMO_LINE.fullmatch(line):
            raise malformed("a memo index is unreadable")
        return int(line)

    # Values that are taken from the stack again. A loader has made them all the same.

    def discard(self) -> None:
        self.effects.discarded.extend(value for value in self.stack[-1:] if _holds_more(value))
        self.pop_or_unmark()

    def discard_to_mark(self) -> None:
        self.effects.discarded.extend(v for v in self.pop_to_mark() if _holds_more(v))

    # Names, calls and states.

    def push_global(self, module: object, name: object) -> None:
        self.budget.spend(NAME_COST)
        # Exactly str: a computed name, such as a NumPy text, cannot be checked.
        if type(module) is not str or type(name) is not str:
            raise dangerous("it computes the name of something to import")
        if self.protocol < 3:  # the loader translates names of Python 2
            module, name = NAME_MAPPING.get((module, name), (module, name))
            module = IMPORT_MAPPING.get(module, module)
        found = Global(module, name)
        if module in CHANGED_MODULES and (current := current_name(module, name)) != found:
            self.effects.old_names[found] = current
            found = current
        self.effects.names.add(found)
        self.push_new(found)

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
        self.effects.calls.add(function)
        reducer = REDUCERS.get(function) or CLOUDPICKLE_REDUCERS.get(function)
        value = reducer(args) if reducer else Instance(function, args)
        for argument in args:
            if isinstance(argument, HOLDERS) and function in REDUCERS and _holds_more(argument):
                self.effects.discarded.append(argument)
        if isinstance(value, ByValue):
            self.effects.by_value.append(value)
            self.budget.charge(cost_of(value))
        self.push_object(value)

    def new_object(self) -> None:
        args, cls = self.pop(), self.pop()
        if not isinstance(cls, Global):
            raise dangerous("it makes an object of a computed class")
        if not isinstance(args, tuple):
            raise malformed("an object has no arguments")
        self.effects.classes.add(cls)
        self.push_object(Instance(cls, args))

    def new_object_with_keywords(self) -> None:
        keywords, args = self.pop(), self.pop()
        if not isinstance(keywords, Dict) or not isinstance(args, tuple):
            raise malformed("an object has no arguments")
        self.push((*args, *keywords))
        self.new_object()

    def push_object(self, value: object) -> None:
        """Push an object; `cls.__new__` with arguments counts as a call of the class."""
        if not isinstance(value, Instance):
            self.push_new(value)
            return
        if value.args:
            self.effects.calls.add(value.cls)
        if value.cls == PARTIAL:
            check_partial_arguments(value.args)
        self.push_new(value, INSTANCE_COST)

    def build(self) -> None:
        state, target = self.pop(), self.top()
        if isinstance(target, DType):
            build_dtype(target, state)
            self.effects.discarded.append(state)  # its metadata can be any object
        elif isinstance(target, Array):
            build_array(target, state)
        elif isinstance(target, Global):
            raise dangerous(f"it changes {target.qualified} itself")
        elif not isinstance(target, Instance) or target.state is not None or state is None:
            raise malformed("it sets the state of something that has none")
        else:
            self.state_check.check(target.cls, state)
            if target.cls == PARTIAL:
                check_partial_state(target.args[0], state)
            target.state = state
            self.keep_state(state)
            if target.cls == JOBLIB_WRAPPER:
                self.stack[-1] = self._read_joblib_array(target)

    def _read_joblib_array(self, wrapper: Instance) -> Array:
        if self.nested:
            raise malformed("a joblib array lies inside a nested pickle")
        self.effects.joblib_arrays += 1
        inner = PickleInterpreter(self.stream, self.effects, self.budget, nested=True)
        return read_joblib_array(wrapper, self.stream, self.budget, inner.run)

    # Opcodes that Python's pickler never writes, or that no model file needs.

    def refuse_old_object(self) -> None:
        self.pop_to_mark()  # without a mark it is not even a pickle
        raise dangerous("it makes an object as only Python 2 or an attacker does")

    def refuse_duplicate(self) -> None:
        self.top()
        raise dangerous("it duplicates a value as only an attacker does")

    def refuse_persistent_id(self) -> None:
        raise RefusedFile(
            "unsupported",
            "The file refers to data outside of itself, as PyTorch's files do.",
            "Give a scikit-learn model saved by joblib.dump or pickle.dump.",
        )

    def refuse_extension(self) -> None:
        raise malformed("it refers to data or codes outside of itself")


def _holds_more(value: object) -> bool:
    """Return whether a value can hold objects."""
    if isinstance(value, tuple):
        # Two levels are looked at: deeper ones are taken to hold objects.
        inner = [v for v in value if isinstance(v, HOLDERS)]
        return any(not isinstance(v, tuple) or any(map(_is_holder, v)) for v in inner)
    return isinstance(value, list | Instance)


def _is_holder(value: object) -> bool:
    return isinstance(value, HOLDERS)


def _decode(data: bytes, codec: str) -> str:
    try:
        # A lone surrogate is legal in a pickled text, as it is in Python's own.
        return data.decode(codec, "surrogatepass" if codec == "utf-8" else "strict")
    except UnicodeDecodeError:
        raise malformed("a text is unreadable") from None


Handler = Callable[[PickleInterpreter], None]
CODES: Mapping[str, bytes] = {opcode.name: opcode.code.encode("latin-1") for opcode in opcodes}
PROTO, STOP = CODES["PROTO"], CODES["STOP"]
# By the names in pickletools, which documents each opcode. One without a handler is refused.
HANDLERS: Mapping[bytes, Handler] = {
    CODES[name]: handler
    for name, handler in {
        "NONE": lambda vm: vm.stack.append(None),
        "NEWTRUE": lambda vm: vm.stack.append(True),
        "NEWFALSE": lambda vm: vm.stack.append(False),
        "BININT": PickleInterpreter.push_signed,
        "BININT1": lambda vm: vm.stack.append(vm.take(1)[0]),
        "BININT2": lambda vm: vm.push(vm.number(2)),
        "LONG1": lambda vm: vm.push_long(vm.number(1)),
        "LONG4": lambda vm: vm.push_long(vm.number(4)),
        "INT": PickleInterpreter.push_integer_line,
        "LONG": PickleInterpreter.push_integer_line,
        "FLOAT": PickleInterpreter.push_float_line,
        "BINFLOAT": PickleInterpreter.push_float,
        "UNICODE": PickleInterpreter.push_text_line,
        "SHORT_BINUNICODE": PickleInterpreter.push_short_text,
        "BINUNICODE": lambda vm: vm.push_text(vm.number(4)),
        "BINUNICODE8": lambda vm: vm.push_text(vm.number(8)),
        "SHORT_BINBYTES": PickleInterpreter.push_short_bytes,
        "BINBYTES": lambda vm: vm.push_bytes(vm.number(4)),
        "BINBYTES8": lambda vm: vm.push_bytes(vm.number(8)),
        "BYTEARRAY8": lambda vm: vm.push_bytes(vm.number(8)),
        "MARK": PickleInterpreter.mark,
        "POP": PickleInterpreter.discard,
        "POP_MARK": PickleInterpreter.discard_to_mark,
        "EMPTY_TUPLE": lambda vm: vm.stack.append(()),
        "TUPLE1": lambda vm: vm.pop_tuple(1),
        "TUPLE2": lambda vm: vm.pop_tuple(2),
        "TUPLE3": lambda vm: vm.pop_tuple(3),
        "TUPLE": lambda vm: vm.push(tuple(vm.pop_to_mark())),
        "EMPTY_LIST": lambda vm: vm.push_new([]),
        "LIST": lambda vm: vm.push_new(vm.pop_to_mark()),
        "APPEND": lambda vm: vm.append([vm.pop()]),
        "APPENDS": lambda vm: vm.append(vm.pop_to_mark()),
        "EMPTY_DICT": lambda vm: vm.push_new(Dict()),
        "DICT": PickleInterpreter.push_dict_from_mark,
        "SETITEM": PickleInterpreter.set_item,
        "SETITEMS": lambda vm: vm.set_items(vm.pop_to_mark()),
        "EMPTY_SET": lambda vm: vm.push_new(Set()),
        "ADDITEMS": lambda vm: vm.add(vm.pop_to_mark()),
        "FROZENSET": lambda vm: vm.push_new(Set(vm.pop_to_mark())),
        "MEMOIZE": PickleInterpreter.memoize,
        "BINPUT": PickleInterpreter.store_short,
        "LONG_BINPUT": lambda vm: vm.store(vm.number(4)),
        "PUT": lambda vm: vm.store(vm.memo_line()),
        "BINGET": lambda vm: vm.fetch(vm.take(1)[0]),
        "LONG_BINGET": lambda vm: vm.fetch(vm.number(4)),
        "GET": lambda vm: vm.fetch(vm.memo_line()),
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
        "STRING": PickleInterpreter.push_python2_line,
        "BINSTRING": lambda vm: vm.push_python2_text(vm.number(4)),
        "SHORT_BINSTRING": lambda vm: vm.push_python2_text(vm.number(1)),
        "PERSID": PickleInterpreter.refuse_persistent_id,
        "BINPERSID": PickleInterpreter.refuse_persistent_id,
        "EXT1": PickleInterpreter.refuse_extension,
        "EXT2": PickleInterpreter.refuse_extension,
        "EXT4": PickleInterpreter.refuse_extension,
        "NEXT_BUFFER": PickleInterpreter.refuse_extension,
        "READONLY_BUFFER": PickleInterpreter.refuse_extension,
    }.items()
}
