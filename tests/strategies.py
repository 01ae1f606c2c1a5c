"""Hypothesis strategies: features of a contract, and values of JSON."""

from __future__ import annotations

from hypothesis import strategies as st

from model_service.contract.contract import Feature

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
features = st.builds(
    Feature,
    name=st.text(min_size=1),
    type=st.sampled_from(["number", "integer", "boolean", "text", "date"]),
    nullable=st.booleans(),
    minimum=st.none() | st.integers(-5, 5),
    strict=st.none() | st.booleans(),
) | st.builds(
    Feature,
    name=st.text(min_size=1),
    type=st.just("category"),
    categories=st.none()
    | st.lists(st.text() | st.integers(-3, 3), min_size=1, unique=True).map(tuple),
    nullable=st.booleans(),
    strict=st.none() | st.booleans(),
)
