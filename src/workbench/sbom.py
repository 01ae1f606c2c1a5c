"""The software bill of materials: what the service consists of, the model among it.

CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/. Same project, same bytes: it carries neither a
time nor a serial number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from model_service.model.manifest import FittedFile, Manifest
from workbench import files, vendor
from workbench.errors import UserError
from workbench.lock.requirements import LOCK, Requirement, parse_requirements

Component = dict[str, Any]


def sbom(project: Path) -> str:
    """Return the bill of materials as JSON. Raises UserError without a locked requirements.txt."""
    entries = parse_requirements(files.read(project / LOCK))
    if not any(entry.hashes for entry in entries):
        raise UserError(f"{LOCK} is not locked, so it does not say what is installed: make lock")
    manifest = files.read_manifest(project)
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": manifest.about.name,
                "name": manifest.about.name,
                "version": str(manifest.about.version),
                "description": manifest.about.description,
            }
        },
        "components": [
            *_models(manifest),
            {
                "type": "platform",
                "bom-ref": "python",
                "name": "python",
                "version": manifest.environment.python,
            },
            *(_library(entry) for entry in entries if entry.version),
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=2)


def _models(manifest: Manifest) -> Iterator[Component]:
    """Yield the files with fitted objects, and the author's own code."""
    version = str(manifest.about.version)
    yield _fitted(manifest.model, version, manifest.estimator)
    for transformer in manifest.transformers:
        yield _fitted(transformer, version, transformer.estimator)
    if manifest.code is not None:
        path = f"{files.MODEL.as_posix()}/{manifest.code.file}"
        hashes = [_hash(manifest.code.sha256)]
        yield {"type": "file", "bom-ref": path, "name": path, "hashes": hashes}


def _fitted(fitted: FittedFile, version: str, description: str) -> Component:
    path = f"{files.MODEL.as_posix()}/{fitted.reference}"
    return {
        "type": "machine-learning-model",
        "bom-ref": path,
        "name": path,
        "version": version,
        "description": description,
        "hashes": [_hash(fitted.sha256)],
    }


def _library(entry: Requirement) -> Component:
    purl = f"pkg:pypi/{entry.name}@{quote(entry.version)}"
    url = f"./{vendor.FOLDER.as_posix()}" if entry.vendored else purl
    component: Component = {
        "type": "library",
        "bom-ref": f"{entry.name}=={entry.version}",
        "name": entry.name,
        "version": entry.version,
        # A lock lists the hash of each wheel that may be installed: one for each system.
        "externalReferences": [
            {"type": "distribution", "url": url, "hashes": [_hash(sha256)]}
            for sha256 in entry.hashes
        ],
    }
    if not entry.vendored:
        component["purl"] = purl
    return component


def _hash(sha256: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": sha256}
