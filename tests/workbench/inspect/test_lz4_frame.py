"""LZ4 frames: what lz4 itself wrote, and what the format allows and forbids."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import TESTS

from workbench.inspect import Refused, inspect
from workbench.inspect.formats.lz4_frame import MAGIC, Lz4Decoder

# RandomForestClassifier(3) of scikit-learn 1.6.1, by joblib.dump to a name that ends with .lz4
FOREST = TESTS / "data" / "forest.joblib.lz4"
LINKED, INDEPENDENT, STORED = 0x40, 0x60, 1 << 31


def frame(*blocks: bytes, flags: int = LINKED, stored: bool = False) -> bytes:
    """Return a frame of compressed blocks, or of blocks that are stored as they are."""
    parts = [(len(b) | (STORED if stored else 0)).to_bytes(4, "little") + b for b in blocks]
    return MAGIC + bytes([flags, 0x70, 0]) + b"".join(parts) + bytes(4)


def decoded(data: bytes, step: int = 1 << 16) -> bytes:
    decoder, made = Lz4Decoder(), b""
    for start in range(0, len(data), step):
        made += decoder.decompress(data[start : start + step], 1 << 16)
        while not decoder.needs_input and not decoder.eof:
            made += decoder.decompress(b"", 1 << 16)
    assert decoder.eof
    assert decoder.unused_data == b""
    return made


def test_a_model_of_joblib_is_read() -> None:
    facts = inspect(FOREST)
    assert (facts.container, facts.compression) == ("joblib", "lz4")
    assert (facts.estimator, facts.classes, facts.n_features) == (
        "RandomForestClassifier",
        (0, 1),
        3,
    )
    assert "lz4" in facts.distributions


@pytest.mark.parametrize("step", [1, 3, 1000])
@pytest.mark.parametrize(
    ("data", "content"),
    [
        (frame(), b""),
        (frame(b"plain", stored=True), b"plain"),
        (frame(b"\x50hello"), b"hello"),
        # one literal, a match of 4 + 15 + 255 + 3 bytes that reaches into itself, no literals
        (frame(b"\x1fa\x01\x00\xff\x03\x00"), b"a" * 278),
        (frame(b"\x50hello", b"\x01\x05\x00\x10!"), b"hellohello!"),
        (frame(b"\xf0\x02" + b"seventeen letters"), b"seventeen letters"),
    ],
)
def test_the_format(data: bytes, content: bytes, step: int) -> None:
    assert decoded(data, step) == content


BOMB = b"\x1fa\x01\x00" + b"\xff" * 20_000 + b"\x00\x00"
BROKEN = {
    "a match before the beginning": frame(b"\x50hello", b"\x00\x09\x00\x00"),
    "a match in a block before": frame(b"\x50hello", b"\x00\x05\x00\x00", flags=INDEPENDENT),
    "a match of itself": frame(b"\x10a\x00\x00\x00"),
    "a block that ends in a length": frame(b"\xf0"),
    "literals beyond the block": frame(b"\xf0\x09abc"),
    "a block that inflates beyond its size": frame(BOMB),
    "a block that is too long": MAGIC + b"\x40\x70\0" + b"\xff\xff\xff\x7f",
    "another version": MAGIC + b"\x80\x70\0" + bytes(4),
    "a dictionary": MAGIC + b"\x41\x70\0" + bytes(8),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_what_breaks_the_format_is_refused(data: bytes) -> None:
    with pytest.raises(Refused) as refusal:
        decoded(data)
    assert refusal.value.code == "malformed"


def test_a_frame_that_is_cut_off_or_followed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.lz4"
    whole = FOREST.read_bytes()
    for size in (4, 7, 20, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(Refused) as refusal:
            inspect(path)
        assert refusal.value.code == "truncated", size
    path.write_bytes(whole + b"x")
    with pytest.raises(Refused, match="after the compressed data"):
        inspect(path)


def test_steps_are_counted() -> None:
    """Short matches of short literals are the slowest that there is."""
    block = b"\x10a\x01\x00" * 400_000 + b"\x10a"
    with pytest.raises(Refused, match="too many steps"):
        decoded(frame(*[block] * 5))
