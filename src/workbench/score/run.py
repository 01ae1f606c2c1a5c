"""A run: its job, the parts that are finished, and the output that they become."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import re
import shutil
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from model_service.batch.scorer import Scorer
from model_service.csv.answer import AnswerWriter
from model_service.csv.answer_file import with_empty_cells
from model_service.errors import ServiceError, StartError
from model_service.explain.reasons import MAX_REASONS
from workbench import files
from workbench.errors import UserError, listing
from workbench.lock.requirements import LOCK
from workbench.score.archive import Archive, portable_score
from workbench.score.job import (
    FINGERPRINT_DIGITS,
    MAX_LISTED_REJECTIONS,
    ON_ERROR,
    PLACES_SUFFIX,
    Job,
    Part,
    Result,
)
from workbench.score.sources import check_names, find_sources, parts_of, read_headers
from workbench.score.suffixes import CSV_SUFFIXES, PARQUET_SUFFIXES
from workbench.score.work import answer_writer, load_scorer

LOCK_FILE = "lock"


@dataclass(frozen=True)
class Summary:
    """What came of a run."""

    rows: int
    rejected: int
    warned: int
    files: tuple[str, ...]


@dataclass
class Run:
    """One run into one output, which only this process writes."""

    project: Path
    job: Job
    writer: AnswerWriter
    begins_anew: bool  # after a run with other inputs, options or model

    @classmethod
    @contextmanager
    def opened(cls, project: Path, options: Mapping[str, str]) -> Iterator[Run]:
        """Check the options, the model and the header of each file, and lock the output.

        Raises UserError.
        """
        scorer = _scorer(project, _reasons(options.get("EXPLAIN", "0")))
        job, names, line = _job(project, options, scorer)
        columns = job.columns or names
        if unknown := [name for name in columns if name not in names]:
            raise UserError(
                f"COLUMNS: the input has no {listing(unknown)}; it has {listing(names)}."
            )
        writer = answer_writer(scorer, job, names)
        check_names(names, scorer.model.contract, writer, line)
        with _locked(job):
            yield cls(project, job, writer, _keep_finished(job))

    @property
    def parts(self) -> Iterator[Part]:
        """All parts, in order."""
        return parts_of(self.job)

    @property
    def total_size(self) -> int:
        """The size of all parts, as `Part.size` counts it."""
        if any(source.is_parquet for source in self.job.sources):
            return sum(part.size for part in self.parts)
        return sum(source.size for source in self.job.sources)

    def portable(self) -> Callable[[str], str]:
        """Return a function from a part to its result, as JSON, for workers without the project."""
        archive = Archive.of(self.project)
        return partial(portable_score(), archive.content, archive.sha256, self.job.to_json())

    def finished(self, part: Part) -> Result | None:
        """Return the result of a part that a run before has finished."""
        path = self.job.part_path(part.number, "json")
        return Result.from_json(path.read_text(encoding="utf-8")) if path.exists() else None

    def finish(self, results: Iterable[Result]) -> Summary:
        """Write the output from the results of all parts. Raises UserError if one has failed."""
        ordered = sorted(results, key=lambda result: result.number)
        self.check(ordered)
        numbers = [result.number for result in ordered]
        warned = sum(result.warned for result in ordered)
        self.writer.has_warnings = warned > 0
        written = self._write_output(numbers)
        rejected = sum(result.rejected for result in ordered)
        if path := self._write_rejected(ordered):
            written.append(str(path))
        shutil.rmtree(self.job.folder)
        rows = sum(result.rows for result in ordered)
        return Summary(rows, rejected, warned, tuple(written))

    def check(self, results: Sequence[Result]) -> None:
        """Raise UserError for a part that has failed, or for a rejected row that ends the run."""
        for result in results:
            if result.error is not None:
                raise UserError(f"part {result.number}: {result.error}")
        if self.job.on_error != "stop":
            return
        rows = 0
        sources = {part.number: part.source for part in self.parts}
        source = 0
        for result in results:
            if sources[result.number] != source:
                source, rows = sources[result.number], 0
            if result.first is not None:
                row, line, feature, message = result.first
                at = f"row {rows + row}" + (f", line {line}" if line is not None else "")
                path = self.job.sources[source].path
                shutil.rmtree(self.job.folder)
                raise UserError(f"{path}, {at}: {f'{feature} {message}'.strip()}")
            rows += result.rows

    def _write_output(self, numbers: Sequence[int]) -> list[str]:
        output = Path(self.job.output)
        if not self.job.output.endswith("/"):
            self._join(numbers, output)
            return [str(output)]
        output.mkdir(parents=True, exist_ok=True)
        suffix = "parquet" if self.job.writes_parquet else "csv"
        names = [output / f"part-{number:06}.{suffix}" for number in numbers]
        for stale in set(output.glob(f"part-*.{suffix}")) - set(names):
            stale.unlink()  # of a run before, which had more parts
        for number, path in zip(numbers, names, strict=True):
            self._join([number], path)
        return [self.job.output]

    def _join(self, numbers: Sequence[int], output: Path) -> None:
        """Write parts as one file, which gets its name when it is complete."""
        paths = [self.job.part_path(number, self.job.data_suffix) for number in numbers]
        staged = output.with_name(f".{output.name}.new")
        if self.job.writes_parquet:
            from workbench.score import arrow  # noqa: PLC0415  # pyarrow, for Parquet only

            numeric = [n for n, path in self.writer.answers.items() if path[0] == "probabilities"]
            dropped = () if self.writer.has_warnings else (self.writer.warnings,)
            arrow.join(paths, staged, numeric, dropped)
        else:
            with staged.open("wb") as file:
                file.write(self.writer.header())
                for number, path in zip(numbers, paths, strict=True):
                    with path.open("rb") as part:
                        places = self._empty_cells(number)
                        file.writelines(with_empty_cells(part, places, self.job.delimiter))
        staged.replace(output)

    def _empty_cells(self, number: int) -> Sequence[int]:
        """Return where the lines of a part need an empty cell for warnings."""
        places = array("Q")
        if self.writer.has_warnings:
            places.frombytes(self.job.part_path(number, PLACES_SUFFIX).read_bytes())
        return places

    def _write_rejected(self, results: Sequence[Result]) -> Path | None:
        """Write the list of rejected rows, numbered as in their file; None if there is none."""
        path = Path(f"{self.job.output.rstrip('/')}.rejected.csv")
        if self.job.on_error != "reject" or not any(result.rejected for result in results):
            path.unlink(missing_ok=True)
            return None
        staged = path.with_name(f".{path.name}.new")
        several = len(self.job.sources) > 1
        with staged.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\r\n")
            of_file = ["file"] if several else []
            writer.writerow([*of_file, "row", "line", "feature", "message"])
            for records in self._rejected(results):
                writer.writerows(records if several else (record[1:] for record in records))
        staged.replace(path)
        return path

    def _rejected(self, results: Sequence[Result]) -> Iterator[list[list[str]]]:
        source, rows, listed = 0, 0, 0
        for part, result in zip(self.parts, results, strict=True):
            if part.source != source:
                source, rows = part.source, 0
            path = self.job.part_path(part.number, "rejected.csv")
            with path.open(encoding="utf-8", newline="") as file:
                name = self.job.sources[source].path
                if listed < MAX_LISTED_REJECTIONS:
                    yield [[name, str(rows + int(row)), *rest] for row, *rest in csv.reader(file)]
            rows += result.rows
            listed += result.rejected


def _reasons(text: str) -> int:
    if text not in map(str, range(MAX_REASONS + 1)):
        raise UserError(
            f"EXPLAIN={text} must be the number of reasons for each row, from 1 to {MAX_REASONS}."
        )
    return int(text)


def _scorer(project: Path, reasons: int) -> Scorer:
    try:
        return load_scorer(str(project), reasons)
    except (StartError, ServiceError) as error:
        raise UserError(str(error)) from None


def _job(
    project: Path, options: Mapping[str, str], scorer: Scorer
) -> tuple[Job, tuple[str, ...], int]:
    """Return the job of the options, the input's columns, and the line of the header."""
    output = _output(options["OUTPUT"])
    sources = find_sources(options["INPUT"], output)
    if any(source.path == str(Path(output).resolve()) for source in sources):
        raise UserError("OUTPUT is a file of INPUT: write into another one.")
    on_error = options.get("ON_ERROR", "reject")
    if on_error not in ON_ERROR:
        raise UserError(f"ON_ERROR={on_error} must be one of {', '.join(ON_ERROR)}.")
    headers, names = read_headers(sources, scorer.model.contract)
    columns = _names(options["COLUMNS"]) if "COLUMNS" in options else None
    writes_parquet = _writes_parquet(output, sources[0].is_parquet)
    job = Job(
        sources,
        headers,
        str(Path(output).resolve()) + ("/" if output.endswith("/") else ""),
        writes_parquet,
        _delimiter(output, headers[0].delimiter if headers[0] is not None else ","),
        on_error,
        columns,
        scorer.reasons,
        _model_hash(project),
    )
    return job, names, headers[0].line if headers[0] is not None else 1


