"""A PostgreSQL of the test's own, which can be stopped and started again."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from running import free_port

USER = "postgres"


@dataclass(frozen=True)
class Postgres:
    """A server on a port of this machine, with its files in a folder."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        """As Heroku writes it."""
        return f"postgres://{USER}@127.0.0.1:{self.port}/postgres"

    def initialize(self) -> None:
        """Make the files of an empty database."""
        options = ["--auth=trust", f"--username={USER}", "--no-sync", "--encoding=UTF8"]
        run("initdb", f"--pgdata={self.folder}", *options)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        # Not durable against a crash of the machine, which would only be slow here.
        options = f"-p {self.port} -h 127.0.0.1 -k '' -c fsync=off -c full_page_writes=off"
        log = f"--log={self.folder / 'log'}"
        run("pg_ctl", "start", "--wait", f"--pgdata={self.folder}", log, f"--options={options}")

    def stop(self) -> None:
        """Stop the server as a crash does: connections break in the middle of a statement."""
        run("pg_ctl", "stop", "--mode=immediate", f"--pgdata={self.folder}")

    def start_if_stopped(self) -> None:
        """Start the server for the next test."""
        if not (self.folder / "postmaster.pid").exists():
            self.start()

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement and return its rows."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(statement)
            return found.fetchall() if found.description else []


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a new PostgreSQL."""
    # Not in pytest's own folder, which only this user can enter.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, USER, USER)
    server = Postgres(folder / "data", free_port())
    try:
        server.initialize()
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder)


def run(program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL, which refuses root."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    path = str(found[-1]) if found else shutil.which(program)
    assert path, f"{program} is needed: apt-get install postgresql"
    user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--"]
    subprocess.run(
        [*(user if os.geteuid() == 0 else []), path, *arguments],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
