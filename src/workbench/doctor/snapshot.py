"""What the doctor reads of a project and measures, before any check judges it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model_service.model.manifest import Manifest
from workbench import heroku
from workbench.doctor.findings import Result
from workbench.lock.requirements import Requirement
from workbench.platforms.registry import Platform
from workbench.vendor import Wheel


@dataclass(frozen=True)
class Repository:
    """What git reports; file names are relative to the project."""

    prefix: str  # of the project's folder in the repository; empty at the top level
    uncommitted: frozenset[str]
    lfs_filtered: tuple[str, ...]  # by filter=lfs in .gitattributes
    on_github: bool


@dataclass(frozen=True)
class Vendor:
    """The wheels in vendor/, and those that differ from the SHA-256 in vendor/README.md."""

    wheels: tuple[Wheel, ...]
    altered: tuple[str, ...]
    ejected: bool


@dataclass(frozen=True)
class Templates:
    """The project's templates that take the place of the engine's."""

    overridden: int
    outdated: Mapping[str, str]  # the engine's page, which has changed since, by path of the copy


@dataclass(frozen=True)
class Slug:
    """An estimate of the compressed slug, and the largest packages in it, in MB."""

    megabytes: float
    largest: tuple[tuple[str, float], ...]
    native: bool  # the packages in .venv are those for Linux on x86_64


@dataclass(frozen=True)
class Memory:
    """Bytes that all processes of the service hold together; each worker adds `worker` bytes."""

    total: int
    worker: int
    workers: int
    exact: bool  # False: pages that processes share are counted in each of them

    def megabytes(self, workers: int) -> float:
        """Return the MB for another number of workers."""
        return (self.total + (workers - self.workers) * self.worker) / heroku.MEGABYTE


@dataclass(frozen=True)
class Latency:
    """The 95th percentile of the time of a one-row prediction."""

    seconds: float
    requests: int


@dataclass(frozen=True)
class Elsewhere:
    """Another platform than Heroku, and which of its files are not as make platform writes them."""

    platform: Platform
    lacking: tuple[str, ...]  # not there, or without the platform's lines
    edited: tuple[str, ...]


@dataclass(frozen=True)
class Snapshot:
    """All that the checks look at. A Result stands where there is no measurement, and says why."""

    tracked: Mapping[str, int]  # size by name: what git has, or has after `git add --all`
    repository: Repository | None
    lfs_pointers: tuple[str, ...]
    served: tuple[str, ...]  # the files of model/ that the service needs
    python: str | None  # .python-version
    manifest: Manifest
    app: heroku.App | None  # None: app.json cannot be read
    processes: frozenset[str]  # of the Procfile
    requirements: Mapping[str, tuple[Requirement, ...] | None]
    lock_is_current: bool
    vendor: Vendor
    templates: Templates | Result
    slug: Slug | Result
    boot_seconds: float | Result
    memory: Memory | Result
    latency: Latency | Result
    elsewhere: Elsewhere | None = None  # None: Heroku
