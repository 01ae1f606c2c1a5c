"""Each error of the engine has one status."""

from __future__ import annotations

import pytest
from werkzeug.datastructures import Headers

from model_service import errors
from model_service.contract.problems import Problem, Problems
from model_service.explain.blackbox import DoesNotFit
from model_service.explain.explainer import NotAdditive, NotFinite
from model_service.jobs.job import DatabaseUnavailable, NoSuchJob, NotDone
from model_service.serving.predictor import ModelFailsOnMixedRows, NotReady
from model_service.serving.queue import ModelStopped, Overloaded, Stuck, TimedOut
from model_service.web.errors import RequestProblem

PROBLEM = Problem(1, "Income", "is missing")
AGAIN = {"Retry-After": "1"}
UNFIT = "The request does not fit the model"
RESPONSES = [
    (
        errors.InvalidRows(Problems([PROBLEM])),
        422,
        UNFIT,
        "1 problem",
        {},
    ),
    (
        errors.BadFile(Problems([PROBLEM] * 2)),
        422,
        UNFIT,
        "2 problems",
        {},
    ),
    (
        DoesNotFit(3, 500),
        422,
        "Too many rows to explain",
        "3 rows fit into the 500 ms that a request has for its explanations "
        "(EXPLAIN_MILLISECONDS).",
        {},
    ),
    (
        NotFinite(),
        422,
        "There is no explanation for these values",
        "The model has no finite number for them, or for some of them together.",
        {},
    ),
    (
        ModelFailsOnMixedRows(),
        422,
        "There is no explanation for these values",
        "The model fails on these values, or on mixtures of them with other rows.",
        {},
    ),
    (NotAdditive("By 0.1."), 500, "The explanation is wrong", "By 0.1.", {}),
    (errors.TooManyRows("At most 5."), 413, "Too many rows", "At most 5.", {}),
    (
        NotReady("It is not."),
        503,
        "The model is not ready",
        "It is not.",
        {"Retry-After": "60"},
    ),
    (
        Overloaded(48),
        503,
        "Too many requests at once",
        "At most 48 may wait for the model; try again.",
        AGAIN,
    ),
    (
        TimedOut(20),
        503,
        "The prediction takes too long",
        "It was given up after 20 s; send fewer rows, or try later.",
        AGAIN,
    ),
    (
        Stuck(0.5),
        503,
        "The model is stuck",
        "It has not answered for 0.5 s; this process is being replaced.",
        AGAIN,
    ),
    (
        NoSuchJob(),
        404,
        "There is no such job",
        "It belongs to another key, was deleted, or ended over 24 hours ago.",
        {},
    ),
    (
        NotDone("running"),
        409,
        "The job has no result",
        "Its state is running; GET /jobs/ID says more.",
        {"Retry-After": "5"},
    ),
    (
        DatabaseUnavailable("It is busy."),
        503,
        "The database does not answer",
        "It is busy.",
        {"Retry-After": "5"},
    ),
    (
        ModelStopped(),
        503,
        "The model was stopped",
        "It tried something other than to predict; the log of the service has it.",
        AGAIN,
    ),
]


@pytest.mark.parametrize(("error", "status", "title", "detail", "headers"), RESPONSES)
def test_an_error_of_the_engine_has_a_response(
    error: errors.ServiceError, status: int, title: str, detail: str, headers: dict[str, str]
) -> None:
    problem = RequestProblem.of(error)
    assert (problem.status, problem.title, problem.detail) == (status, title, detail)
    assert Headers(problem.headers) == Headers(headers)


def test_every_error_of_the_engine_has_a_response() -> None:
    def leaves(kind: type[errors.ServiceError]) -> set[type[errors.ServiceError]]:
        below = kind.__subclasses__()
        return set().union(*map(leaves, below)) if below else {kind}

    assert leaves(errors.ServiceError) | {errors.InvalidRows} == {
        type(error) for error, *_ in RESPONSES
    }


def test_problems_that_are_not_listed_are_counted() -> None:
    error = errors.InvalidRows(Problems([PROBLEM] * 1234))
    assert len(error.problems) == 1000
    assert str(error) == "1234 problems (the first 1000 are listed)"
