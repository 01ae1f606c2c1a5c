"""The queue as a worker sees it: it takes a job for a while, and what it writes needs the lease."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg

from model_service.csv.stream import Progress
from model_service.jobs.database import Database
from model_service.jobs.storage import EXPIRE, KEPT, read_parts

MAX_TRIES = 3
# A worker that shows no progress for so long is taken for dead.
LEASE = "interval '60 seconds'"

GIVEN_UP = {
    "title": "The job was given up",
    "detail": f"It failed {MAX_TRIES} times; the log of the worker has more under its id.",
    "errors": [],
}

_GIVE_UP = f"""
with given_up as (
  update model_jobs set state = 'failed', lease = null, error = %s, expires_at = now() + {KEPT}
  where state = 'running' and leased_until < now() and tries >= {MAX_TRIES} returning id)
delete from model_job_parts using given_up where job = given_up.id"""
_TAKE = f"""
update model_jobs set state = 'running', lease = %s, leased_until = now() + {LEASE},
  tries = tries + 1, row_count = null, done = 0, rejected = 0
where id = (
  select id from model_jobs
  where state = 'waiting' or (state = 'running' and leased_until < now())
  order by created_at for update skip locked limit 1)
returning id, tries, keep_bad_rows"""
_RENEW = f"""
update model_jobs set leased_until = now() + {LEASE}, row_count = %s, done = %s, rejected = %s
where id = %s and lease = %s"""
_LOCK = "select 1 from model_jobs where id = %s and lease = %s for update"
_ADD_PART = """
insert into model_job_parts (job, side, number, data) values (%s, 'output', %s, %s)
on conflict do nothing"""
_DELETE_PARTS = "delete from model_job_parts where job = %s and side = %s"
# The lease stays, so that the same worker can end a job twice if an answer is lost.
_END = f"""
update model_jobs set state = %s, row_count = %s, done = %s, rejected = %s, error = %s,
  expires_at = now() + {KEPT}
where id = %s and lease = %s"""
_RELEASE = """
update model_jobs set state = 'waiting', lease = null, tries = tries - %s
where id = %s and lease = %s"""


class LeaseLost(Exception):
    """The job was deleted, or another worker has it by now."""


@dataclass(frozen=True)
class Lease:
    """A job that a worker has taken."""

    job: UUID
    id: UUID
    tries: int  # with this one
    keep_bad_rows: bool


class Leases:
    """The jobs for workers.

    Methods that take a lease raise LeaseLost; all can raise DatabaseUnavailable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self) -> Lease | None:
        """Take the oldest job that waits or whose worker died; None if there is none.

        Deletes what has been kept for long enough, and gives up what has failed too often.
        """
        lease = uuid4()

        def take(connection: psycopg.Connection) -> Lease | None:
            connection.execute(EXPIRE)
            connection.execute(_GIVE_UP, (json.dumps(GIVEN_UP),))
            row = connection.execute(_TAKE, (lease,)).fetchone()
            if row is None:
                return None
            job, tries, keep_bad_rows = row
            connection.execute(_DELETE_PARTS, (job, "output"))
            return Lease(job, lease, tries, keep_bad_rows)

        return self._database.run(take)

    def input(self, lease: Lease) -> Iterator[bytes]:
        """Yield the file of a job in parts."""
        yield from read_parts(self._database, lease.job, "input")

    def renew(self, lease: Lease, progress: Progress) -> None:
        """Keep a job for longer, and show how far it is."""
        counts = (progress.row_count, progress.done, progress.rejected)
        self._run(lease, _RENEW, *counts)

    def write(self, lease: Lease, number: int, data: bytes) -> None:
        """Write a part of the result; the same part again changes nothing."""

        def write(connection: psycopg.Connection) -> None:
            if connection.execute(_LOCK, (lease.job, lease.id)).fetchone() is None:
                raise LeaseLost
            connection.execute(_ADD_PART, (lease.job, number, data))

        self._database.run(write)

    def finish(self, lease: Lease, progress: Progress) -> None:
        """End a job whose result is written."""
        self._end(lease, progress, "done", None)

    def fail(self, lease: Lease, progress: Progress, error: Mapping[str, Any]) -> None:
        """End a job that has no result."""
        self._end(lease, progress, "failed", error)

    def release(self, lease: Lease, *, counts: bool) -> None:
        """Let another worker have the job; `counts` says whether this was one of its tries."""
        self._run(lease, _RELEASE, 0 if counts else 1)

    def _end(
        self, lease: Lease, progress: Progress, state: str, error: Mapping[str, Any] | None
    ) -> None:
        text = None if error is None else json.dumps(error)  # ASCII: PostgreSQL stores no NUL
        counts = (progress.row_count, progress.done, progress.rejected)

        def end(connection: psycopg.Connection) -> None:
            ended = connection.execute(_END, (state, *counts, text, lease.job, lease.id))
            if not ended.rowcount:
                raise LeaseLost
            connection.execute(_DELETE_PARTS, (lease.job, "input"))
            if error is not None:
                connection.execute(_DELETE_PARTS, (lease.job, "output"))

        self._database.run(end)

    def _run(self, lease: Lease, statement: str, *values: int | None) -> None:
        given = (*values, lease.job, lease.id)
        if not self._database.run(lambda c: c.execute(statement, given).rowcount):
            raise LeaseLost
