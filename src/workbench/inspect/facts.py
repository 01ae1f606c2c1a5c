"""What static inspection tells the rest of the workbench."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ClassLabel = str | int | float | bool


@dataclass(frozen=True)
class Step:
    """One step of a Pipeline."""

    name: str
    class_name: str  # such as "sklearn.preprocessing._data.StandardScaler"


@dataclass(frozen=True)
class Categories:
    """How a model takes a column of categories."""

    # In the order of their codes; None where the file does not have them.
    values: tuple[ClassLabel, ...] | None = None
    dtype: str | None = None  # NumPy's, where the model insists on it
    coded: bool = True  # takes the codes of a pandas category, not the values themselves
    most_code: int = -1  # the highest code that the model asks for


@dataclass(frozen=True)
class BoosterFacts:
    """What the model of a boosting library says in its own format; None is what it does not say."""

    feature_names: tuple[str, ...] | None = None  # not those that the library invents
    n_features: int | None = None
    classes: tuple[ClassLabel, ...] | None = None
    n_outputs: int = 1
    objective: str | None = None  # as the library calls it
    n_classes: int = 1  # numbers that the model has for each row, where it says so
    stopped_early: bool = False  # it has more trees than its scikit-learn class would ask
    categories: Mapping[int, Categories] = field(default_factory=dict)  # by column


@dataclass(frozen=True)
class FileFacts:
    """What a file says about itself, whatever is in it."""

    container: str  # the writer: "pickle", "joblib", "skops", "xgboost", "lightgbm" or "catboost"
    suffix: str  # of the names that people give to such files
    compression: str | None  # "zlib", "gzip", "bz2", "xz" or "lzma"
    protocol: int
    size: int  # bytes of the file
    sha256: str
    libraries: Mapping[str, str]  # versions by distribution, such as {"scikit-learn": "1.6.1"}
    formats: Mapping[str, str]  # where the file has no version: {"lightgbm": "v4"}
    distributions: tuple[str, ...]  # whose modules the file refers to, sorted
    numpy_major: int | None  # 1, 2, or None if the file does not tell
    unknown_names: tuple[str, ...]  # need the user's trust
    custom_names: tuple[str, ...]  # in __main__: need the user's code
    trusted: tuple[str, ...]  # what skops may import; it wants to be told
    pickled_names: tuple[str, ...]  # whose code is in the file: need the user's trust
    code_pythons: tuple[str, ...] | None  # that can run that code


@dataclass(frozen=True)
class ModelFacts(FileFacts):
    """What a model file says about the model in it, read without loading it."""

    member: str | None  # the part of a bundle that is the model
    class_name: str  # of the model, such as "sklearn.pipeline.Pipeline"
    steps: tuple[Step, ...]  # of the Pipeline, if there is one
    estimator: str  # short class name of the final estimator, such as "LogisticRegression"
    task: str | None  # "classification", "regression", "clustering", "outlier"; None if unknown
    classes: tuple[ClassLabel, ...] | None  # None for other tasks and for several outputs
    binary: tuple[ClassLabel, ...] | None  # the two that a raw booster's number decides between
    n_outputs: int
    has_probabilities: bool
    feature_names: tuple[str, ...] | None
    n_features: int | None
    takes_texts: bool  # a list of texts rather than rows of columns
    fitted_on_frame: bool  # some part knows its columns by name, or may ask for them by name
    constant: int | None  # the place of a column of ones that nobody types
    categories: Mapping[int, Categories]  # of the columns that are categories, counted from 0
    notices: tuple[str, ...]  # sentences worth showing
    encoded: Mapping[str, tuple[ClassLabel, ...]]  # of text, by encoders that the model holds
