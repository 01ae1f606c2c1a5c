"""The refusal of a model file: what was received, what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

SAVE_AGAIN = (
    "Save the fitted model again with joblib.dump(model, 'model.joblib') and give that file."
)


# Libraries as messages write them.
PROPER_NAMES: Mapping[str, str] = {
    "catboost": "CatBoost",
    "lightgbm": "LightGBM",
    "numpy": "numpy",
    "scikit-learn": "scikit-learn",
    "xgboost": "XGBoost",
}


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

    If it can be converted, `names` are to be imported, each a module and a name in it, and
    `converted_by` are the versions of the libraries that load it and save it again.
    """

    def __init__(
        self,
        what: str,
        remedy: str,
        names: frozenset[tuple[str, str]] | None,
        converted_by: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("old_version", what, remedy)
        self.names = names
        self.converted_by = dict(converted_by or {})

    @classmethod
    def convertible(
        cls, what: str, names: frozenset[tuple[str, str]], converted_by: Mapping[str, str]
    ) -> OldFile:
        """Return the refusal of a file that other versions of its libraries convert."""
        remedy = f"{_reads(converted_by)}: convert it with `make convert FILE=… OUT=…`."
        return cls(what, remedy, names, converted_by)

    @property
    def what_converts(self) -> str:
        """What reads the file and predicts the same, as the beginning of a sentence."""
        return _reads(self.converted_by)

    @property
    def can_be_converted(self) -> bool:
        """Whether a newer release reads the file and predicts the same."""
        return self.names is not None

    def __reduce__(self) -> tuple[type[OldFile], tuple[object, ...]]:  # type: ignore[override]
        return OldFile, (self.what, self.remedy, self.names, self.converted_by)


def versions_listed(libraries: Mapping[str, str]) -> str:
    """Return libraries of old files with their versions as a part of a sentence."""
    return " and ".join(f"{PROPER_NAMES[name]} {libraries[name]}" for name in sorted(libraries))


def _reads(libraries: Mapping[str, str]) -> str:
    verbs = "read it and predict" if len(libraries) > 1 else "reads it and predicts"
    return f"{versions_listed(libraries)} {verbs} the same"


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
