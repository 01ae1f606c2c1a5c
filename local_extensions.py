"""A Jinja filter for cookiecutter.json: hooks do not know the folder that the user is in."""

from pathlib import Path

from cookiecutter.utils import simple_filter

BUNDLED_EXAMPLE = "loan_model"


@simple_filter  # type: ignore[untyped-decorator]
def absolute_path(path: str) -> str:
    """Return an absolute path; for the name of the bundled example, its folder."""
    if path == BUNDLED_EXAMPLE:
        return str(Path(__file__).resolve().parent / "examples" / path)
    return str(Path(path).expanduser().resolve())
