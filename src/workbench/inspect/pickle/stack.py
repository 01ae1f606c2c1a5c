"""The unpickling stack, its marks and the memo, as the pickle opcodes use them."""

from __future__ import annotations

from workbench.inspect.pickle.budget import Budget
from workbench.inspect.pickle.values import Dict, Instance, Set
from workbench.inspect.refused_file import dangerous, malformed

OBJECT_COST, INSTANCE_COST = 80, 200  # bytes of memory that even a small one takes


class PickleStack:
    """The state of the pickle virtual machine; new values are charged to a budget.

    Each method refuses what would make a real unpickler fail or read another mark's values.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.stack: list[object] = []
        self.marks: list[int] = []  # heights of the stack at each MARK
        self.memo: list[object] = []
        self.states: dict[int, Dict] = {}  # by id: what objects have taken their state from

    def push(self, value: object) -> None:
        self.stack.append(value)

    def push_new(self, value: object, size: int = OBJECT_COST) -> None:
        """Push a value and charge its memory."""
        self.budget.charge(size)
        self.stack.append(value)

    def pop(self) -> object:
        self.require(1)
        return self.stack.pop()

    def top(self) -> object:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise malformed("it takes a value that is not there")
        return self.stack[-1]

    def require(self, count: int) -> None:
        """Check that at least `count` values lie above the last mark."""
        if len(self.stack) - count < (self.marks[-1] if self.marks else 0):
            raise malformed("it takes a value that is not there")

    def mark(self) -> None:
        self.marks.append(len(self.stack))

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

    # The memo.

    def memoize(self) -> None:
        self.require(1)
        self.memo.append(self.stack[-1])

    def store(self, index: int) -> None:
        """Memoize the top of the stack; an index can be overwritten but not left out."""
        value = self.top()
        if index == len(self.memo):
            self.memo.append(value)
        elif index < len(self.memo):
            self.memo[index] = value
        else:
            raise malformed("the memo has gaps")

    def fetch(self, index: int) -> None:
        if index >= len(self.memo):
            raise malformed("it refers to a value that was never memoized")
        self.stack.append(self.memo[index])

    # Containers.

    def pop_tuple(self, size: int) -> None:
        """Replace the top `size` values by a tuple of them."""
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
        """Add alternating keys and values to the dict at the top."""
        target = self.top()
        if len(flat) % 2:
            raise malformed("a key of a dict has no value")
        if isinstance(target, Instance):
            target.entries = target.entries or Dict()
            target.entries.extend(flat)
        elif isinstance(target, Dict):
            if id(target) in self.states:  # the object has kept what was in it before
                raise dangerous("it changes a state that it has set already")
            target.extend(flat)
        else:
            raise malformed("it sets items of something that is no dict")

    def keep_state(self, state: object) -> None:
        """Let the dicts of a state stay as they are: an object copies them."""
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, Dict):
                self.states[id(part)] = part

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def push_dict_from_mark(self) -> None:
        flat = self.pop_to_mark()
        self.push_new(Dict())
        self.set_items(flat)
