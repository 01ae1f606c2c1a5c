"""Attack the readers with atheris, one target after the other, from the seeds and what was found.

    python tests/fuzz/fuzzer.py --folder .fuzz --seconds 600 [TARGET ...]

It is installed into the folder: 130 MB that no other test needs, and wheels for Linux only.
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

# An input has so many seconds, and the process so many MB.
TIMEOUT, MEMORY = 5, 1024
LONGEST = 8192


@dataclass(frozen=True)
class Outcome:
    """What came of one target: how often it was run, and the output of a failure."""

    runs: int
    failure: str | None


class Fuzzer:
    """Atheris in a folder, with the inputs that were found there before."""

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

    def attack(self, name: str, *options: str) -> Outcome:
        """Run a target with options of libFuzzer."""
        seeds, found = self._folder / "seeds" / name, self._folder / "found" / name
        found.mkdir(parents=True, exist_ok=True)
        self._run([sys.executable, "-m", "fuzz.seeds", name, str(self._folder / "seeds")])
        result = self._run(
            [
                *(sys.executable, "-m", "fuzz", name, *options),
                *(f"-timeout={TIMEOUT}", f"-rss_limit_mb={MEMORY}", f"-max_len={LONGEST}"),
                f"-dict={self._folder / 'seeds' / 'words'}",
                f"-artifact_prefix={self._folder}/{name}-",
                "-print_final_stats=1",
                *(str(found), str(seeds)),
            ],
            check=False,
        )
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
    """Attack all targets, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument("--folder", type=Path, default=ROOT / ".fuzz")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    given = parser.parse_args()
    fuzzer = Fuzzer(given.folder)
    failed = False
    for name in given.names or NAMES:
        outcome = fuzzer.attack(name, f"-max_total_time={given.seconds}")
        failed = failed or outcome.failure is not None
        print(f"{name}: {outcome.runs:,} runs, {'FAILED' if outcome.failure else 'nothing found'}")
        if outcome.failure:
            print(outcome.failure)
    sys.exit(failed)


if __name__ == "__main__":
    main()
