"""The connection of a process to PostgreSQL, and the tables."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from model_service.jobs.job import DatabaseUnavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")

CONNECT_SECONDS = 5
# A network that swallows packets is noticed after so long.
SILENT_SECONDS = 20
# Threads that wait for the connection give up after so long: they also serve other requests.
WAIT_SECONDS = 10
# Between two tries of a worker, doubled up to the maximum.
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 1.0, 30.0

# `lease` names the worker that has the job: each statement of a worker asks for its own lease, so
# that one which was taken for dead and wakes up changes nothing.
TABLES = """
create table if not exists model_jobs (
  id uuid primary key,
  owner text,
  keep_bad_rows boolean not null,
  state text not null default 'waiting',
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  lease uuid,
  leased_until timestamptz,
  tries integer not null default 0,
  row_count bigint,
  done bigint not null default 0,
  rejected bigint not null default 0,
  error text);
create index if not exists model_jobs_queue on model_jobs (created_at)
  where state in ('waiting', 'running');
create table if not exists model_job_parts (
  job uuid not null references model_jobs on delete cascade,
  side text not null,
  number integer not null,
  data bytea not null,
  primary key (job, side, number));
"""
# Processes that start together would create the tables twice.
_LOCK = "select pg_advisory_xact_lock(hashtext('model_jobs'))"


class Database:
    """One connection, made at its first use and again after a failure; threads take turns."""

    def __init__(self, url: str) -> None:
        self._connection: psycopg.Connection | None = None
        self._url = url
        self._lock = threading.Lock()

    def run(self, work: Callable[[psycopg.Connection], T]) -> T:
        """Run `work` in a transaction. Raises DatabaseUnavailable.

        It runs a second time if the connection was lost, even in the commit: work that is done
        already must do no harm.
        """
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            raise DatabaseUnavailable("It is busy; try again.")
        try:
            if self._connection is not None:
                with suppress(psycopg.OperationalError, psycopg.InterfaceError):
                    return self._transact(self._connection, work)
                self.close()  # a restart of the database ends all connections
            self._connection = self._connect()
            # No one closes an application; an open connection would warn.
            self._end_connection = weakref.finalize(self, self._connection.close)
            return self._transact(self._connection, work)
        except psycopg.Error as error:
            self.close()
            # The message can name the host and the user; callers get none of it.
            logger.warning("the database refuses: %s", str(error).strip() or type(error).__name__)
            raise DatabaseUnavailable("Try again later; the log of the service says why.") from None
        finally:
            self._lock.release()

    def close(self) -> None:
        """Close the connection; the next use makes another."""
        if self._connection is not None:
            self._end_connection()
            self._connection = None

    def _connect(self) -> psycopg.Connection:
        connection = psycopg.connect(
            # No prepared statements: PgBouncer gives each transaction another connection.
            connection_string(self._url),
            autocommit=True,
            prepare_threshold=None,
        )
        try:
            with connection.transaction():
                connection.execute(_LOCK)
                connection.execute(TABLES)
        except psycopg.Error:
            connection.close()
            raise
        return connection

    @staticmethod
    def _transact(connection: psycopg.Connection, work: Callable[[psycopg.Connection], T]) -> T:
        with connection.transaction():
            return work(connection)


class PatientDatabase(Database):
    """The connection of a process that has nothing else to do: it waits out an outage."""

    def __init__(self, url: str, stop: threading.Event) -> None:
        super().__init__(url)
        self._stop = stop

    def run(self, work: Callable[[psycopg.Connection], T]) -> T:
        """Run `work` in a transaction, if necessary again and again.

        Raises DatabaseUnavailable only if `stop` is set.
        """
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return super().run(work)
            except DatabaseUnavailable:
                if self._stop.wait(pause):
                    raise
                pause = min(2 * pause, MAX_PAUSE_SECONDS)


def connection_string(url: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return how to connect: what the URL says, and otherwise these time-outs.

    On Heroku it asks for TLS: the databases there accept nothing else, and their URLs do not say
    so. Raises psycopg.ProgrammingError.
    """
    defaults: dict[str, str | int] = {
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": SILENT_SECONDS // 2,
        "keepalives_interval": SILENT_SECONDS // 4,
        "keepalives_count": 2,
        "tcp_user_timeout": 1000 * SILENT_SECONDS,
    }
    if "DYNO" in environment:
        defaults["sslmode"] = "require"
    named = conninfo_to_dict(url)
    return make_conninfo(url, **{k: v for k, v in defaults.items() if k not in named})
