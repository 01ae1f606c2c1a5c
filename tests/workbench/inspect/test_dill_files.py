"""What dill writes of a plain model is read; code that it pickled is refused by name.

The files in data/dill were made by its make.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import TESTS

from workbench.inspect import RefusedFile, inspect

MADE = TESTS / "data" / "dill"


def test_a_model_saved_by_dill_is_read() -> None:
    facts = inspect(MADE / "pipeline.pkl")
    assert facts.feature_names == ("income", "area")
    assert facts.classes == ("N", "Y")
    assert facts.encoded == {"area": ("Rural", "Semiurban", "Urban")}
    assert facts.unknown_names == ()
    assert "dill" in facts.distributions


def test_code_pickled_by_dill_is_refused() -> None:
    with pytest.raises(RefusedFile, match="code that was pickled with it by dill"):
        inspect(MADE / "lambda.pkl")


def call(name: str, arguments: str) -> bytes:
    """Return a pickle that makes one call to dill."""
    return f"cdill._dill\n{name}\n({arguments}tR.".encode()


@pytest.mark.parametrize(
    "pickled",
    [
        call("_load_type", "VCodeType\n"),
        call("_load_type", "Vtype\n"),
        call("_load_type", ""),
        call("_load_type", "(l"),
        call("_import_module", "Vos\n"),
        call("_eval_repr", "Vprint(1)\n"),
        call("_create_array", "cos\nsystem\n(Vid\ntNN"),
        call("_create_array", "cbuiltins\nbytearray\n(I0\ntNN"),
        call("_create_array", "cnumpy.core.multiarray\n_reconstruct\nNNN"),
        call("_create_array", "cnumpy.core.multiarray\n_reconstruct\n(I0\ntN(d"),
        call("_create_array", ""),
    ],
)
def test_other_calls_of_dill_are_refused(pickled: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickled)
    with pytest.raises(RefusedFile):
        inspect(tmp_path / "model.pkl")
