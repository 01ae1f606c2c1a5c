"""Read a skops file: a zip with a tree of nodes in schema.json, and the data of arrays beside it.

Like the pickle machine it only describes: it imports nothing, calls nothing and extracts nothing,
and it takes note of every name that skops would import or call while it reads the same nodes.
"""

from __future__ import annotations

import errno
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import IO, BinaryIO

from workbench.inspect.errors import Refused, dangerous, too_big
from workbench.inspect.estimators.statsmodels_results import check_state
from workbench.inspect.pickle.arrays import plain
from workbench.inspect.pickle.budget import Budget
from workbench.inspect.pickle.interpreter import INSTANCE_COST, OBJECT_COST, Trace
from workbench.inspect.pickle.npy import Unreadable, read_header
from workbench.inspect.pickle.reader import HEAD, TAIL
from workbench.inspect.pickle.values import Array, Blob, Dict, DType, Global, Instance, Set

NEWEST_PROTOCOL = 2
LARGEST_SCHEMA = 24 << 20
MOST_ITEMS = 2_000_000  # brackets and commas: what they may cost once they are parsed
LARGEST_DIRECTORY = 16 << 20
DEEPEST_NODE = 150
LARGEST_MEMBER = 256 << 20
CHUNK = 1 << 20  # more than what is kept of the end
READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 1
END, END_64 = b"PK\x05\x06", b"PK\x06\x07"
END_SIZE, LOCATOR_SIZE = 22, 20

SCALAR = re.compile(r"(bool|str|bytes|(complex|float|int|uint)\d*|datetime64|timedelta64)_?")
BIT_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
LOSSES = ("_loss", "sklearn._loss._loss", "sklearn.linear_model._sgd_fast")
KEY_TYPES: Mapping[str, Callable[[str], object]] = {"str": str, "int": int, "float": float}
DICT, LIST, TUPLE, SET = (Global("builtins", name) for name in ("dict", "list", "tuple", "set"))
BUNCHES = (Global("sklearn.utils", "Bunch"), Global("sklearn.utils._bunch", "Bunch"))
ND_ARRAY = Global("numpy", "ndarray")
UNFINISHED = object()

Node = dict[str, object]


def broken(detail: str) -> Refused:
    """Describe a file that breaks the format, `detail` being a clause."""
    return Refused(
        "malformed",
        f"The file is not a readable skops file: {detail}.",
        "Save the fitted model again with skops.io.dump(model, 'model.skops') and give that file.",
    )


def read_skops(file: BinaryIO, trace: Trace, budget: Budget) -> object:
    """Return the value that a skops file describes; `trace` gets the names in it."""
    _check_directory(file)
    with _broken_zip(), zipfile.ZipFile(file) as archive:
        reader = _Reader(archive, trace, budget)
        schema = reader.schema()
        protocol = schema.get("protocol")
        if type(protocol) is not int or not 0 <= protocol <= NEWEST_PROTOCOL:
            raise Refused(
                "unsupported",
                f"The file was written by another skops: its protocol is {protocol!r:.20}.",
                f"Save the model again with a skops of protocol {NEWEST_PROTOCOL}, such as 0.16.",
            )
        trace.protocol = protocol
        return reader.value(schema)


def _check_directory(file: BinaryIO) -> None:
    """Refuse a directory that would fill the memory, before anything reads it."""
    size = file.seek(0, 2)
    file.seek(max(0, size - END_SIZE - LOCATOR_SIZE))
    tail = file.read()
    end = tail[-END_SIZE:]
    if not end.startswith(END) or end[-2:] != b"\0\0":
        raise broken("the directory of the zip is not at its end")
    if tail.startswith(END_64) or int.from_bytes(end[12:16], "little") > LARGEST_DIRECTORY:
        raise too_big("it is a zip with too many members")


@contextmanager
def _broken_zip() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError) as error:
        raise broken("the zip is damaged") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # of a place before the file, where a member is said to be
            raise
        raise broken("the zip is damaged") from error


