"""What the templates need beyond cookiecutter: hooks cannot see the folder the user typed in."""

from pathlib import Path

from cookiecutter.utils import simple_filter

BUNDLED_EXAMPLE = "loan_model"


@simple_filter  # type: ignore[untyped-decorator]
def absolute_path(path: str) -> str:
    """Make a path absolute, and the bundled example's name its folder."""
    if path == BUNDLED_EXAMPLE:
        return str(Path(__file__).resolve().parent / "examples" / path)
    return str(Path(path).expanduser().resolve())
