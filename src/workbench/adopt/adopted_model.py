"""What the manifest records about an adopted model, as the next adoption reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_service.contract.contract import Scalar
from workbench.adopt.transformer_files import NUMBERED


@dataclass(frozen=True)
class AdoptedTransformer:
    """A fitted file that is applied before the model."""

    file: str  # below model/
    member: str | None
    sha256: str
    source: str  # the name of the file that was adopted
    estimator: str

    @property
    def name(self) -> str:
        """The name for messages, without the number that adopt adds."""
        file = NUMBERED.sub("", Path(self.file).name)
        return f"{file}#{self.member}" if self.member else file


@dataclass(frozen=True)
class AdoptedModel:
    """A model in the project: the one to be replaced, or the one that replaces it."""

    name: str
    title: str
    description: str
    version: int
    task: str
    classes: Sequence[Scalar] | None
    probabilities: bool
    estimator: str
    python: str
    libraries: Mapping[str, str | None]  # None: verify takes the version from the lock
    sha256: str
    member: str | None
    size: int  # bytes
    has_code: bool
    transformers: tuple[AdoptedTransformer, ...]
    sample: str | None  # the file's name
    examples: Sequence[Mapping[str, Any]]
    # The fields of each feature that adopt derived, by feature.
    derived: Mapping[str, Mapping[str, Any]]
    # The values of pandas categories in the order of their codes, by column.
    categories: Mapping[str, Sequence[Scalar] | None]
    profile: Sequence[Mapping[str, Any]] | None  # read by model_service.contract.profile
    # The content of model/expected.json.
    expected: Mapping[str, Any] | None = None

    @classmethod
    def from_manifest(
        cls, manifest: Mapping[str, Any], expected: Mapping[str, Any] | None = None
    ) -> AdoptedModel:
        """Read a manifest of this version of the tools."""
        model = manifest["model"]
        return cls(
            name=manifest["name"],
            title=manifest["title"],
            description=manifest["description"],
            version=manifest["version"],
            task=manifest["task"],
            classes=manifest["classes"],
            probabilities=manifest["probabilities"],
            estimator=manifest["estimator"],
            python=manifest["python"],
            libraries=manifest["libraries"],
            sha256=model.get("sha256", ""),
            member=model.get("member"),
            size=model["bytes"],
            has_code=bool(manifest["code"]),
            transformers=tuple(
                AdoptedTransformer(
                    file=entry["file"],
                    member=entry["member"],
                    sha256=entry["sha256"],
                    source=entry["source"],
                    estimator=entry["estimator"],
                )
                for entry in manifest["transformers"]
            ),
            sample=manifest["sample"],
            examples=manifest["examples"],
            derived=manifest["derived"],
            categories={name: entry["values"] for name, entry in manifest["categories"].items()},
            profile=manifest.get("profile"),
            expected=expected,
        )
