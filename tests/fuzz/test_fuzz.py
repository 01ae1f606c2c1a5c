"""The readers of untrusted input hold their guarantees for the seeds and for fuzzed inputs."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TESTS
from fuzz.fuzzer import NAMES, Fuzzer
from fuzz.seeds import SEEDS
from fuzz.targets import TARGETS

# Inputs for each target: about ten seconds.
RUNS = {
    "json": 100_000,
    "csv": 15_000,
    "contract": 40_000,
    "features": 15_000,
    "request": 8_000,
    "model": 10_000,
}


@pytest.mark.parametrize("name", NAMES)
def test_the_seeds(name: str, tmp_path: Path) -> None:
    attack = TARGETS[name](tmp_path)
    for seed in SEEDS[name]():
        attack(seed)


GROWN_MB = 300
# Allocates, then prints the peak memory (kB) of two children: started directly, and as a fuzzer is.
GROWN_PROCESS = f"""
import subprocess, sys
from fuzz.fuzzer import from_fresh_process
memory = b"x" * ({GROWN_MB} << 20)
source = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
child = [sys.executable, "-c", source]
for command in (child, from_fresh_process(child)):
    subprocess.run(command, check=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kB and inherited on Linux")
def test_a_fuzzer_does_not_inherit_the_peak_memory_of_its_parent() -> None:
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-c", GROWN_PROCESS]
    result = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    inherited, fresh = (int(line) >> 10 for line in result.stdout.split())
    assert inherited >= GROWN_MB  # what the fuzzer would begin with otherwise
    assert fresh < 100


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Fuzzer:
    return Fuzzer(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.slow
@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="atheris has no wheel"
)
@pytest.mark.parametrize("name", NAMES)
def test_mutants_of_the_seeds(name: str, fuzzer: Fuzzer) -> None:
    outcome = fuzzer.fuzz(name, f"-runs={RUNS[name]}", "-seed=1")
    assert outcome.failure is None, outcome.failure
    assert outcome.runs >= RUNS[name]
