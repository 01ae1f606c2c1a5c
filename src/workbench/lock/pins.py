"""The versions that a project is pinned to, and the lines that pin them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# `xgboost-cpu` is the same code without 450 MB of CUDA. It has wheels for these machines only.
CPU_ONLY = (
    '(sys_platform == "linux" and platform_machine == "x86_64")'
    ' or (sys_platform == "win32" and platform_machine == "AMD64")'
)
NOT_CPU_ONLY = (
    '(sys_platform != "linux" or platform_machine != "x86_64")'
    ' and (sys_platform != "win32" or platform_machine != "AMD64")'
)
# The marker that xgboost itself has on its CUDA libraries.
CUDA = 'sys_platform == "linux" and platform_machine != "aarch64"'


class NoPins(Exception):
    """There are no pins for a model; the message says why, and what to do."""


@dataclass(frozen=True)
class Pins:
    """Exact versions by distribution, and ranges for requirements.in, all sorted.

    The mappings hold what is installed on x86_64 Linux; the lines also serve other machines.
    """

    python: str
    model: Mapping[str, str]
    service: Mapping[str, str]
    tests: Mapping[str, str]
    bounds: Mapping[str, str]
    unpinned: tuple[str, ...] = ()  # libraries of the model that the table of pins does not know

    @property
    def requirements(self) -> tuple[str, ...]:
        """Return the lines of requirements.in: ranges, with environment markers."""
        return _lines({**self.bounds, **dict.fromkeys(self.unpinned, "")})

    @property
    def exact(self) -> tuple[str, ...]:
        """Return the lines of an unlocked requirements.txt: exact, with environment markers."""
        pinned = {**self.model, **self.service}
        exact = {name: f"=={version}" for name, version in pinned.items()}
        return _lines({**exact, **dict.fromkeys(self.unpinned, "")})


def imported_as(distribution: str) -> str:
    """Return the name under which a distribution is known: xgboost for xgboost-cpu."""
    return distribution.removesuffix("-cpu")


def _lines(specifiers: Mapping[str, str]) -> tuple[str, ...]:
    """Return a line for each requirement, with the markers that keep other machines working."""
    lines = []
    for name, specifier in specifiers.items():
        if name == "xgboost-cpu":
            lines.append(f"xgboost{specifier} ; {NOT_CPU_ONLY}")
            lines.append(f"{name}{specifier} ; {CPU_ONLY}")
        elif name.startswith("nvidia-"):
            lines.append(f"{name}{specifier} ; {CUDA}")
        else:
            lines.append(f"{name}{specifier}")
    return tuple(sorted(lines))
