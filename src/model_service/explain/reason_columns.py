"""The reasons of many rows as columns: reason_1, reason_2, …"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def reason_names(count: int) -> list[str]:
    """Return the names of the columns."""
    return [f"reason_{number}" for number in range(1, count + 1)]


def reason_columns(explained: Sequence[Mapping[str, Any]], count: int) -> dict[str, list[str]]:
    """Return the texts of the reasons by column; "" if a row has fewer.

    `explained` has for each row the members that `explain_rows` adds to its answer.
    """
    texts = [[reason["reason"] for reason in members["reasons"]] for members in explained]
    return {
        name: [of_row[place] if place < len(of_row) else "" for of_row in texts]
        for place, name in enumerate(reason_names(count))
    }