class _Reader:
    """Read the nodes of one file."""

    def __init__(self, archive: zipfile.ZipFile, trace: Trace, budget: Budget) -> None:
        self.archive, self.trace, self.budget = archive, trace, budget
        # As in skops: what has an id is read once, and met again as it was read first.
        self.memo: dict[int, object] = {}
        self.depth = 0

    def schema(self) -> Node:
        """Return schema.json, parsed."""
        info = self._member("schema.json")
        if info.file_size > LARGEST_SCHEMA:
            raise too_big("its schema is too long")
        with self.archive.open(info) as stream:
            text = stream.read()
        if not text.isascii():
            raise broken("its schema holds what skops escapes")
        if sum(text.count(sign) for sign in (b"{", b"[", b",")) > MOST_ITEMS:
            raise too_big("its schema describes too many objects")
        return _node(_parse(text.decode("ascii")))

    def value(self, state: object) -> object:
        """Return the value of a node."""
        node = _node(state)
        if next(self.budget.operations, None) is None:
            raise self.budget.exhausted()
        key = node.get("__id__")
        if key is not None and type(key) is not int:
            raise broken("an object has an unreadable id")
        if key in self.memo:
            if self.memo[key] is UNFINISHED:
                raise broken("an object lies inside of itself")
            return self.memo[key]
        loader = node.get("__loader__")
        handler = LOADERS.get(loader) if isinstance(loader, str) else None
        if handler is None:
            raise broken(f"a node is for the unknown loader {loader!r:.40}")
        if self.depth > DEEPEST_NODE:
            raise broken("objects are nested too deeply")
        if key:
            self.memo[key] = UNFINISHED
        self.depth += 1
        value = handler(self, node)
        self.depth -= 1
        if key:
            self.memo[key] = value
        self.budget.keep(INSTANCE_COST if isinstance(value, Instance | Array) else OBJECT_COST)
        return value

    def named(self, node: Node, *, called: bool = False) -> Global:
        """Return the name in a node, which skops imports and perhaps calls."""
        return self.refer(_text(node, "__module__"), _text(node, "__class__"), called=called)

    def refer(self, module: str, name: str, *, called: bool = False) -> Global:
        found = Global(module, name)
        self.trace.names.add(found)
        if called:
            self.trace.called.add(found)
        return found

    def values(self, node: Node) -> list[object]:
        content = node.get("content")
        if not isinstance(content, list):
            raise broken("a list has no items")
        return [self.value(item) for item in content]

    # The nodes.

    def read_json(self, node: Node) -> object:
        value = _parse(_text(node, "content"))
        if value is not None and not isinstance(value, str | int | float):
            raise broken("a plain value is none")
        return value

    def read_dict(self, node: Node) -> object:
        content, types = node.get("content"), self.value(node.get("key_types"))
        if not isinstance(content, dict) or not isinstance(types, list):
            raise broken("a dict is unreadable")
        found = Dict()
        for kind, (key, value) in zip(types, content.items(), strict=False):
            if not isinstance(kind, Global):
                raise broken("a key of a dict has no type")
            if kind.module != "builtins" and not _is_scalar(kind):
                self.trace.called.add(kind)
            try:
                found.append(KEY_TYPES.get(kind.name, str)(key))
            except ValueError:
                raise broken("a key of a dict is not of its type") from None
            found.append(self.value(value))
        cls = Global(_text(node, "__module__"), _text(node, "__class__"))
        if cls == DICT:
            return found
        return Instance(self.named(node, called=cls not in BUNCHES), (), entries=found)

    def read_default_dict(self, node: Node) -> object:
        content = _node(node.get("content"))
        for name in ("default_factory", "_deprecated_key_to_new_key"):
            if name in content:
                self.value(content[name])
        main = self.value(content.get("main"))
        if not isinstance(main, Dict):
            raise broken("a dict is unreadable")
        return main

    def read_list(self, node: Node) -> object:
        return self._sequence(node, LIST, list)

    def read_tuple(self, node: Node) -> object:
        return self._sequence(node, TUPLE, tuple)

    def read_set(self, node: Node) -> object:
        return self._sequence(node, SET, Set)

    def _sequence(
        self, node: Node, usual: Global, make: Callable[[list[object]], object]
    ) -> object:
        items = make(self.values(node))
        if Global(_text(node, "__module__"), _text(node, "__class__")) == usual:
            return items
        return Instance(self.named(node, called=True), (items,))

    def read_slice(self, node: Node) -> object:
        return Instance(Global("builtins", "slice"), ())

    def read_bytes(self, node: Node) -> object:
        info = self._member(_text(node, "file"))
        if info.file_size > LARGEST_MEMBER:
            raise too_big(f"{info.filename!r:.60} in it is too large")
        with self.archive.open(info) as stream:
            if self.budget.can_keep(info.file_size):
                return stream.read()
            head = _exactly(stream, HEAD)
            last = chunk = b""
            while piece := stream.read(CHUNK):
                last, chunk = chunk, piece
        return Blob(info.file_size, head, (last + chunk)[-TAIL:])

    def read_array(self, node: Node) -> object:
        cls = Global(_text(node, "__module__"), _text(node, "__class__"))
        if cls != ND_ARRAY:
            self.named(node, called=not _is_scalar(cls))
        if node.get("type") == "numpy":
            return self._array_of_member(self._member(_text(node, "file")))
        if node.get("type") != "json":
            raise broken("an array is of an unknown kind")
        items, shape = self.values(node), self.value(node.get("shape"))
        if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
            raise broken("an array has an unreadable shape")
        return Array(shape, DType("O", 8, has_object=True), items)

    def _array_of_member(self, info: zipfile.ZipInfo) -> object:
        with self.archive.open(info) as stream:
            try:
                shape, dtype = read_header(stream)
            except Unreadable as error:
                raise broken(str(error)) from None
            array = Array(shape, dtype)
            size = prod(shape) * dtype.itemsize
            # As in a pickle: names and classes are flat.
            if len(shape) <= 1 and dtype.kind != "V" and self.budget.can_keep(size):
                array.data = _exactly(stream, size)
        return plain(array)

    def read_masked_array(self, node: Node) -> object:
        content = _node(node.get("content"))
        self.value(content.get("mask"))
        self.named(node)
        return self.value(content.get("data"))

    def read_dtype(self, node: Node) -> object:
        self.named(node, called=True)
        array = self.value(node.get("content"))
        return array.dtype if isinstance(array, Array) else None

    def read_sparse(self, node: Node) -> object:
        self._member(_text(node, "file"))
        return Instance(self.named(node), ())

    def read_random_state(self, node: Node) -> object:
        self.value(node.get("content"))
        return Instance(self.named(node), ())

    def read_generator(self, node: Node) -> object:
        content = _node(node.get("content"))
        state = _node(content.get("bit_generator"))
        if "__loader__" in state:  # from protocol 1
            read = self.value(state)
            name = read.get("bit_generator") if isinstance(read, Dict) else None
            if "seed_seq" in content:
                self.value(content["seed_seq"])
        else:
            name = state.get("bit_generator")
        if name not in BIT_GENERATORS:
            raise dangerous("it calls something else than a random generator of numpy's")
        return Instance(self.named(node), ())

    def read_object(self, node: Node) -> object:
        content = node.get("content")
        cls = self.named(node)
        state = self.value(content) if content is not None else None
        check_state(cls, state)
        return Instance(cls, (), state)

    def read_constructed(self, node: Node) -> object:
        args = self.value(node.get("content"))
        if not isinstance(args, tuple):
            raise broken("an object has no arguments")
        return Instance(self.named(node, called=True), args)

    def read_reduced(self, node: Node) -> object:
        args = self.value(_node(node.get("__reduce__")).get("args"))
        module = _text(node, "__module__")
        cls = self.named(node, called=module not in LOSSES)
        state = self.value(node.get("content"))
        return Instance(cls, args if isinstance(args, tuple) else (args,), state or None)

    def read_function(self, node: Node) -> object:
        content = node.get("content")
        if isinstance(content, dict):  # protocol 0
            return self.refer(_text(content, "module_path"), _text(content, "function"))
        return self.named(node)

    def read_partial(self, node: Node) -> object:
        content = _node(node.get("content"))
        parts = tuple(self.value(content.get(n)) for n in ("func", "args", "kwds", "namespace"))
        return Instance(self.refer("functools", "partial", called=True), parts)

    def read_method(self, node: Node) -> object:
        content = _node(node.get("content"))
        owner, cls = self.value(content.get("obj")), self.named(node)
        if not isinstance(owner, Instance) or owner.cls != cls:
            raise broken("a method belongs to another class")
        # A dotted name is none that is known: the user must vouch for it.
        self.refer(cls.module, f"{cls.name}.{_text(content, 'func')}")
        return Instance(Global("builtins", "getattr"), (owner,))

    def read_operator(self, node: Node) -> object:
        raise dangerous(f"it calls operator.{_text(node, '__class__'):.40}, which no model needs")

    def read_cached(self, node: Node) -> object:
        raise broken("it refers to an object that is not there")  # else the memo had it

    def _member(self, name: str) -> zipfile.ZipInfo:
        try:
            info = self.archive.getinfo(name)
        except KeyError:
            raise broken(f"{name!r:.60} is missing in it") from None
        if info.flag_bits & ENCRYPTED or info.compress_type not in READABLE:
            raise Refused(
                "unsupported",
                "The file is compressed in a way that cannot be inspected.",
                "Save the model again with skops.io.dump(model, 'model.skops').",
            )
        return info


