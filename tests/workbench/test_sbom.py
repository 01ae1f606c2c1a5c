"""The bill of materials: read by CycloneDX's own library, complete, the same each time."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from tests.workbench.fake_locks import fake_lock

from workbench.errors import UserError
from workbench.lock.requirements import parse_requirements
from workbench.sbom import sbom


def read(text: str) -> Bom:
    bom = Bom.from_json(json.loads(text))  # type: ignore[attr-defined]  # made by a decorator
    assert isinstance(bom, Bom)
    return bom


def hashes(component: Component) -> set[str]:
    references = [h for reference in component.external_references for h in reference.hashes]
    return {each.content for each in (*component.hashes, *references)}


def test_it_lists_the_model_python_and_each_locked_package(loan_copy: Path) -> None:
    fake_lock(loan_copy)
    bom = read(sbom(loan_copy))
    assert bom.metadata.component is not None
    assert bom.metadata.component.name == "loan-approval"
    components = {component.name: component for component in bom.components}
    model = components.pop("model/model.joblib")
    assert model.type is ComponentType.MACHINE_LEARNING_MODEL
    content = (loan_copy / "model" / "model.joblib").read_bytes()
    assert hashes(model) == {hashlib.sha256(content).hexdigest()}
    python = components.pop("python")
    assert python.version == (loan_copy / ".python-version").read_text().strip()
    locked = parse_requirements((loan_copy / "requirements.txt").read_text())
    assert {c.name: (c.version, hashes(c)) for c in components.values()} == {
        entry.name: (entry.version, set(entry.hashes)) for entry in locked
    }
    engine = components["cookiecutter-model-service-engine"]
    assert engine.purl is None  # it is on no index
    assert str(components["flask"].purl).startswith("pkg:pypi/flask@")


def test_the_same_project_gives_the_same_bytes(loan_copy: Path) -> None:
    fake_lock(loan_copy)
    assert sbom(loan_copy) == sbom(loan_copy)


def test_an_unlocked_project_has_none(loan: Path) -> None:
    with pytest.raises(UserError, match=r"requirements\.txt is not locked, .*: make lock"):
        sbom(loan)
