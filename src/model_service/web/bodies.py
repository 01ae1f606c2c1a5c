"""Bodies of requests and responses: CSV files that are received, JSON that is sent."""

from __future__ import annotations

import contextlib
import json
import os
from typing import IO, TYPE_CHECKING

from flask import Response, request

from model_service.csv.spool import SpooledFile
from model_service.web.errors import RequestProblem

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# What a form adds to the bytes of the uploaded file: multipart headers and its other fields.
MULTIPART_BYTES = 10_000
# Predictions are JSON values already. Flask's encoder would look for other types in each of them.
_ENCODER = json.JSONEncoder(separators=(",", ":"))


def mimetype_of(environ: WSGIEnvironment) -> str:
    """Return the type of a request's body, in lowercase letters and without parameters."""
    content_type: str = environ.get("CONTENT_TYPE", "")
    return content_type.partition(";")[0].strip().lower()


def encode_json(content: object) -> bytes:
    """Return the body of a response."""
    return _ENCODER.encode(content).encode() + b"\n"


def json_response(content: object, status: int = 200) -> Response:
    """Return a response of JSON."""
    return Response(encode_json(content), status, content_type="application/json")


def keeps_bad_rows(on_error: str) -> bool:
    """Return whether `on_error` is "keep" and not "refuse". Raises RequestProblem."""
    if on_error not in ("refuse", "keep"):
        raise RequestProblem(400, "Unknown on_error", 'It must be "refuse" or "keep".')
    return on_error == "keep"


def csv_stream(max_bytes: int) -> IO[bytes]:
    """Return the CSV in the body of the request, for `received_file`. Raises RequestProblem."""
    charset = request.mimetype_params.get("charset", "utf-8")
    if charset.lower() not in ("utf-8", "utf8", "us-ascii"):
        detail = "Save the file as UTF-8 (in a spreadsheet: CSV UTF-8) and send it again."
        raise RequestProblem(400, "The CSV must be UTF-8", detail)
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    received: IO[bytes] = request.environ["wsgi.input"]
    if isinstance(received, SpooledFile):  # the engine's worker has received the whole body
        return received
    # At its limit Werkzeug cuts a chunked body off without an error.
    request.max_content_length = max_bytes + 1
    return request.stream


def uploaded_file(max_bytes: int) -> IO[bytes]:
    """Return the CSV in a form, for `received_file`. Raises RequestProblem."""
    request.max_content_length = max_bytes + MULTIPART_BYTES
    if (file := request.files.get("file")) is None or not file.filename:
        raise RequestProblem(422, "There is no file", "Choose a CSV file.")
    return file.stream


def received_file(stream: IO[bytes], max_bytes: int, opened: contextlib.ExitStack) -> IO[bytes]:
    """Return a file of what a stream holds, which `opened` closes. Raises RequestProblem."""
    file = stream
    if stream is not request.environ["wsgi.input"]:
        file = opened.enter_context(SpooledFile())
        _receive(stream, file, max_bytes)
    file.seek(0, os.SEEK_END)
    if file.tell() > max_bytes:
        raise _too_large(max_bytes)
    file.seek(0)
    return file


def _receive(stream: IO[bytes], file: IO[bytes], max_bytes: int) -> None:
    """Write a body into a file. Raises RequestProblem."""
    byte_count = 0
    while byte_count <= max_bytes and (piece := stream.read(1 << 16)):
        byte_count += len(piece)
        file.write(piece)
    if byte_count > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> RequestProblem:
    return RequestProblem(413, "The CSV is too large", f"At most {max_bytes} bytes.")