def _names(text: str) -> tuple[str, ...]:
    return tuple(next(csv.reader([text], skipinitialspace=True)))


def _output(text: str) -> str:
    if text.endswith("/") or Path(text).is_dir():
        return text.rstrip("/") + "/"
    if not text.endswith((*PARQUET_SUFFIXES, *CSV_SUFFIXES)):
        raise UserError(
            f"OUTPUT={text} must end in .csv, .tsv or .parquet, or in / for a folder of parts."
        )
    if not Path(text).resolve().parent.is_dir():
        raise UserError(f"OUTPUT={text}: there is no folder {Path(text).parent}.")
    return text


def _writes_parquet(output: str, reads_parquet: bool) -> bool:
    name = output.rstrip("/")
    if name.endswith(PARQUET_SUFFIXES):
        return True
    return reads_parquet and output.endswith("/") and not name.endswith(CSV_SUFFIXES)


def _delimiter(output: str, of_input: str) -> str:
    """Return a tab for .tsv; a .csv has the input's delimiter, but for a tab."""
    if output.rstrip("/").endswith(".tsv"):
        return "\t"
    return "," if of_input == "\t" and output.endswith(".csv") else of_input


def _model_hash(project: Path) -> str:
    digest = hashlib.sha256()
    for path in (files.MANIFEST, files.FEATURES, LOCK):
        digest.update((project / path).read_bytes() if (project / path).exists() else b"")
    return digest.hexdigest()


@contextmanager
def _locked(job: Job) -> Iterator[None]:
    """Make the folder of the parts and lock it. Raises UserError if another run has it."""
    job.folder.mkdir(exist_ok=True)
    with (job.folder / LOCK_FILE).open("a") as file:
        with contextlib.suppress(ImportError):  # Windows has no such locks
            import fcntl  # noqa: PLC0415

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError(
                    f"Another run writes {job.output} now; wait for it or end it."
                ) from None
        yield


def _keep_finished(job: Job) -> bool:
    """Remove the parts of other jobs; return whether there were any. Raises UserError."""
    found = [path for path in job.folder.iterdir() if path.name != LOCK_FILE]
    if not all(re.fullmatch(f"[0-9a-f]{{{FINGERPRINT_DIGITS}}}", path.name) for path in found):
        raise UserError(
            f"{job.folder} is in the way: it is no folder of an earlier run. Move it away."
        )
    others = [path for path in found if path != job.parts_folder]
    for path in others:
        shutil.rmtree(path)
    job.parts_folder.mkdir(exist_ok=True)
    for staged in job.parts_folder.glob("*.new"):
        staged.unlink()
    return bool(others)
