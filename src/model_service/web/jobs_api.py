"""The routes of jobs: send a CSV, ask how far it is, fetch the result, delete it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING
from uuid import UUID, uuid4

from flask import Blueprint, Response, redirect, request, stream_with_context, url_for
from werkzeug.wrappers import Response as AnyResponse

from model_service.contract.problems import MAX_SHOWN_PROBLEMS
from model_service.jobs.job import Job, NoSuchJob, NotDone, State
from model_service.jobs.scoring import JobScorer
from model_service.web import auth
from model_service.web.bodies import (
    csv_stream,
    json_response,
    keeps_bad_rows,
    received_file,
    uploaded_file,
)
from model_service.web.current import current_service
from model_service.web.errors import RequestProblem, render_page
from model_service.web.explain_api import explain_request
from model_service.web.policy import policy

if TYPE_CHECKING:
    from model_service.jobs.storage import JobStorage

bp = Blueprint("jobs", __name__, url_prefix="/jobs")

FORM = "multipart/form-data"
HEADINGS: Mapping[State, str] = {
    "waiting": "Your file waits",
    "running": "Your file is being scored",
    "done": "Your predictions are there",
    "failed": "Your file was not scored",
}


def _storage() -> JobStorage:
    """Return where the jobs are. Raises RequestProblem if JOBS is off."""
    storage = current_service().jobs
    if storage is None:
        detail = "The config var JOBS switches them on; make docs TOPIC=JOBS says what it needs."
        raise RequestProblem(404, "Jobs are off", detail)
    return storage


@bp.after_request
def _forbid_caching(response: Response) -> Response:
    if request.method != "POST":  # answers to POST are marked already
        response.headers["Cache-Control"] = "no-store"
    return response


@bp.post("")
@policy(is_cross_origin=True, csv_limit="max_job_bytes")
def create() -> AnyResponse:
    """Store a CSV for a worker; the form of the page is redirected to the page of the job."""
    storage, is_form = _storage(), request.mimetype == FORM
    if explain_request(request.args) is not None:
        detail = "Ask /predict?reasons=4 with fewer rows, or use make score EXPLAIN=4."
        raise RequestProblem(400, "A job has no reasons", detail)
    with contextlib.ExitStack() as opened:
        file = received_file(_sent_stream(), current_service().settings.max_job_bytes, opened)
        fields = request.form if is_form else request.args
        keep = keeps_bad_rows(fields.get("on_error", "refuse"))
        _check_header(file, keep_bad_rows=keep)
        job = uuid4()
        storage.create(job, _owner(), file, keep_bad_rows=keep)
    address = url_for("api.jobs.show", job_id=job)
    if is_form:
        return redirect(address, 303)
    response = json_response(_document(storage.find(job, _owner())), 202)
    response.headers["Location"] = address
    return response


@bp.get("/<job_id>")
@policy(is_cross_origin=True)
def show(job_id: str) -> Response:
    """Return how far a job is, as JSON, or as a page if the caller is a browser."""
    job = _find(job_id)
    wanted = request.accept_mimetypes.best_match(["application/json", "text/html"])
    response = Response(_page(job)) if wanted == "text/html" else json_response(_document(job))
    response.vary.add("Accept")
    return response


@bp.get("/<job_id>/result")
@policy(is_cross_origin=True)
def result(job_id: str) -> Response:
    """Return the CSV with its predictions."""
    job = _find(job_id)
    if job.state != "done":
        raise NotDone(job.state)
    size, parts = _storage().result(job.id)
    response = Response(stream_with_context(parts), mimetype="text/csv")
    # With it the caller notices an answer that breaks off.
    response.content_length = size
    name = f"{current_service().model.manifest.about.name}-predictions.csv"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


@bp.delete("/<job_id>")
@policy(is_cross_origin=True)
def delete(job_id: str) -> Response:
    """Delete a job and its files, whether it has ended or not."""
    _storage().delete(_parse_id(job_id), _owner())
    return Response(status=204)


def _sent_stream() -> IO[bytes]:
    """Return the CSV that was sent, as the body or in a form. Raises RequestProblem."""
    max_bytes = current_service().settings.max_job_bytes
    if request.mimetype == "text/csv":
        return csv_stream(max_bytes)
    if request.mimetype != FORM:
        detail = "Send it with Content-Type: text/csv."
        raise RequestProblem(415, "The body must be CSV", detail)
    return uploaded_file(max_bytes)


def _check_header(file: IO[bytes], *, keep_bad_rows: bool) -> None:
    """Refuse what a worker could only refuse later. Raises ServiceError."""
    service = current_service()
    scorer = JobScorer(service.predictor, service.settings.max_csv_line_characters)
    scorer.csv_job(lambda progress: None, keep_bad_rows=keep_bad_rows).check_header(file)


def _owner() -> str | None:
    """Return the hash of the caller's key; None if there are no keys."""
    key_hash = auth.caller()
    return None if key_hash is None else key_hash.hex()


def _find(job_id: str) -> Job:
    return _storage().find(_parse_id(job_id), _owner())


def _parse_id(job_id: str) -> UUID:
    _storage()  # if JOBS is off, any id is answered so
    try:
        return UUID(job_id)
    except ValueError:
        raise NoSuchJob from None


def _page(job: Job) -> bytes:
    errors = job.error["errors"] if job.error is not None else []
    return render_page(
        "job.html",
        job=job,
        heading=HEADINGS[job.state],
        shown_errors=errors[:MAX_SHOWN_PROBLEMS],
        hidden_count=max(len(errors) - MAX_SHOWN_PROBLEMS, 0),
    )


def _document(job: Job) -> dict[str, object]:
    address = {"result": url_for("api.jobs.result", job_id=job.id)} if job.state == "done" else {}
    return {
        "id": str(job.id),
        "state": job.state,
        "rows": job.row_count,
        "done": job.done,
        "rejected": job.rejected,
        "expires_at": job.expires_at.isoformat(timespec="seconds"),
        **address,
        **({"error": job.error} if job.error is not None else {}),
    }
