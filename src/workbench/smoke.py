"""Smoke test: send the golden rows to a deployed service and compare its answers."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from model_service.contract import snippets
from model_service.contract.golden import GoldenError, golden_differences, json_batches, read_golden
from workbench import files
from workbench.address import not_reached, service_address
from workbench.errors import UserError

# Longer than the 30 s after which Heroku's router answers by itself.
TIMEOUT_SECONDS = 35
MAX_DIFFERENCES = 10
MAX_ERROR_BYTES = 2000


def smoke(project: Path, url: str, key: str | None = None) -> str:
    """Compare the service at `url` with the project; return a report.

    Sends `key` as a Bearer token. Raises UserError for the first differences, and for a service
    that cannot be asked or serves another model.
    """
    address = service_address(url)
    try:
        golden = read_golden(project / files.GOLDEN)
    except GoldenError as error:
        raise UserError(str(error)) from None
    if golden is None:
        raise UserError(f"There is no {files.GOLDEN} to compare with; run make verify first.")
    manifest = files.read_manifest(project)
    metadata = _request(f"{address}/metadata", key)
    own = {"name": manifest.about.name, "version": manifest.about.version}
    served = {name: metadata.get(name) for name in own}
    if served != own:
        raise UserError(
            f"{url} serves {json.dumps(served)}, and this project is {json.dumps(own)}."
        )
    predictions: list[Any] = []
    for rows in json_batches(golden.rows):
        answer = _request(f"{address}/predict", key, {"rows": rows})
        if not isinstance(found := answer.get("predictions"), list):
            raise UserError(f"{url} answers without predictions; is it another service?")
        predictions += found
    differences = golden_differences(golden, predictions)
    if differences:
        message = f"{url} answers differently from {files.GOLDEN}:"
        raise UserError([message, *differences[:MAX_DIFFERENCES]])
    return (
        f"{url} reproduces all {len(golden.rows)} recorded predictions of version {own['version']}."
    )


def _request(url: str, key: str | None, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    if key:
        request.add_unredirected_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        body_text = error.read(MAX_ERROR_BYTES).decode("utf-8", "replace")
        if error.code == http.HTTPStatus.UNAUTHORIZED:
            body_text += " Give a key of the service: API_KEY=… make smoke URL=…"
        raise UserError(f"{url} answers {error.code}: {body_text}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise not_reached(url, error) from None
    if not isinstance(answer, dict):
        raise UserError(f"{url} does not answer as this service does; is it another one?")
    return answer


def curl(project: Path, address: str, *, key: bool = False) -> str:
    """Return a curl command with a row of the sample, ready to paste."""
    row = files.read_manifest(project).examples[0]
    return snippets.curl(f"{address}/predict", row, needs_key=key)
