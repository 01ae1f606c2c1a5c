"""What callers see of a job, and how asking for one can fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from model_service.errors import ServiceError

State = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True)
class Job:
    """A job as it is now. A job that its worker has left counts as waiting."""

    id: UUID
    state: State
    row_count: int | None  # None until the file has been checked
    done: int
    rejected: int
    expires_at: datetime  # when it is deleted, unless it is running
    error: Mapping[str, Any] | None  # of a failed job: title, detail, errors

    @property
    def has_ended(self) -> bool:
        """Return whether nothing changes any more."""
        return self.state in ("done", "failed")


class NoSuchJob(ServiceError):
    """There is no job of this id, or it belongs to another caller."""

    summary = "There is no such job"

    def __init__(self) -> None:
        super().__init__("It belongs to another key, was deleted, or ended over 24 hours ago.")


class NotDone(ServiceError):
    """A job has no result: it has not ended, or it has failed."""

    summary = "The job has no result"

    def __init__(self, state: State) -> None:
        super().__init__(f"Its state is {state}; GET /jobs/ID says more.")


class DatabaseUnavailable(ServiceError):
    """The database does not answer, or takes nothing more."""

    summary = "The database does not answer"
