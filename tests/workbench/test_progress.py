"""The lines of the steps: one each, with seconds, and nothing garbled without a terminal."""

from __future__ import annotations

import io
import re

import pytest

from workbench.progress import step


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_step_is_one_line_without_a_terminal() -> None:
    stream = io.StringIO()
    with step("Locking the libraries", stream):
        assert stream.getvalue() == ""
    with step("Testing", stream):
        pass
    assert re.fullmatch(
        r"  Locking the libraries {19}    0 s\n  Testing {33}    0 s\n", stream.getvalue()
    )


def test_a_terminal_ends_with_the_same_line() -> None:
    stream = Terminal()
    with step("Testing", stream):
        pass
    lines = re.split(r"[\r\n]", stream.getvalue())
    assert [line.split() for line in lines if line][-1] == ["Testing", "0", "s"]
    assert all(len(line) < 60 for line in lines)


def test_a_step_that_fails_says_so() -> None:
    stream = io.StringIO()
    with pytest.raises(KeyError), step("Testing", stream):
        raise KeyError
    assert stream.getvalue().endswith("s stopped\n")
