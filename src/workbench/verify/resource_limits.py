"""Limit memory and time of the proof, and keep it in a sandbox.

    python -m workbench.verify.resource_limits MEGABYTES MODULE

runs a module in the working directory, the only one that it can write. Memory is limited, and the
kernel's sandbox is there, on Linux only; elsewhere the engine's guard refuses what Python sees.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import UserError
from workbench.heroku import BASIC, MEGABYTE
from workbench.verify.sandbox import leave_files, leave_network, missing_sandbox

if sys.platform != "win32":
    import resource


@dataclass(frozen=True)
class Limits:
    """Memory and time of the proof. CatBoost alone reserves 1,200 MB, and uses a tenth of it."""

    megabytes: int = 4096
    seconds: int = 600

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Limits:
        """Read PROOF_MEGABYTES and PROOF_SECONDS. Raises UserError."""
        limits = {}
        for name, variable in (("megabytes", "PROOF_MEGABYTES"), ("seconds", "PROOF_SECONDS")):
            if text := environ.get(variable, ""):
                if not text.isdecimal() or int(text) == 0:
                    raise UserError(f"{variable}={text!r} is not a whole number above 0.")
                limits[name] = int(text)
        return cls(**limits)


def out_of_memory() -> str:
    """Return the message for a model that has reached the memory limit."""
    megabytes = memory_limit() // MEGABYTE
    return (
        f"The model needs more than the {megabytes} MB of memory that the proof may take. If it is "
        f"meant for a dyno that has more, put PROOF_MEGABYTES={2 * megabytes} before the command."
    )


def in_a_dyno(peak: int) -> str:
    """Return a sentence that compares the proof's peak memory, in bytes, with a Basic dyno."""
    taken = f"Loading and predicting took {-(-peak // MEGABYTE)} MB of memory at most"
    if peak <= BASIC.megabytes * MEGABYTE:
        return f"{taken}; a Basic dyno has {BASIC.megabytes} MB."
    return f"Note: {taken}, which is more than the {BASIC.megabytes} MB of a Basic dyno."


def peak_memory() -> int | None:
    """Return the peak memory of this process in bytes, or None if the system does not report it."""
    with contextlib.suppress(OSError):
        # Not ru_maxrss: it includes the parent process, of which this one was a copy at first.
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        for line in lines:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return None


def memory_limit() -> int:
    """Return the limit of this process's private memory in bytes."""
    if sys.platform == "win32":
        return sys.maxsize
    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return soft if soft != resource.RLIM_INFINITY else sys.maxsize


def limit_memory(size: int) -> None:
    """Limit the private memory of this process, in bytes."""
    if sys.platform == "win32":
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = size if hard == resource.RLIM_INFINITY else min(size, hard)
    # Not the address space: threads reserve far more of it than they use.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def run_with_note(module: str, note: str | None) -> None:
    """Run a module as a program; print the note after its report unless it fails."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code:
            raise
    if note is not None:
        print(note)


if __name__ == "__main__":
    megabytes, module = sys.argv[1:]
    note = missing_sandbox(network=leave_network(), files=leave_files(Path.cwd()))
    limit_memory(int(megabytes) * MEGABYTE)
    os.environ["JOBLIB_MULTIPROCESSING"] = "0"  # it would try shared memory, and warn
    # As the service does: with few rows, threads only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.argv = [module]
    run_with_note(module, note)
