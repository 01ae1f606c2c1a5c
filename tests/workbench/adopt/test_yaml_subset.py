"""The YAML that MLflow writes is read; everything else is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.adopt.yaml_subset import NotInSubset, parse_yaml

MLMODEL = r"""
artifact_path: model
flavors:
  python_function:
    env:
      conda: conda.yaml
    loader_module: mlflow.sklearn
  lightgbm:
    code: null
    skops_trusted_types:
    - lightgbm.basic.Booster
    - collections.OrderedDict
  sklearn: {}
is_signature_from_type_hint: false
signature:
  inputs: '[{"type": "long", "name": "it''s", "required": true}, {"type": "double",
    "name": "fare"}]'
  quoted: "K\xF6ln \u20AC \
    and more"
  params: null
"""


def test_a_description_of_a_model() -> None:
    assert parse_yaml(MLMODEL) == {
        "artifact_path": "model",
        "flavors": {
            "python_function": {
                "env": {"conda": "conda.yaml"},
                "loader_module": "mlflow.sklearn",
            },
            "lightgbm": {
                "code": None,
                "skops_trusted_types": ["lightgbm.basic.Booster", "collections.OrderedDict"],
            },
            "sklearn": {},
        },
        "is_signature_from_type_hint": "false",
        "signature": {
            "inputs": (
                '[{"type": "long", "name": "it\'s", "required": true}, {"type": "double", '
                '"name": "fare"}]'
            ),
            "quoted": "Köln € and more",
            "params": None,
        },
    }


def test_lists_of_mappings() -> None:
    text = "dependencies:\n- python=3.11\n- pip:\n  - mlflow==3.1\n  - numpy\n"
    expected = {"dependencies": ["python=3.11", {"pip": ["mlflow==3.1", "numpy"]}]}
    assert parse_yaml(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n- b", "no mapping"),
        ("a: &x 1", "not read"),
        ("a: *x", "not read"),
        ("a: !!python/object:os.system x", "not read"),
        ("a: |\n  text", "not read"),
        ("a: {b: 1}", "not read"),
        ("a: [1]", "not read"),
        ("a: 1\na: 2", "twice"),
        ("a: 'x", "does not end"),
        ('a: "\\q"', "unknown escape"),
        ("no key", "no key"),
        ("a:\n    b: 1\n  c: 2", "no mapping"),
        ("x" * (2 << 20), "too long"),
        ("\n".join(" " * n + "a:" for n in range(30)), "too deeply"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(NotInSubset, match=words):
        parse_yaml(text)


@given(st.text(alphabet="ab: -'\"\\\n{}[]&#", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(NotInSubset):
        assert isinstance(parse_yaml(text), dict)


@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_single_quoted_texts(text: str) -> None:
    quoted = text.replace("'", "''")
    if text == text.strip():
        assert parse_yaml(f"a: '{quoted}'") == {"a": text}
