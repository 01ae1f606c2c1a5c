"""Read LZ4 frames, as joblib writes them, with the standard library alone.

https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md and lz4_Block_format.md
"""

from __future__ import annotations

from workbench.inspect.errors import Refused, malformed, too_big

MAGIC = b"\x04\x22\x4d\x18"
WINDOW = 64 << 10  # how far back a match may lie
LARGEST_BLOCK = 4 << 20
MOST_SEQUENCES = 1_500_000  # a second and a half of Python
VERSION, INDEPENDENT, BLOCK_CHECKSUM, CONTENT_SIZE, CONTENT_CHECKSUM, DICTIONARY = (
    *(0b01 << 6, 1 << 5, 1 << 4, 1 << 3, 1 << 2, 1),
)
UNCOMPRESSED = 1 << 31
SHORTEST_MATCH, LONG = 4, 15


class Lz4Decoder:
    """A decompressor with the interface of bz2's and lzma's."""

    def __init__(self) -> None:
        self._data = bytearray()  # what was given and not read yet
        self._made = bytearray()  # what was made and not returned yet
        self._window = b""  # the end of what was returned, in which matches lie
        self._flags: int | None = None
        self._sequences = MOST_SEQUENCES
        self._starved = True
        self.eof = False

    @property
    def needs_input(self) -> bool:
        return self._starved and not self._made

    @property
    def unused_data(self) -> bytes:
        return bytes(self._data) if self.eof else b""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Return up to `max_length` bytes. Raises Refused for a damaged frame."""
        self._data += data
        self._starved = False
        while not (self._made or self.eof or self._starved):
            self._starved = not self._next_part()
        size = len(self._made) if max_length < 0 else max_length
        piece = bytes(self._made[:size])
        del self._made[:size]
        return piece

    def _next_part(self) -> bool:
        """Read the header, a block or the end; say whether there was enough data for it."""
        if self._flags is None:
            return self._header()
        if len(self._data) < 4:
            return False
        size = int.from_bytes(self._data[:4], "little")
        checksum = 4 if self._flags & BLOCK_CHECKSUM else 0
        if size == 0:
            end = 4 + (4 if self._flags & CONTENT_CHECKSUM else 0)
            if len(self._data) < end:
                return False
            del self._data[:end]
            self.eof = True
            return True
        length = size & ~UNCOMPRESSED
        if length > LARGEST_BLOCK + LARGEST_BLOCK // 255 + 16:  # data that cannot be compressed
            raise damaged()
        if len(self._data) < 4 + length + checksum:
            return False
        block = bytes(self._data[4 : 4 + length])
        del self._data[: 4 + length + checksum]
        made = block if size & UNCOMPRESSED else self._block(block)
        self._window = (self._window + made)[-WINDOW:]
        self._made += made
        return True

    def _header(self) -> bool:
        if len(self._data) < 7:
            return False
        self._flags = self._data[4]
        if self._flags & 0b11 << 6 != VERSION or self._flags & DICTIONARY:
            raise damaged()
        end = 7 + (8 if self._flags & CONTENT_SIZE else 0)
        if len(self._data) < end:
            self._flags = None
            return False
        del self._data[:end]
        return True

    def _block(self, block: bytes) -> bytes:
        """Return what a block holds: literals, and matches of what lies before."""
        start = 0 if self._flags is not None and self._flags & INDEPENDENT else len(self._window)
        made = bytearray(self._window[:start])
        position = 0
        try:
            while True:
                self._sequences -= 1
                token = block[position]
                position += 1
                length, position = _length(block, position, token >> 4)
                if position + length > len(block):
                    raise damaged()
                made += block[position : position + length]
                position += length
                if position == len(block):
                    break
                offset = block[position] | block[position + 1] << 8
                length, position = _length(block, position + 2, token & LONG)
                if len(made) + length > start + LARGEST_BLOCK:
                    raise damaged()
                _copy(made, offset, length + SHORTEST_MATCH)
        except IndexError:
            raise damaged() from None
        if self._sequences < 0:
            raise too_big("its LZ4 data takes too many steps to read")
        return bytes(made[start:])


def _length(block: bytes, position: int, length: int) -> tuple[int, int]:
    """Return a length, of which the token holds the first part, and the next position."""
    if length == LONG:
        while (more := block[position]) == 255:
            length += more
            position += 1
        length += more
        position += 1
    return length, position


def _copy(made: bytearray, offset: int, length: int) -> None:
    """Repeat what lies `offset` bytes before the end; a match may reach into itself."""
    if not 0 < offset <= len(made):
        raise IndexError
    start = len(made) - offset
    piece = made[start : start + length]
    repeats, rest = divmod(length, len(piece))
    made += piece * repeats + piece[:rest]


def damaged() -> Refused:
    """Describe a frame that breaks the format."""
    return malformed("its compressed data is damaged")
