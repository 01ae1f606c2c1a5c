"""The jobs of callers: create, find, read, delete. A caller sees only jobs of its own key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import IO
from uuid import UUID

import psycopg

from model_service.jobs.database import Database
from model_service.jobs.job import Job, NoSuchJob

# One value of 50 MB would take ten times as much memory in the driver.
PART_BYTES = 1 << 20
KEPT = "interval '24 hours'"

_CREATE = f"""
insert into model_jobs (id, owner, keep_bad_rows, expires_at)
values (%s, %s, %s, now() + {KEPT}) on conflict (id) do nothing returning id"""
_ADD_PART = "insert into model_job_parts (job, side, number, data) values (%s, 'input', %s, %s)"
_FIND = """
select id, case when state = 'running' and leased_until < now() then 'waiting' else state end,
  row_count, done, rejected, expires_at, error
from model_jobs where id = %s and owner is not distinct from %s"""
_COUNT = """
select count(*) filter (where state = 'waiting' or leased_until < now()),
  count(*) filter (where state = 'running' and leased_until >= now())
from model_jobs where state in ('waiting', 'running')"""
_DELETE = "delete from model_jobs where id = %s and owner is not distinct from %s"
# Of the running jobs only those whose worker died.
EXPIRE = """
delete from model_jobs
where expires_at < now() and (state <> 'running' or leased_until < now())"""
_SIZE = """
select coalesce(sum(length(data)), 0) from model_job_parts where job = %s and side = 'output'"""
_PART = """
select data from model_job_parts where job = %s and side = %s and number = %s"""


class JobStorage:
    """What the routes ask of the database. Each method can raise DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, job: UUID, owner: str | None, file: IO[bytes], *, keep_bad_rows: bool) -> None:
        """Store a file as a job that waits."""

        def store(connection: psycopg.Connection) -> None:
            connection.execute(EXPIRE)  # also where no worker runs
            if connection.execute(_CREATE, (job, owner, keep_bad_rows)).fetchone() is None:
                return  # stored already, and only the answer of the database was lost
            file.seek(0)
            for number, part in enumerate(iter(lambda: file.read(PART_BYTES), b"")):
                connection.execute(_ADD_PART, (job, number, part))

        self._database.run(store)

    def find(self, job: UUID, owner: str | None) -> Job:
        """Return a job. Raises NoSuchJob."""
        row = self._database.run(lambda c: c.execute(_FIND, (job, owner)).fetchone())
        if row is None:
            raise NoSuchJob
        *members, error = row
        found = (*members, None if error is None else json.loads(error))
        return Job(*found)

    def counts(self) -> dict[str, int]:
        """Return how many jobs of all callers wait and run."""
        row = self._database.run(lambda c: c.execute(_COUNT).fetchone())
        return dict(zip(("waiting", "running"), row or (0, 0), strict=True))

    def delete(self, job: UUID, owner: str | None) -> None:
        """Delete a job in any state; its worker stops at the next chunk. Raises NoSuchJob."""
        if not self._database.run(lambda c: c.execute(_DELETE, (job, owner)).rowcount):
            raise NoSuchJob

    def result(self, job: UUID) -> tuple[int, Iterator[bytes]]:
        """Return the bytes of a result, and the result in parts."""
        row = self._database.run(lambda c: c.execute(_SIZE, (job,)).fetchone())
        return int(row[0]) if row else 0, read_parts(self._database, job, "output")


def read_parts(database: Database, job: UUID, side: str) -> Iterator[bytes]:
    """Yield a file in parts, each read when it is needed."""

    def read(connection: psycopg.Connection) -> bytes | None:
        row = connection.execute(_PART, (job, side, number)).fetchone()
        return None if row is None else bytes(row[0])

    for number in count():  # noqa: B007  # `read` uses it
        if (part := database.run(read)) is None:
            return
        yield part
