"""The refusal of a model file: what was received, what is wrong, and what to do."""

from __future__ import annotations

SAVE_AGAIN = (
    "Save the fitted model again with joblib.dump(model, 'model.joblib') and give that file."
)


class RefusedFile(Exception):
    """The file cannot be adopted; `what` is wrong and the `remedy` are one sentence each."""

    def __init__(self, code: str, what: str, remedy: str) -> None:
        super().__init__(f"{what} {remedy}")
        self.code = code
        self.what = what
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[RefusedFile], tuple[str, str, str]]:
        # The default would call RefusedFile with the one joined message.
        return RefusedFile, (self.code, self.what, self.remedy)


class OldFile(RefusedFile):
    """A file of an old scikit-learn, or of an old XGBoost.

    `names` are to be imported if it can be converted, each a module and a name in it. `library` is
    the one that converts it.
    """

    def __init__(
        self,
        what: str,
        remedy: str,
        names: frozenset[tuple[str, str]] | None,
        library: str = "scikit-learn",
    ) -> None:
        super().__init__("old_version", what, remedy)
        self.names = names
        self.library = library

    @property
    def can_be_converted(self) -> bool:
        """Whether a newer release reads the file and predicts the same."""
        return self.names is not None

    def __reduce__(self) -> tuple[type[OldFile], tuple[object, ...]]:  # type: ignore[override]
        return OldFile, (self.what, self.remedy, self.names, self.library)


def code_pickled_by_dill() -> RefusedFile:
    """Return the refusal of a file with code that was pickled by dill."""
    return RefusedFile(
        "unsupported",
        "The file holds code that was pickled with it by dill.",
        "Put its functions and classes into a .py file, import them from it, and save again.",
    )


def malformed(detail: str) -> RefusedFile:
    """Return the refusal of a pickle that breaks the format, `detail` being a clause."""
    return RefusedFile("malformed", f"The file is not a readable pickle: {detail}.", SAVE_AGAIN)


def truncated() -> RefusedFile:
    """Return the refusal of a file that ends before its pickle does."""
    return RefusedFile(
        "truncated",
        "The file ends in the middle of the model, as after an interrupted copy or download.",
        "Copy it again, or save the model again.",
    )


def dangerous(detail: str) -> RefusedFile:
    """Return the refusal of a file that acts when it is loaded, `detail` being a clause."""
    return RefusedFile(
        "dangerous",
        f"The file is not safe to load: {detail}.",
        "Do not load it anywhere; get the model again from someone you trust.",
    )


def too_big(detail: str) -> RefusedFile:
    """Return the refusal of a file beyond the limits of inspection, `detail` being a clause."""
    return RefusedFile(
        "too_big", f"The file is too big to be inspected: {detail}.", "Train a smaller model."
    )
