"""Locks without a network: requirements files that look as uv writes them."""

from __future__ import annotations

from pathlib import Path

from workbench import vendor
from workbench.lock import lock
from workbench.lock.requirements import LOCK, TEST_LOCK, parse_requirements


def fake_lock(project: Path) -> Path:
    """Give the pins heads and invented hashes, and the wheels in vendor/ their real ones."""
    for name, distribution in ((LOCK, vendor.ENGINE), (TEST_LOCK, vendor.TOOLS)):
        entries = [
            f"{entry.name}=={entry.version} \\\n    --hash=sha256:{'0' * 64}\n"
            for entry in parse_requirements((project / name).read_text())
            if not entry.vendored
        ]
        wheels = [wheel for wheel in vendor.wheels(project) if wheel.name == distribution]
        entries += [f"{w.line} \\\n    --hash=sha256:{w.sha256}\n" for w in wheels]
        (project / name).write_text(lock.lock_head(project, name) + "".join(entries))
    assert lock.is_current(project)
    return project
