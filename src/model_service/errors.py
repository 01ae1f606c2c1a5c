"""Errors of the engine. They know no HTTP: web/errors.py has the status of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from model_service.contract.problems import Problems


class StartError(Exception):
    """The service cannot start; the message is one sentence that says why and what to do.

    Raised for a wrong config var (SettingsError) and for a model that must not be served
    (ModelError).
    """


class ModelError(StartError):
    """The model, its files, its libraries or the Python are not those that were adopted."""


class ServiceError(Exception):
    """A request cannot be answered: `summary` says what is wrong, the message gives the details."""

    summary: ClassVar[str]


class InvalidRows(ServiceError):
    """Rows that the contract or the model does not take; `problems` names row and feature."""

    summary = "The request does not fit the model"

    def __init__(self, problems: Problems) -> None:
        super().__init__(problems.summary)
        self.problems = problems


class BadFile(InvalidRows):
    """A file that cannot be read as rows: no CSV, a wrong header, nothing in it."""


class TooManyRows(ServiceError):
    """More rows than a limit allows."""

    summary = "Too many rows"
