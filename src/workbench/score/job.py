"""What a run consists of, as data that travels to a worker: the job, its parts, their results."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from model_service.csv.reader import Layout
from model_service.csv.records import Position
from workbench.score.suffixes import PARQUET_SUFFIXES

ON_ERROR = ("reject", "keep", "stop")
# The others are only counted.
MAX_LISTED_REJECTIONS = 1_000_000
FINGERPRINT_DIGITS = 32
# Beside the data of a part that is CSV: where its first lines have no cell for warnings.
PLACES_SUFFIX = "places"
# A line of a file: as long as the model's texts can be.
MAX_LINE_CHARACTERS = 1 << 24


@dataclass(frozen=True)
class Source:
    """One input file, as it was when the run began."""

    path: str
    size: int
    modified: int  # nanoseconds

    @property
    def is_parquet(self) -> bool:
        """Whether it is a Parquet file, and not a CSV."""
        return self.path.endswith(PARQUET_SUFFIXES)


@dataclass(frozen=True)
class Part:
    """The unit of work: consecutive rows of one file, and the number of its output."""

    number: int
    source: int  # its place among the sources
    start: int  # of a CSV: a byte where a record begins; of Parquet: the first row group
    end: int
    line: int = 0  # of a CSV, on which the part begins
    size: int = 0  # in bytes, for the time that is left

    def to_json(self) -> str:
        """Return the part as JSON text."""
        return json.dumps(dataclasses.asdict(self))


@dataclass(frozen=True)
class CsvHeader:
    """What the header of a CSV says: Layout as JSON."""

    names: tuple[str, ...]
    delimiter: str
    has_bom: bool
    line: int

    @classmethod
    def of(cls, layout: Layout) -> CsvHeader:
        """Return the header of a layout."""
        return cls(layout.header, layout.delimiter, layout.has_bom, layout.line)

    def layout(self, part: Part | None = None) -> Layout:
        """Return how the file is read, from the beginning of a part."""
        whole = Layout(
            tuple(self.names), self.delimiter, MAX_LINE_CHARACTERS, self.has_bom, self.line
        )
        return (
            whole if part is None or not part.start else whole.at(Position(part.start, part.line))
        )


@dataclass(frozen=True)
class Job:
    """What all parts of a run have in common."""

    sources: tuple[Source, ...]
    headers: tuple[CsvHeader | None, ...]  # of the sources that are CSV
    output: str
    writes_parquet: bool
    delimiter: str  # of a CSV that is written
    on_error: str
    columns: tuple[str, ...] | None  # of the input that are written; None: all
    reasons: int  # columns reason_1, reason_2, …
    model: str  # SHA-256 of the manifest, the contract and the lock

    @property
    def folder(self) -> Path:
        """The folder beside the output that is there until a run is complete."""
        return Path(f"{self.output.rstrip('/')}.parts")

    @cached_property
    def parts_folder(self) -> Path:
        """Where the parts are: a worker of an earlier run can still write into another folder."""
        return self.folder / self.fingerprint

    def part_path(self, number: int, suffix: str) -> Path:
        """Return a file of a part."""
        return self.parts_folder / f"{number:06}.{suffix}"

    @property
    def data_suffix(self) -> str:
        """The suffix of the parts' data."""
        return "arrow" if self.writes_parquet else "csv"

    def to_json(self) -> str:
        """Return the job as JSON text."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Read what `to_json` wrote."""
        members: dict[str, Any] = json.loads(text)
        members["sources"] = tuple(Source(**source) for source in members["sources"])
        members["headers"] = tuple(
            CsvHeader(**{**header, "names": tuple(header["names"])}) if header else None
            for header in members["headers"]
        )
        if members["columns"] is not None:
            members["columns"] = tuple(members["columns"])
        return cls(**members)

    @property
    def fingerprint(self) -> str:
        """A hash of everything that the output depends on."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:FINGERPRINT_DIGITS]


@dataclass(frozen=True)
class Result:
    """What came of a part; `error` says why there is none."""

    number: int
    size: int
    rows: int = 0
    rejected: int = 0
    warned: int = 0  # rows with something unusual
    first: tuple[int, int | None, str, str] | None = None  # row, line, feature, message
    error: str | None = None

    def to_json(self) -> str:
        """Return the result as JSON text."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Read what `to_json` wrote."""
        members = json.loads(text)
        members["first"] = tuple(members["first"]) if members["first"] else None
        return cls(**members)
