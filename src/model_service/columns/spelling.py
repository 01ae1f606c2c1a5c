"""How the names of features are spelled in the file of a model."""

from __future__ import annotations


def without_spaces(name: str) -> str:
    """Return the name of a feature as LightGBM writes it."""
    return name.replace(" ", "_")
