"""What adopt writes without the network: requirements.in, and exact pins without hashes."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from workbench import vendor
from workbench.inspect.pickle.names import DISTRIBUTIONS
from workbench.lock.pins import Pins, imported_as
from workbench.lock.requirements import distribution_of

# Of a former model's libraries, those whose lines are written here. Its code can import others,
# whose lines a person can have completed.
_LIBRARIES = frozenset((*DISTRIBUTIONS.values(), "skops"))

_HEAD = """\
# What the service needs: the model's libraries as its file says, Flask, gunicorn, Swagger UI.
# Lines of your own are kept. `make lock` turns this file into requirements.txt.
"""


def requirements_in(
    pins: Pins, previous: str = "", former: Collection[str] = (), engine: Iterable[str] = ()
) -> str:
    """Return requirements.in; lines that a person added to the previous one stay.

    `engine` is the line of the vendored engine, if the project has one. `former` names the
    libraries of the model before: those that only it needed leave the file. A line for a library
    that the new model pins gives way to the pin.
    """
    written = {*map(_library_of, pins.bounds), *pins.unpinned, *(_LIBRARIES & set(former))}
    own = [
        line
        for line in previous.splitlines()
        if line.strip()
        and line not in _HEAD.splitlines()
        and _library_of(line) not in written
        and vendor.parse_line(line.strip()) is None
    ]
    return _HEAD + "".join(f"{line}\n" for line in [*engine, *pins.requirements, *own])


def _library_of(line: str) -> str:
    """Return the library of a line as a manifest names it: xgboost for xgboost-cpu."""
    return imported_as(distribution_of(line))


def unlocked(pins: Iterable[str], wheels: Iterable[str] = ()) -> str:
    """Return exact pins without hashes: what is known without the network.

    The vendored wheels carry no hash here either: with one, pip demands hashes for every line.
    """
    head = "# Exact, but not locked yet: run `make lock` before the push.\n"
    return head + "".join(f"{line}\n" for line in [*wheels, *sorted(pins)])
