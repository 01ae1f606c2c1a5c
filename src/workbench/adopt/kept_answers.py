"""`.tools/answers.json`: what the model that was verified last answers for some rows.

It stays on this machine, as `.sample.csv` does. After the next adoption verify says how many of
these answers change.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from model_service.contract.golden import Golden, GoldenError, read_golden
from model_service.model.manifest import Manifest
from workbench import files
from workbench.errors import UserError


@dataclass(frozen=True)
class KeptAnswers:
    """Rows with the predictions of one version of the model."""

    version: int
    sha256: str  # of the model file
    golden: Golden

    def are_of(self, manifest: Manifest) -> bool:
        """Return whether they are those of the adoption that the manifest describes."""
        return (self.version, self.sha256) == (manifest.about.version, manifest.model.sha256)


def write_kept_answers(project: Path, manifest: Manifest, golden: Golden) -> None:
    """Keep the answers of the manifest's model."""
    about = {"version": manifest.about.version, "sha256": manifest.model.sha256}
    files.write(project / files.KEPT_ANSWERS, files.dumps({**about, **golden.to_json()}))


def read_kept_answers(project: Path) -> KeptAnswers | None:
    """Read the answers that were kept; None if they cannot be read: they only serve a report."""
    try:
        document = files.read_json(project / files.KEPT_ANSWERS)
        return KeptAnswers(document["version"], document["sha256"], Golden.from_json(document))
    except (UserError, KeyError, GoldenError):
        return None


def keep_recorded_answers(project: Path, manifest: Manifest) -> None:
    """Keep the golden predictions of the manifest's model, which another one is to replace.

    In a clone of the repository they are all that is known of its answers.
    """
    kept = read_kept_answers(project)
    if kept is not None and kept.are_of(manifest):
        return
    with suppress(GoldenError):
        golden = read_golden(project / files.GOLDEN)
        if golden is not None and manifest.verified:
            write_kept_answers(project, manifest, golden)
