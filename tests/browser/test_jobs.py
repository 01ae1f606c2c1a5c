"""A long CSV on the page: offered to be scored in the background, followed, downloaded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from browser.axe import axe
from browser.conftest import Visit
from browser.models import MODELS
from browser.serving import Served, start, stop
from jobs_done import work_off
from playwright.sync_api import expect
from postgres import Postgres, postgres

from model_service.model.loading import load_model


@dataclass(frozen=True)
class WithJobs:
    """A service with jobs, and their database; no worker runs."""

    served: Served
    database: Postgres

    def work(self) -> None:
        work_off(load_model(self.served.model.project / "model"), self.database)


@pytest.fixture(scope="module")
def with_jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WithJobs]:
    with postgres() as database:
        model = MODELS["loan"](tmp_path_factory.mktemp("jobs"))
        served = start(model, JOBS="on", DATABASE_URL=database.url)
        yield WithJobs(served, database)
        stop(served)


def csv_of(served: Served, folder: Path, row_count: int) -> Path:
    path = folder / f"{row_count}.csv"
    frame = served.model.frame
    repeated = pd.concat([frame] * (row_count // len(frame) + 1), ignore_index=True)
    repeated.head(row_count).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no script"])
def test_a_long_file_is_scored_in_the_background(
    with_jobs: WithJobs, tmp_path: Path, visit: Visit, javascript: bool
) -> None:
    served = with_jobs.served
    page = visit(served, javascript=javascript)
    file, button = page.get_by_label("CSV file"), page.get_by_text("Score it in the background")
    if javascript:
        file.set_input_files(csv_of(served, tmp_path, 20_000))
        expect(button).to_be_hidden()
    path = csv_of(served, tmp_path, 20_001)
    file.set_input_files(path)
    button.click()
    expect(page).to_have_url(re.compile("/jobs/[0-9a-f-]{36}$"))
    expect(page.get_by_role("heading", name="Your file waits")).to_be_visible()
    if javascript:
        assert axe(page) == []
    with_jobs.work()
    expect(page.get_by_role("heading", name="Your predictions are there")).to_be_visible()
    expect(page.get_by_text("20,001 rows are scored")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the predictions").click()
    headers = {"Content-Type": "text/csv"}
    url = f"{served.url}/predict"
    expected = page.request.post(url, headers=headers, data=path.read_bytes()).body()
    assert Path(download.value.path()).read_bytes() == expected
