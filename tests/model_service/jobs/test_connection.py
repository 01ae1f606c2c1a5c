"""How a process connects to PostgreSQL, without one."""

from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from model_service.jobs.database import CONNECT_SECONDS, connection_string
from model_service.web.settings import Settings, SettingsError

HEROKU = {"DYNO": "web.1"}
URL = "postgres://ada:secret@db.example:5432/jobs"


@pytest.mark.parametrize(
    ("url", "environment", "expected"),
    [
        (URL, {}, {"host": "db.example", "dbname": "jobs", "connect_timeout": CONNECT_SECONDS}),
        (URL, {}, {"sslmode": None}),
        (URL, HEROKU, {"sslmode": "require"}),
        (f"{URL}?sslmode=verify-full&connect_timeout=2", HEROKU, {"sslmode": "verify-full"}),
        (f"{URL}?sslmode=verify-full&connect_timeout=2", HEROKU, {"connect_timeout": 2}),
        (URL.replace("postgres:", "postgresql:"), {}, {"user": "ada", "password": "secret"}),
    ],
)
def test_a_connection_has_time_outs_and_on_heroku_tls(
    url: str, environment: dict[str, str], expected: dict[str, object]
) -> None:
    found = conninfo_to_dict(connection_string(url, environment))
    assert {name: found.get(name) for name in expected} == {
        name: value if value is None else str(value) for name, value in expected.items()
    }


def test_a_url_of_another_database_matters_only_to_jobs() -> None:
    other = {"DATABASE_URL": "mysql://ada:secret@db.example/jobs"}
    assert not Settings.from_environment(other).jobs
    with pytest.raises(SettingsError, match="DATABASE_URL is no address") as caught:
        Settings.from_environment({**other, "JOBS": "on"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgres://ada:100%pw-secret@db.example/jobs",
        "postgres://ada:pw secret@db.example/jobs",
        "postgres://ada:p@secret@db.example/jobs",
        "postgres://ada:pw@[::1/secret",
        f"{URL}?secret=1",
    ],
)
def test_a_malformed_url_ends_the_start_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL cannot be parsed") as caught:
        Settings.from_environment({"DATABASE_URL": url, "JOBS": "on"})
    assert "secret" not in f"{caught.value}{caught.value.__cause__}{caught.value.__context__}"
    assert not Settings.from_environment({"DATABASE_URL": url}).jobs


@pytest.mark.parametrize(
    "url",
    [URL, "postgresql:///jobs", "postgres://a:p%40s@[::1]:5432/jobs", "postgres://h1,h2/jobs"],
)
def test_a_url_that_libpq_understands_is_taken(url: str) -> None:
    assert Settings.from_environment({"DATABASE_URL": url, "JOBS": "on"}).jobs
