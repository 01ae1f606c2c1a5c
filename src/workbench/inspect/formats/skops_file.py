"""Read a skops file: a tree of nodes in schema.json, and the data of arrays beside it.

Like the pickle interpreter it only describes: it imports nothing, calls nothing, and records each
name that skops would import or call while it loads the same nodes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import BinaryIO

from workbench.inspect.formats.skops_archive import (
    SkopsArchive,
    broken,
    open_archive,
    parse_json,
)
from workbench.inspect.pickle.arrays import plain
from workbench.inspect.pickle.budget import Budget
from workbench.inspect.pickle.load_effects import LoadEffects
from workbench.inspect.pickle.object_state import StateCheck
from workbench.inspect.pickle.stack import INSTANCE_COST, OBJECT_COST
from workbench.inspect.pickle.values import Array, Dict, DType, Global, Instance, Set
from workbench.inspect.refused_file import RefusedFile, dangerous

NEWEST_PROTOCOL = 2
MAX_NESTING = 150

SCALAR = re.compile(r"(bool|str|bytes|(complex|float|int|uint)\d*|datetime64|timedelta64)_?")
BIT_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
LOSSES = ("_loss", "sklearn._loss._loss", "sklearn.linear_model._sgd_fast")
KEY_TYPES: Mapping[str, Callable[[str], object]] = {"str": str, "int": int, "float": float}
DICT, LIST, TUPLE, SET = (Global("builtins", name) for name in ("dict", "list", "tuple", "set"))
BUNCHES = (Global("sklearn.utils", "Bunch"), Global("sklearn.utils._bunch", "Bunch"))
ND_ARRAY = Global("numpy", "ndarray")
UNFINISHED = object()

Node = dict[str, object]


def read_skops(file: BinaryIO, effects: LoadEffects, budget: Budget) -> object:
    """Return the value that a skops file describes; the names in it go into `effects`."""
    with open_archive(file, budget) as archive:
        reader = _NodeReader(archive, effects, budget)
        schema = _node(archive.schema())
        protocol = schema.get("protocol")
        if type(protocol) is not int or not 0 <= protocol <= NEWEST_PROTOCOL:
            raise RefusedFile(
                "unsupported",
                f"The file was written by another skops: its protocol is {protocol!r:.20}.",
                f"Save the model again with a skops of protocol {NEWEST_PROTOCOL}, such as 0.16.",
            )
        effects.protocol = protocol
        return reader.value(schema)


class _NodeReader:
    """Read the nodes of one file."""

    def __init__(self, archive: SkopsArchive, effects: LoadEffects, budget: Budget) -> None:
        self.archive, self.effects, self.budget = archive, effects, budget
        # As in skops, a node with an id is read once; a second one with that id is the same object.
        self.memo: dict[int, object] = {}
        self.depth = 0
        self.state_check = StateCheck()

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
        if self.depth > MAX_NESTING:
            raise broken("objects are nested too deeply")
        if key:
            self.memo[key] = UNFINISHED
        self.depth += 1
        value = handler(self, node)
        self.depth -= 1
        if key:
            self.memo[key] = value
        self.budget.charge(INSTANCE_COST if isinstance(value, Instance | Array) else OBJECT_COST)
        return value

    def named(self, node: Node, *, called: bool = False) -> Global:
        """Record and return the class or function that skops imports for a node."""
        return self.refer(_text(node, "__module__"), _text(node, "__class__"), called=called)

    def refer(self, module: str, name: str, *, called: bool = False) -> Global:
        found = Global(module, name)
        self.effects.names.add(found)
        if called:
            self.effects.calls.add(found)
        return found

    def values(self, node: Node) -> list[object]:
        content = node.get("content")
        if not isinstance(content, list):
            raise broken("a list has no items")
        return [self.value(item) for item in content]

    # The nodes.

    def read_json(self, node: Node) -> object:
        value = parse_json(_text(node, "content"))
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
                self.effects.calls.add(kind)
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
                self.effects.discarded.append((self.value(content[name]),))
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
        return self.archive.read_bytes(_text(node, "file"))

    def read_array(self, node: Node) -> object:
        cls = Global(_text(node, "__module__"), _text(node, "__class__"))
        if cls != ND_ARRAY:
            self.named(node, called=not _is_scalar(cls))
        if node.get("type") == "numpy":
            return plain(self.archive.read_array(_text(node, "file")))
        if node.get("type") != "json":
            raise broken("an array is of an unknown kind")
        items, shape = self.values(node), self.value(node.get("shape"))
        if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
            raise broken("an array has an unreadable shape")
        return Array(shape, DType("O", 8, has_object=True), items)

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
        self.archive.member(_text(node, "file"))
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
        self.effects.classes.add(cls)
        state = self.value(content) if content is not None else None
        self.state_check.check(cls, state)
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
        self.state_check.check(cls, state)
        return Instance(cls, args if isinstance(args, tuple) else (args,), state or None)

    def read_function(self, node: Node) -> object:
        content = node.get("content")
        if isinstance(content, dict):  # protocol 0
            return self.refer(_text(content, "module_path"), _text(content, "function"))
        return self.named(node)

    def read_partial(self, node: Node) -> object:
        content = _node(node.get("content"))
        parts = tuple(self.value(content.get(n)) for n in ("func", "args", "kwds", "namespace"))
        if not isinstance(parts[1], tuple) or not isinstance(parts[2], Dict):
            raise dangerous("it prepares a call as Python never does")
        return Instance(self.refer("functools", "partial", called=True), parts)

    def read_method(self, node: Node) -> object:
        content = _node(node.get("content"))
        owner, cls = self.value(content.get("obj")), self.named(node)
        if not isinstance(owner, Instance) or owner.cls != cls:
            raise broken("a method belongs to another class")
        # No dotted name is on the known list, so this one needs the user's trust.
        self.refer(cls.module, f"{cls.name}.{_text(content, 'func')}")
        return Instance(Global("builtins", "getattr"), (owner,))

    def read_operator(self, node: Node) -> object:
        raise dangerous(f"it calls operator.{_text(node, '__class__'):.40}, which no model needs")

    def read_cached(self, node: Node) -> object:
        raise broken("it refers to an object that is not there")  # the memo would have had it


def _is_scalar(name: Global) -> bool:
    return name.module == "numpy" and SCALAR.fullmatch(name.name) is not None


def _node(value: object) -> Node:
    if not isinstance(value, dict):
        raise broken("a node is missing")
    return value


def _text(node: Node, name: str) -> str:
    value = node.get(name)
    if not isinstance(value, str):
        raise broken(f"a node has no {name}")
    return value


LOADERS: Mapping[str, Callable[[_NodeReader, Node], object]] = {
    "BytearrayNode": _NodeReader.read_bytes,
    "BytesNode": _NodeReader.read_bytes,
    "CachedNode": _NodeReader.read_cached,
    "ConstructorFromReduceNode": _NodeReader.read_constructed,
    "DTypeNode": _NodeReader.read_dtype,
    "DefaultDictNode": _NodeReader.read_default_dict,
    "DictNode": _NodeReader.read_dict,
    "FunctionNode": _NodeReader.read_function,
    "JsonNode": _NodeReader.read_json,
    "ListNode": _NodeReader.read_list,
    "LossNode": _NodeReader.read_reduced,
    "MaskedArrayNode": _NodeReader.read_masked_array,
    "MethodNode": _NodeReader.read_method,
    "NdArrayNode": _NodeReader.read_array,
    "ObjectNode": _NodeReader.read_object,
    "OperatorFuncNode": _NodeReader.read_operator,
    "PartialNode": _NodeReader.read_partial,
    "RandomGeneratorNode": _NodeReader.read_generator,
    "RandomStateNode": _NodeReader.read_random_state,
    "SetNode": _NodeReader.read_set,
    "SliceNode": _NodeReader.read_slice,
    "SparseMatrixNode": _NodeReader.read_sparse,
    "TreeNode": _NodeReader.read_reduced,
    "TupleNode": _NodeReader.read_tuple,
    "TypeNode": _NodeReader.read_function,
    "_DictWithDeprecatedKeysNode": _NodeReader.read_default_dict,
}
