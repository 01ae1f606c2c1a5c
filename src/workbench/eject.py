"""Eject: the engine's source becomes the project's own, beside app.py. Works offline."""

from __future__ import annotations

import zipfile
from pathlib import Path

from workbench import files, vendor
from workbench.errors import UserError
from workbench.lock import lock

PACKAGE = "model_service"


def eject(project: Path) -> str:
    """Unpack the engine, take its wheel out of vendor/ and out of the requirements.

    A folder beside app.py takes precedence over an installed package. Raises UserError.
    """
    if vendor.is_ejected(project):
        raise UserError(f"The engine's source is already here: {PACKAGE}/.")
    if (project / PACKAGE).exists():
        raise UserError(f"{PACKAGE}/ exists; move it away, then run make eject again.")
    engine = vendor.require_engine(project)
    # Its hash is the one that was listed, so its names are ours: none leads out of the project.
    with zipfile.ZipFile(engine.path) as archive:
        members = [name for name in archive.namelist() if name.startswith(f"{PACKAGE}/")]
        for member in members:
            files.write(project / member, archive.read(member))
    lock.replace_wheel(project, vendor.ENGINE, None)
    engine.path.unlink()
    vendor.write_readme(project)
    return (
        f"{PACKAGE}/ holds the engine {engine.version}: {len(members)} files, yours from now on.\n"
        f"Its wheel left {vendor.FOLDER}/ and the requirements files. make upgrade refuses from "
        "now on.\nNext: make verify, then commit."
    )
