"""python -m workbench.score INPUT=… OUTPUT=… …: a run in this environment.

`make score` starts it in the project's environment.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from workbench.errors import UserError
from workbench.score import engines
from workbench.score.job import Part, Result
from workbench.score.progress import Progress, duration
from workbench.score.run import Run

REJECTED = 3


def main(arguments: Sequence[str]) -> int:
    """Score the files and return the exit status."""
    options = dict(argument.split("=", 1) for argument in arguments)
    try:
        return score(Path.cwd(), options)
    except UserError as error:
        print(f"make score:\n{error.shown}", file=sys.stderr)
        return 1


def score(project: Path, options: Mapping[str, str]) -> int:
    """Score the files of the options; return REJECTED if rows were. Raises UserError."""
    jobs = _jobs(options.get("JOBS"))
    started_at = time.monotonic()
    with Run.opened(project, options) as run:
        if run.begins_anew:
            print("The input, the model or an option has changed: the run begins anew.", flush=True)
        progress = Progress(run.total_size)
        try:
            with engines.opened(project, run.job, jobs, options.get("ENGINE")) as engine:
                results = list(_results(run, engine, progress))
        finally:
            progress.end()
        summary = run.finish(results)
    spent = duration(time.monotonic() - started_at)
    warned = f"{summary.warned:,} with warnings, " if summary.warned else ""
    print(
        f"{summary.rows:,} rows, {summary.rejected:,} rejected, {warned}in {spent}: "
        f"{', '.join(summary.files)}"
    )
    return REJECTED if summary.rejected else 0


def _results(run: Run, engine: engines.Engine, progress: Progress) -> Iterator[Result]:
    """Yield what came of each part; stop early if the run cannot be completed."""
    finished: list[Result] = []
    is_stopped = False

    def parts() -> Iterator[Part]:
        for part in run.parts:
            if is_stopped:
                return
            if (result := run.finished(part)) is not None:
                finished.append(result)
                progress.add(result.size, result.rows, result.rejected, is_fresh=False)
            else:
                yield part

    for result in engine.score(parts()):
        progress.add(result.size, result.rows, result.rejected)
        ends = run.job.on_error == "stop" and result.rejected > 0
        is_stopped = is_stopped or ends or result.error is not None
        yield result
    yield from finished


def _jobs(text: str | None) -> int:
    if text is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"JOBS={text} must be the number of processes, such as JOBS=2.")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
