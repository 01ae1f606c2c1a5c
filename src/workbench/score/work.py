"""The unit of work, whatever schedules it: one part of a file in, the same part scored out."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from model_service.batch.scorer import Scorer
from model_service.csv.answer import AnswerWriter
from model_service.csv.answer_file import AnswerFile
from model_service.csv.part import PartReport, scored_chunks
from model_service.errors import InvalidRows, ServiceError, StartError
from workbench.score.job import MAX_LISTED_REJECTIONS, PLACES_SUFFIX, Job, Part, Result


def score_part(project: str, job_json: str, part: Part) -> Result:
    """Score a part unless it is finished; return what came of it. Never raises."""
    job = _job(job_json)
    finished = job.part_path(part.number, "json")
    if finished.exists():
        return Result.from_json(finished.read_text(encoding="utf-8"))
    try:
        result = _score(load_scorer(project, job.reasons), job, part)
    except (StartError, ServiceError) as error:
        return Result(part.number, part.size, error=_reason(error))
    except Exception as error:  # it has to reach the person who waits, from another machine too
        return Result(part.number, part.size, error=f"{type(error).__name__}: {error}")
    if job.on_error != "stop" or not result.rejected:
        _write_last(finished, result.to_json())
    return result


def score_json(project: str, job_json: str, part_json: str) -> str:
    """Do the same with JSON text, as workers of other machines get and return it."""
    return score_part(project, job_json, Part(**json.loads(part_json))).to_json()


def _reason(error: Exception) -> str:
    problems = error.problems[:3] if isinstance(error, InvalidRows) else ()
    listed = "; ".join(f"line {p.line}: {p.message}" for p in problems)
    return listed or str(error)


@lru_cache(maxsize=1)
def _job(text: str) -> Job:
    return Job.from_json(text)


@lru_cache(maxsize=1)
def load_scorer(project: str, reasons: int) -> Scorer:
    """Return the project's model, loaded once in this process."""
    return Scorer(Path(project) / "model", reasons)


def _score(scorer: Scorer, job: Job, part: Part) -> Result:
    data = job.part_path(part.number, job.data_suffix)
    places = job.part_path(part.number, PLACES_SUFFIX)
    rejected = job.part_path(part.number, "rejected.csv")
    with _staged(rejected).open("w", encoding="utf-8", newline="") as listed:
        report = PartReport(listed, MAX_LISTED_REJECTIONS)
        if job.sources[part.source].is_parquet or job.writes_parquet:
            from workbench.score import arrow  # noqa: PLC0415  # pyarrow, for Parquet only

            empty_cells = arrow.score(scorer, job, part, report, _staged(data))
        else:
            empty_cells = _score_csv(scorer, job, part, report, _staged(data))
    _staged(places).write_bytes(array("Q", empty_cells).tobytes())
    for path in (rejected, places, data):
        _staged(path).replace(path)
    first = None
    if report.first is not None:
        row, line, rejection = report.first
        first = (row, line, rejection.feature, rejection.message)
    return Result(part.number, part.size, report.rows, report.rejected, report.warned, first)


def _score_csv(
    scorer: Scorer, job: Job, part: Part, report: PartReport, path: Path
) -> Sequence[int]:
    """Score a part into a file; return where it has no cell for warnings."""
    header = job.headers[part.source]
    assert header is not None
    layout = header.layout(part)
    writer = answer_writer(scorer, job, header.names)
    with Path(job.sources[part.source].path).open("rb") as file, path.open("wb") as output:
        answer = AnswerFile(output, writer, can_warn=scorer.can_warn)
        for chunk, scored in scored_chunks(scorer, file, layout, part.end, report):
            if job.on_error == "stop" and report.first is not None:
                break
            writer.has_warnings = report.warned > 0
            answer.write(writer.lines(chunk, scored.parsed, scored.predictions, scored.warnings))
    return answer.places


def answer_writer(scorer: Scorer, job: Job, names: tuple[str, ...]) -> AnswerWriter:
    """Return what writes the output as CSV; `names` are the columns of the input."""
    columns = None if job.columns is None else [names.index(name) for name in job.columns]
    return AnswerWriter(
        scorer.model.contract,
        scorer.example,
        names,
        job.delimiter,
        keeps_bad_rows=job.on_error == "keep",
        columns=columns,
    )


def _staged(path: Path) -> Path:
    # Of each process: two runs of one part must not write into one file.
    return path.with_name(f"{path.name}.{os.getpid()}.new")


def _write_last(path: Path, text: str) -> None:
    """Write the file that says that a part is finished."""
    staged = _staged(path)
    staged.write_text(text, encoding="utf-8")
    staged.replace(path)
