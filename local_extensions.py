"""A Jinja filter for cookiecutter.json: hooks do not know the folder that the user is in.

cookiecutter imports this module, so it is also the place to keep cookiecutter's own traceback from
following the last lines of a refusal.
"""

import logging
from pathlib import Path

from cookiecutter.exceptions import FailedHookException
from cookiecutter.utils import simple_filter

BUNDLED_EXAMPLE = "loan_model"


class RefusalsComeLast(logging.Filter):
    """Drop what cookiecutter logs after a hook has refused: the hook has said why and what next."""

    def filter(self, record: logging.LogRecord) -> bool:
        failure = record.exc_info[1] if record.exc_info else None
        if isinstance(failure, FailedHookException):
            failure.args = ("",)  # cookiecutter prints it as its last line
            return False
        return True


logging.getLogger("cookiecutter.hooks").addFilter(RefusalsComeLast())


@simple_filter  # type: ignore[untyped-decorator]
def absolute_path(path: str) -> str:
    """Return an absolute path; for the name of the bundled example, its folder."""
    if path == BUNDLED_EXAMPLE:
        return str(Path(__file__).resolve().parent / "examples" / path)
    return str(Path(path).expanduser().resolve())
