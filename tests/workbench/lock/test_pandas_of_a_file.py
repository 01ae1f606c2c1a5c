"""A file with objects of pandas 3 or 1 gets that pandas, or a sentence that says why not."""

from __future__ import annotations

import pytest

from workbench.inspect.estimators.library_versions import pandas_format
from workbench.inspect.pickle.values import Global
from workbench.lock.choose import pins, pythons
from workbench.lock.pins import NoPins

FOUND = [
    # scikit-learn, pandas of the file, numpy of the file, pins of numpy and pandas
    ("1.9.1", "3", 2, "2.4.6", "3.1.1"),
    ("1.8.0", "3", 2, "2.4.1", "3.1.1"),
    ("1.5.2", "3", 2, "2.1.3", "3.1.1"),
    ("1.4.2", "3", 2, "2.0.2", "3.1.1"),
    ("1.3.2", "3", 1, "1.26.4", "3.0.6"),
    ("1.5.2", "1", 1, "1.26.4", "1.5.3"),
    ("1.3.2", "1", 1, "1.26.4", "1.5.3"),
    ("1.2.2", "1", 1, "1.24.2", "1.5.3"),
]


@pytest.mark.parametrize(("scikit_learn", "pandas", "numpy_major", "numpy", "pinned"), FOUND)
def test_the_pandas_of_the_file_is_pinned(
    scikit_learn: str, pandas: str, numpy_major: int, numpy: str, pinned: str
) -> None:
    libraries, formats = {"scikit-learn": scikit_learn}, {"pandas": pandas}
    wanted = numpy_major if numpy_major == 2 else None
    for python in pythons(libraries, ("pandas",), wanted, formats=formats):
        model = pins(
            libraries,
            python,
            distributions=("pandas",),
            pandas=True,
            numpy_major=numpy_major,
            formats=formats,
        ).model
        assert model["pandas"].partition(".")[0] == pandas
        assert model["numpy"].partition(".")[0] == str(numpy_major)
    assert pinned.startswith(pandas)
    first = pythons(libraries, ("pandas",), wanted, formats=formats)[0]
    model = pins(
        libraries,
        first,
        distributions=("pandas",),
        pandas=True,
        numpy_major=numpy_major,
        formats=formats,
    ).model
    assert (model["numpy"], model["pandas"]) == (numpy, pinned)


@pytest.mark.parametrize(("scikit_learn", "pandas"), [("1.2.2", "3"), ("1.9.1", "1")])
def test_no_such_pandas(scikit_learn: str, pandas: str) -> None:
    with pytest.raises(NoPins, match=f"objects of pandas {pandas}.*Save the model without them"):
        pythons({"scikit-learn": scikit_learn}, ("pandas",), formats={"pandas": pandas})


@pytest.mark.parametrize(
    ("module", "formats"),
    [
        ("pandas", {"pandas": "3"}),
        ("pandas.core.indexes.numeric", {"pandas": "1"}),
        ("pandas.core.frame", {}),
        ("numpy", {}),
    ],
)
def test_the_format_of_pandas(module: str, formats: dict[str, str]) -> None:
    assert pandas_format({Global(module, "Index")}) == formats
