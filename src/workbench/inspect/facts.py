"""The facts that static inspection reads from a model file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.inspect.refused_file import OldFile

ClassLabel = str | int | float | bool


@dataclass(frozen=True)
class Step:
    """One step of a Pipeline."""

    name: str
    class_name: str  # such as "sklearn.preprocessing._data.StandardScaler"


@dataclass(frozen=True)
class Categories:
    """The categories of one input column, as the model takes them."""

    # In the order of their codes; None if the file does not have them.
    values: tuple[ClassLabel, ...] | None = None
    dtype: str | None = None  # NumPy's, if the model accepts no other
    coded: bool = True  # the model takes the codes of a pandas category, not the values
    max_code: int = -1  # the highest code that the model tests


@dataclass(frozen=True)
class BoosterFacts:
    """The facts in the native model of a boosting library; None is a fact that it does not have."""

    feature_names: tuple[str, ...] | None = None  # not the default names of the library
    n_features: int | None = None
    classes: tuple[ClassLabel, ...] | None = None
    n_outputs: int = 1
    objective: str | None = None  # as the library calls it
    n_classes: int = 1  # numbers that the model computes for each row
    stopped_early: bool = False  # it has more trees than its scikit-learn class would use
    categories: Mapping[int, Categories] = field(default_factory=dict)  # by column


@dataclass(frozen=True)
class FileFacts:
    """The facts of a file, whatever object it holds."""

    # What wrote it: "pickle", "joblib", "skops", "xgboost", "lightgbm" or "catboost".
    container: str
    suffix: str  # usual file name suffix of the format, such as ".pkl"
    compression: str | None  # "zlib", "gzip", "bz2", "xz" or "lzma"
    protocol: int
    size: int  # bytes of the file
    sha256: str
    libraries: Mapping[str, str]  # versions by distribution, such as {"scikit-learn": "1.6.1"}
    formats: Mapping[str, str]  # of libraries that record no version, such as {"lightgbm": "v4"}
    distributions: tuple[str, ...]  # needed to load the file, sorted
    numpy_major: int | None  # 1, 2, or None if the file refers to neither
    unknown_names: tuple[str, ...]  # outside the known list: need the user's trust
    custom_names: tuple[str, ...]  # in __main__: need the user's code
    trusted: tuple[str, ...]  # the names that skops.io.load has to be told to trust
    pickled_names: tuple[str, ...]  # whose code is in the file: need the user's trust
    code_uses: tuple[str, ...]  # globals, modules and attributes that this code uses
    code_pythons: tuple[str, ...] | None  # Pythons that can run that code; None without code
    too_old: OldFile | None  # why the file can be inspected but not served


# The facts of a list of texts, which needs no library.
NO_FILE = FileFacts(
    container="pickle",
    suffix=".json",
    compression=None,
    protocol=0,
    size=0,
    sha256="",
    libraries={},
    formats={},
    distributions=(),
    numpy_major=None,
    unknown_names=(),
    custom_names=(),
    trusted=(),
    pickled_names=(),
    code_uses=(),
    code_pythons=None,
    too_old=None,
)


@dataclass(frozen=True)
class ModelFacts(FileFacts):
    """The facts of a file and of the model in it."""

    member: str | None  # the member of a dict, tuple or list that is the model
    class_name: str  # of the model, such as "sklearn.pipeline.Pipeline"
    steps: tuple[Step, ...]  # of the Pipeline, if there is one
    estimator: str  # short class name of the final estimator, such as "LogisticRegression"
    task: str | None  # "classification", "regression", "clustering", "outlier"; None if unknown
    classes: tuple[ClassLabel, ...] | None  # None for other tasks and for several outputs
    binary: (
        tuple[ClassLabel, ...] | None
    )  # the two classes of a raw booster, which predicts a number
    n_outputs: int
    has_probabilities: bool
    feature_names: tuple[str, ...] | None
    n_features: int | None
    takes_texts: bool  # a list of texts rather than rows of columns
    fitted_on_frame: bool  # some part knows its columns by name, or can ask for them by name
    constant: int | None  # position of a constant column, which is no feature
    categories: Mapping[int, Categories]  # of columns that are categories, counted from 0
    notices: tuple[str, ...]  # sentences to show to the user
    encoded: Mapping[str, tuple[ClassLabel, ...]]  # text categories of encoders in it, by column
    numbers: frozenset[str] = frozenset()  # columns of which a ColumnTransformer takes numbers only
    unused: tuple[str, ...] = ()  # of the features, those that a ColumnTransformer drops
