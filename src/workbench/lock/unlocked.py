"""What adopt writes without the network: requirements.in, and exact pins without hashes."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from workbench import vendor
from workbench.inspect.pickle.names import DISTRIBUTIONS
from workbench.lock.pins import Pins
from workbench.lock.requirements import distribution_of

MODEL_LIBRARIES = frozenset(
    """
    catboost imbalanced-learn interpret-core joblib lightgbm numpy pandas scikit-learn scipy
    skops statsmodels xgboost xgboost-cpu
    """.split()
)

_HEAD = """\
# What the service needs: the model's libraries as its file says, Flask, gunicorn, Swagger UI.
# Lines of your own are kept. `make lock` turns this file into requirements.txt.
"""


def requirements_in(
    pins: Pins, previous: str = "", former: Collection[str] = (), engine: Iterable[str] = ()
) -> str:
    """Return requirements.in; lines that a person added to the previous one stay.

    `engine` is the line of the vendored engine, if the project has one. `former` names the
    libraries of the model before: those that only it needed leave the file.
    """
    written = {*map(distribution_of, pins.bounds), *pins.unpinned, *MODEL_LIBRARIES}
    written |= set(DISTRIBUTIONS.values()) & set(former)
    own = [
        line
        for line in previous.splitlines()
        if line.strip()
        and line not in _HEAD.splitlines()
        and distribution_of(line) not in written
        and vendor.parse_line(line.strip()) is None
    ]
    return _HEAD + "".join(f"{line}\n" for line in [*engine, *pins.requirements, *own])


def unlocked(pins: Iterable[str], wheels: Iterable[str] = ()) -> str:
    """Return exact pins without hashes: what is known without the network.

    The vendored wheels carry no hash here either: with one, pip demands hashes for every line.
    """
    head = "# Exact, but not locked yet: run `make lock` before the push.\n"
    return head + "".join(f"{line}\n" for line in [*wheels, *sorted(pins)])
