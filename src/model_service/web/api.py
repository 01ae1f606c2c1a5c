"""The routes for programs: JSON, and CSV for many rows."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import IO, Any

from flask import Blueprint, Response, current_app, request, stream_with_context

from model_service.contract.contract import Batch
from model_service.contract.parsing import parse_rows
from model_service.csv.spool import TemporaryFile
from model_service.csv.stream import CsvJob
from model_service.web import current
from model_service.web.errors import RequestProblem, does_not_fit
from model_service.web.metrics import CONTENT_TYPE
from model_service.web.openapi import document

bp = Blueprint("api", __name__)

MAX_DEPTH = 100


@bp.post("/predict")
def predict() -> Response:
    """Predict one row, a batch under "rows", or a CSV."""
    keep = bool(request.query_string) and keeps(request.args.get("on_error", "refuse"))
    if request.mimetype == "text/csv":
        return predict_csv(keep)
    if request.mimetype != "application/json":
        title = "The body must be JSON or CSV"
        detail = "Send it with Content-Type: application/json, or text/csv."
        raise RequestProblem(415, title, detail)
    content = request.get_data(cache=False)
    if "HTTP_TRANSFER_ENCODING" in request.environ:
        request.stream.read(1)  # of a body that goes on beyond the limit Werkzeug says so now
    body = parse_json(content)
    several = isinstance(body, dict) and list(body) == ["rows"] and isinstance(body["rows"], list)
    predictions = current.predict(validate(body["rows"] if several else [body]))
    about = current.model().manifest.in_response
    if several:
        return answer({"predictions": list(predictions), "model": about})
    return answer({**predictions[0], "model": about})


def predict_csv(keep: bool) -> Response:
    """Answer a CSV with the same CSV and its predictions."""
    charset = request.mimetype_params.get("charset", "utf-8")
    if charset.lower() not in ("utf-8", "utf8", "us-ascii"):
        detail = "Save the file as UTF-8 (in a spreadsheet: CSV UTF-8) and send it again."
        raise RequestProblem(400, "The CSV must be UTF-8", detail)
    most = current.settings().max_csv_bytes
    if (request.content_length or 0) > most:
        raise too_large(most)
    # Werkzeug would cut a chunked body off at its limit, and say nothing.
    request.max_content_length = most + 1
    return answer_csv(request.stream, keep)


def keeps(on_error: str) -> bool:
    """Tell whether good rows are answered beside bad ones. Raises RequestProblem."""
    if on_error not in ("refuse", "keep"):
        raise RequestProblem(400, "Unknown on_error", 'It must be "refuse" or "keep".')
    return on_error == "keep"


def answer_csv(stream: IO[bytes], keep: bool) -> Response:
    """Stream the answer to a CSV. Raises RequestProblem."""
    model, settings = current.model(), current.settings()
    example = current.example()
    predict = current.predict_each if keep else partial(current.predict, part=True)
    with contextlib.ExitStack() as opened:
        file, made = (opened.enter_context(TemporaryFile()) for _ in range(2))
        receive(stream, file, settings.max_csv_bytes)
        rejected = current.metrics().rejected
        longest = settings.max_csv_line_characters
        batch = CsvJob(file, made, model.contract, example, predict, keep, rejected, longest)
        batch.check(settings.max_csv_rows)
        parts = opened.enter_context(contextlib.closing(batch.answer()))
        files = opened.pop_all()
    response = Response(stream_with_context(streamed(parts, files)), mimetype="text/csv")
    response.call_on_close(files.close)  # for a caller who is gone before the first part
    name = f"{model.manifest.about.name}-predictions.csv"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def too_large(most: int) -> RequestProblem:
    """Make the answer to a CSV of too many bytes."""
    return RequestProblem(413, "The CSV is too large", f"At most {most} bytes.")


def receive(stream: IO[bytes], file: IO[bytes], most: int) -> None:
    """Write what is sent into a file. Raises RequestProblem."""
    received = 0
    while received <= most and (piece := stream.read(1 << 16)):
        received += len(piece)
        file.write(piece)
    if received > most:
        raise too_large(most)
    file.seek(0)


def streamed(parts: Iterator[bytes], files: contextlib.ExitStack) -> Iterator[bytes]:
    """Yield the parts and close the files; log why an answer ends before its end."""
    with files:
        try:
            yield from parts
        except RequestProblem as problem:
            # The caller sees no more than that the connection ends without the end of the body.
            errors = [error.to_json() for error in problem.errors]
            current_app.logger.error("a CSV answer breaks off: %s, %s", problem.title, errors)
            raise


@bp.get("/features")
def features() -> Response:
    """The contract."""
    return answer(current.model().contract.to_json())


@bp.get("/metadata")
def metadata() -> Response:
    """The public part of the manifest."""
    return answer(current.model().manifest.public())


@bp.get("/openapi.json")
def openapi() -> Response:
    """The API as OpenAPI 3.1."""
    model, settings = current.model(), current.settings()
    keys, limited = bool(settings.api_keys), settings.requests_per_minute is not None
    return answer(document(model.contract, model.manifest, keys=keys, limited=limited))


@bp.get("/health")
def health() -> Response:
    """The process lives."""
    return answer({"status": "ok"})


@bp.get("/ready")
def ready() -> Response:
    """The model is loaded and reproduces its goldens."""
    current.require_ready()
    return answer({"status": "ready"})


@bp.get("/metrics")
def metrics() -> Response:
    """What all workers have counted, for Prometheus."""
    ready = current.readiness().reason() is None
    gauges = {"model_ready": ("Whether the model may predict.", float(ready))}
    return Response(current.metrics().text(gauges), content_type=CONTENT_TYPE)


def parse_json(body: bytes) -> Any:
    """Read strict JSON: UTF-8, no NaN, no name twice. Raises RequestProblem."""
    try:
        text = body.decode("utf-8")
        if text.startswith("\ufeff"):  # of which the decoder only says that it expects a value
            raise json.JSONDecodeError("There is a byte order mark", text, 0)
        parsed = _DECODER.decode(text)
        brackets = text.count("{") + text.count("[")  # a row has too few of them to be deep
        if brackets <= MAX_DEPTH or not _is_deep(parsed):
            return parsed
        reason = "It is nested too deeply."
    except RecursionError:
        reason = "It is nested too deeply."
    except UnicodeDecodeError:
        reason = "It is not UTF-8."
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at line {error.lineno}, column {error.colno}."
    except ValueError as error:
        # Ours from the hooks below, or Python's about a number of more than 4,300 digits.
        reason = str(error) if str(error).startswith('"') else "A number has too many digits."
    raise RequestProblem(400, "The body is not valid JSON", reason)


def _is_deep(value: Any) -> bool:
    """Tell what no row can be. How deep the parser itself goes depends on the Python."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        members = (
            m for outer in level for m in (outer.values() if isinstance(outer, dict) else outer)
        )
        level = [member for member in members if isinstance(member, (dict, list))]
        if not level:
            return False
    return True


def _refuse_constant(name: str) -> None:
    raise ValueError(f'"{name}" is not a JSON number.')


def _refuse_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        repeated = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f'"{repeated}" is there twice.')
    return members


_DECODER = json.JSONDecoder(
    parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeated_names
)
# What is in an answer is JSON already; Flask would ask each time how to write what is not.
_ENCODER = json.JSONEncoder(separators=(",", ":"))


def answer(content: object) -> Response:
    """Return an answer of JSON."""
    return Response(_ENCODER.encode(content) + "\n", content_type="application/json")


def validate(rows: list[Any]) -> Batch:
    """Return the rows as a batch. Raises RequestProblem with all problems."""
    most = current.settings().max_json_rows
    if len(rows) > most:
        limit = f"At most {most} rows a request; these are {len(rows)}."
        raise RequestProblem(413, "Too many rows", limit)
    if not rows:
        raise RequestProblem(422, "The request does not fit the model", '"rows" is empty.')
    batch = parse_rows(current.model().contract, rows)
    if batch.problems:
        raise does_not_fit(batch.problems)
    return batch
