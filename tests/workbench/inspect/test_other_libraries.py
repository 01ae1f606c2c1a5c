"""Files of public libraries that are not served get one sentence, whatever else is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.inspect import RefusedFile, inspect
from workbench.inspect.pickle.other_libraries import LIBRARIES, REMEDY


def pickled(module: str, *, more: bytes = b"") -> bytes:
    return b"\x80\x02" + f"c{module}\nModel\n".encode() + b")\x81" + more + b"."


@pytest.mark.parametrize("package", LIBRARIES)
@pytest.mark.parametrize(
    "more",
    [b"", b"cbuiltins\neval\n0", b"cos\nsystem\n0", b"\x9a"],
    ids=["plain", "a builtin", "a dangerous name", "no pickle opcode"],
)
def test_one_sentence(package: str, more: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickled(f"{package}.part", more=more))
    with pytest.raises(RefusedFile) as refusal:
        inspect(path)
    assert refusal.value.code == "unsupported"
    assert refusal.value.what.startswith(f"The file holds a model of {LIBRARIES[package][0]}, ")
    assert refusal.value.remedy == REMEDY


@pytest.mark.parametrize("module", ["interpret", "surprise", "supervised", "implicit.mine"])
def test_modules_of_ones_own_with_such_names(module: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickled(module))
    assert inspect(path).unknown_names == (f"{module}.Model",)
