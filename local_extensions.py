"""Jinja filters for cookiecutter.json: hooks do not know the folder that the user is in.

cookiecutter imports this module, so it is also the place to keep cookiecutter's own traceback from
following the last lines of a refusal.
"""

import contextlib
import logging
import sys
from pathlib import Path

from cookiecutter.exceptions import FailedHookException
from cookiecutter.utils import simple_filter

BUNDLED_EXAMPLE = "loan_model"
# What is listed above a question, by the usual suffixes; any other file is taken, too.
LISTED = {
    "Model files": (".joblib", ".pickle", ".pkl", ".sav", ".skops", ".ubj", ".cbm"),
    "Data files": (".csv", ".tsv"),
}
MAX_LISTED = 6


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


@simple_filter  # type: ignore[untyped-decorator]
def list_files(kind: str) -> str:
    """Print which files of a kind are in the working folder, above the question; return "".

    They cannot be the question's default: --no-input without answers renders the example.
    """
    if not sys.stdin.isatty() or "--no-input" in sys.argv:
        return ""
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = sorted(p.name for p in Path().iterdir() if p.suffix.lower() in LISTED[kind])
    if names:
        more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
        print(f"  {kind} here: {', '.join(names[:MAX_LISTED])}{more}")
    return ""