def _is_scalar(name: Global) -> bool:
    return name.module == "numpy" and SCALAR.fullmatch(name.name) is not None


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise broken("an array ends early")
    return data


def _parse(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise broken("it holds JSON that is unreadable") from None


def _node(value: object) -> Node:
    if not isinstance(value, dict):
        raise broken("a node is missing")
    return value


def _text(node: Node, name: str) -> str:
    value = node.get(name)
    if not isinstance(value, str):
        raise broken(f"a node has no {name}")
    return value


LOADERS: Mapping[str, Callable[[_Reader, Node], object]] = {
    "BytearrayNode": _Reader.read_bytes,
    "BytesNode": _Reader.read_bytes,
    "CachedNode": _Reader.read_cached,
    "ConstructorFromReduceNode": _Reader.read_constructed,
    "DTypeNode": _Reader.read_dtype,
    "DefaultDictNode": _Reader.read_default_dict,
    "DictNode": _Reader.read_dict,
    "FunctionNode": _Reader.read_function,
    "JsonNode": _Reader.read_json,
    "ListNode": _Reader.read_list,
    "LossNode": _Reader.read_reduced,
    "MaskedArrayNode": _Reader.read_masked_array,
    "MethodNode": _Reader.read_method,
    "NdArrayNode": _Reader.read_array,
    "ObjectNode": _Reader.read_object,
    "OperatorFuncNode": _Reader.read_operator,
    "PartialNode": _Reader.read_partial,
    "RandomGeneratorNode": _Reader.read_generator,
    "RandomStateNode": _Reader.read_random_state,
    "SetNode": _Reader.read_set,
    "SliceNode": _Reader.read_slice,
    "SparseMatrixNode": _Reader.read_sparse,
    "TreeNode": _Reader.read_reduced,
    "TupleNode": _Reader.read_tuple,
    "TypeNode": _Reader.read_function,
    "_DictWithDeprecatedKeysNode": _Reader.read_default_dict,
}
