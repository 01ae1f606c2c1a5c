"""The input files of a run: found, checked and cut into parts."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from model_service.contract.contract import Contract
from model_service.csv.answer import AnswerWriter
from model_service.csv.reader import Layout, read_layout
from model_service.csv.records import BEGINNING
from model_service.csv.rows import header_problems
from model_service.errors import BadFile
from workbench.errors import UserError, listing
from workbench.score.job import MAX_LINE_CHARACTERS, CsvHeader, Job, Part, Source
from workbench.score.suffixes import CSV_SUFFIXES, PARQUET_SUFFIXES

# About as many rows as a worker scores in a second, so that a run that was ended loses little.
PART_BYTES, PART_ROWS = 1 << 23, 1 << 17
SUFFIXES = (*CSV_SUFFIXES, *PARQUET_SUFFIXES)


def find_sources(pattern: str, output: str) -> tuple[Source, ...]:
    """Return the files of a path, a folder or a glob, in order of their names.

    What a run into this output has written is not among those of a folder or a glob. Raises
    UserError.
    """
    path = Path(pattern)
    if path.is_dir():
        found = [p for p in sorted(path.rglob("*")) if _is_data(p) and not _is_of(output, p)]
        if not found:
            raise UserError(f"INPUT={pattern} is a folder without files of {_endings()}.")
    elif path.is_file():
        found = [path]
    else:
        matches = map(Path, sorted(glob.glob(pattern, recursive=True)))  # noqa: PTH207
        found = [p for p in matches if p.is_file() and not _is_of(output, p)]
        if not found:
            raise UserError(
                f"INPUT={pattern}: there is no such file.",
                (
                    "Give a file, a folder or a pattern:",
                    "make score INPUT=rows.csv OUTPUT=scored.csv",
                ),
            )
    if wrong := [str(p) for p in found if not p.name.endswith(SUFFIXES)]:
        raise UserError(
            f"INPUT: {listing(wrong)} has another ending than {_endings()}; "
            "unpack a compressed file first, and export a spreadsheet as CSV UTF-8."
        )
    sources = [Source(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in found]
    if len({source.is_parquet for source in sources}) > 1:
        raise UserError(
            f"INPUT={pattern} has CSV and Parquet files; score them one after the other."
        )
    return tuple(sources)


def _is_data(path: Path) -> bool:
    # As other tools do: _SUCCESS, _metadata and .hidden files are no data.
    return path.is_file() and path.name.endswith(SUFFIXES) and path.name[:1] not in "._"


def _is_of(output: str, path: Path) -> bool:
    """Return whether a run into an output writes this file."""
    whole = Path(output).resolve()
    written = (whole, whole.with_name(f"{whole.name}.rejected.csv"))
    folders = (whole, whole.with_name(f"{whole.name}.parts"))
    path = path.resolve()
    return path in written or any(folder in path.parents for folder in folders)


def _endings() -> str:
    return f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"


def read_headers(
    sources: Sequence[Source], contract: Contract
) -> tuple[tuple[CsvHeader | None, ...], tuple[str, ...]]:
    """Return the header of each CSV, and the names of the columns. Raises UserError."""
    names_by_source: list[tuple[str, ...]] = []
    headers: list[CsvHeader | None] = []
    for source in sources:
        if source.is_parquet:
            from workbench.score import arrow  # noqa: PLC0415  # pyarrow, for Parquet only

            headers.append(None)
            names_by_source.append(arrow.column_names(source))
        else:
            header = CsvHeader.of(_layout(source, contract))
            headers.append(header)
            names_by_source.append(header.names)
    for source, names in zip(sources, names_by_source, strict=True):
        if names != names_by_source[0]:
            raise UserError(
                f"{source.path} has other columns than {sources[0].path}: "
                f"{listing(names)}, not {listing(names_by_source[0])}. Score them one by one."
            )
    return tuple(headers), names_by_source[0]


def _layout(source: Source, contract: Contract) -> Layout:
    names = [feature.name for feature in contract.features]
    try:
        with Path(source.path).open("rb") as file:
            return read_layout(file, names, MAX_LINE_CHARACTERS)
    except BadFile as error:
        raise _unreadable(source, error) from None


def check_names(
    names: Sequence[str], contract: Contract, appended: AnswerWriter, line: int
) -> None:
    """Check the columns of the input. Raises UserError."""
    features = [feature.name for feature in contract.features]
    if problems := header_problems(names, features, appended.appended, line):
        raise UserError([f"the column {p.feature} {p.message}" for p in problems])


def parts_of(job: Job) -> Iterator[Part]:
    """Yield the parts of a run: the same ones at each run, whatever schedules them."""
    number = 0
    for place, source in enumerate(job.sources):
        for start, end, line, size in _cuts(job, place, source):
            yield Part(number, place, start, end, line, size)
            number += 1


def _cuts(job: Job, place: int, source: Source) -> Iterator[tuple[int, int, int, int]]:
    """Yield the beginning, the end, the first line and the size of each part of a file."""
    if source.is_parquet:
        from workbench.score import arrow  # noqa: PLC0415  # pyarrow, for Parquet only

        for first, end, size in arrow.row_groups(source, PART_ROWS):
            yield first, end, 0, size
        return
    header = job.headers[place]
    assert header is not None
    start = BEGINNING
    try:
        with Path(source.path).open("rb") as file:
            for position in header.layout().records(file).positions():
                if position.offset - start.offset >= PART_BYTES or position.offset == source.size:
                    size = position.offset - start.offset
                    yield start.offset, position.offset, start.line, size
                    start = position
    except BadFile as error:
        raise _unreadable(source, error) from None


def _unreadable(source: Source, error: BadFile) -> UserError:
    return UserError([f"{source.path}, line {p.line}: {p.message}" for p in error.problems])
