"""Fuzz the readers with atheris, one target after another, from the seeds and earlier findings.

    python tests/fuzz/fuzzer.py --folder .fuzz --seconds 600 [TARGET ...]

Atheris is installed into the folder: it takes 130 MB, no other test needs it, and it has wheels for
Linux only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
ATHERIS = "atheris>=3.0,<4"
NAMES = ("json", "csv", "contract", "features", "request", "model")

TIMEOUT_SECONDS, MAX_MEMORY_MB = 5, 1024  # for one input, and for the process
MAX_INPUT_BYTES = 8192

# Linux hands a process's peak memory (ru_maxrss) on through exec, and libFuzzer compares that peak
# with rss_limit_mb: a fuzzer started by a large test worker would begin beyond its limit. So a
# fresh interpreter starts it, and the peak that it hands on is that interpreter's 10 MB.
START_COMMAND = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"


def from_fresh_process(command: list[str]) -> list[str]:
    """Return a command that runs `command` without this process's peak memory."""
    return [sys.executable, "-c", START_COMMAND, *command]


@dataclass(frozen=True)
class Outcome:
    """The result of fuzzing one target."""

    runs: int  # inputs that were tried
    failure: str | None  # the fuzzer's output if it failed


class Fuzzer:
    """Atheris, installed in a folder that also keeps the inputs of earlier runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        atheris = self._folder / "atheris"
        paths = (ROOT / "tests", SRC, atheris)
        self._environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
        }
        if not atheris.exists():
            uv = shutil.which("uv")
            assert uv, "make puts the uv of .venv on PATH"
            install = [uv, "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
            self._run([*install, "--python", sys.executable, "--target", str(atheris), ATHERIS])

    def fuzz(self, name: str, *options: str) -> Outcome:
        """Fuzz one target with these options of libFuzzer."""
        seeds, found = self._folder / "seeds" / name, self._folder / "found" / name
        found.mkdir(parents=True, exist_ok=True)
        self._run([sys.executable, "-m", "fuzz.seeds", name, str(self._folder / "seeds")])
        fuzz = [
            *(sys.executable, "-m", "fuzz", name, *options),
            f"-timeout={TIMEOUT_SECONDS}",
            f"-rss_limit_mb={MAX_MEMORY_MB}",
            f"-max_len={MAX_INPUT_BYTES}",
            f"-dict={self._folder / 'seeds' / 'words'}",
            f"-artifact_prefix={self._folder}/{name}-",
            "-print_final_stats=1",
            *(str(found), str(seeds)),
        ]
        result = self._run(from_fresh_process(fuzz), check=False)
        runs = result.stdout.partition("stat::number_of_executed_units:")[2].split()
        return Outcome(int(runs[0]) if runs else 0, result.stdout if result.returncode else None)

    def _run(self, command: list[str], check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=check,
        )


def main() -> None:
    """Fuzz all targets, or those named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument("--folder", type=Path, default=ROOT / ".fuzz")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    options = parser.parse_args()
    fuzzer = Fuzzer(options.folder)
    failed = False
    for name in options.names or NAMES:
        outcome = fuzzer.fuzz(name, f"-max_total_time={options.seconds}")
        failed = failed or outcome.failure is not None
        print(f"{name}: {outcome.runs:,} runs, {'FAILED' if outcome.failure else 'nothing found'}")
        if outcome.failure:
            print(outcome.failure)
    sys.exit(failed)


if __name__ == "__main__":
    main()
