"""The readers of what strangers send keep their promises, whatever a fuzzer makes of the seeds."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest
from fuzz.fuzzer import NAMES, Fuzzer
from fuzz.seeds import SEEDS
from fuzz.targets import TARGETS

# Some ten seconds each.
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


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Fuzzer:
    return Fuzzer(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.slow
@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="atheris has no wheel"
)
@pytest.mark.parametrize("name", NAMES)
def test_mutants_of_the_seeds(name: str, fuzzer: Fuzzer) -> None:
    outcome = fuzzer.attack(name, f"-runs={RUNS[name]}", "-seed=1")
    assert outcome.failure is None, outcome.failure
    assert outcome.runs >= RUNS[name]
