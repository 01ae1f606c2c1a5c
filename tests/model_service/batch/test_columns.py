"""Lists, arrays and codes are one column: to frames, to the fast path, to single rows."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from model_service.columns.frames import model_input
from model_service.contract.batch import Batch, Coded, Column
from model_service.contract.contract import Contract, Feature, InputKind
from model_service.csv.reader import ChunkSize, CsvFile
from model_service.csv.rows import RowReader
from model_service.fast_path import FastPath, compile_fast_path

ROWS = 300
AREAS = ["Rural", "Urban", None, "Semiurban"]


def frame() -> pd.DataFrame:
    random = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "income": np.where(random.random(ROWS) < 0.1, np.nan, random.normal(5, 2, ROWS)),
            "rooms": random.integers(1, 4, ROWS),
            "area": pd.Series(
                [AREAS[n] or np.nan for n in random.integers(0, 4, ROWS)], dtype=object
            ),
        }
    )


def areas(data: pd.DataFrame) -> list[str | None]:
    return [value if isinstance(value, str) else None for value in data["area"]]


def as_lists(data: pd.DataFrame) -> list[Column]:
    return [
        Column("income", "float", [None if v != v else v for v in data["income"].tolist()]),
        Column("rooms", "int", data["rooms"].tolist()),
        Column("area", "text", areas(data)),
    ]


def as_arrays(data: pd.DataFrame) -> list[Column]:
    # One distinct value more than there is: a filter can leave some unused.
    distinct = ["nowhere", *AREAS]
    codes = np.array([distinct.index(value) for value in areas(data)])
    rooms, codes_of_rooms = np.unique(data["rooms"].to_numpy(), return_inverse=True)
    return [
        Column("income", "float", data["income"].to_numpy()),
        Column("rooms", "int", Coded(codes_of_rooms, rooms.tolist())),
        Column("area", "text", Coded(codes, distinct)),
    ]


def one_hot(**parameters: Any) -> Any:
    texts = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="unknown", missing_values=np.nan),
        OneHotEncoder(**parameters),
    )
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return ColumnTransformer([("t", texts, ["area"]), ("n", numbers, ["income", "rooms"])])


def encoded(encoder: Any) -> Any:
    return ColumnTransformer(
        [("e", encoder, ["area", "rooms"]), ("n", SimpleImputer(), ["income"])]
    )


MODELS = {
    "one-hot": make_pipeline(one_hot(), LogisticRegression()),
    "one-hot, ignoring": make_pipeline(
        one_hot(handle_unknown="ignore", drop="first"), LogisticRegression()
    ),
    "ordinal": make_pipeline(encoded(OrdinalEncoder()), HistGradientBoostingClassifier(max_iter=5)),
    "target": make_pipeline(encoded(TargetEncoder()), LogisticRegression()),
}


@pytest.fixture(scope="module", params=MODELS)
def fast_path(request: pytest.FixtureRequest) -> FastPath:
    data = frame()
    model = MODELS[request.param].fit(data, data["rooms"] > 1)
    return compile_fast_path(model, [], "frame", tuple(data), None, probabilities=True)


@pytest.mark.parametrize("rows", [slice(None), slice(0, 3), slice(7, 8)])
def test_the_fast_path_predicts_the_same(fast_path: FastPath, rows: slice) -> None:
    data = frame()[rows]
    values, probabilities = fast_path.predict_columns(as_lists(data))
    of_arrays = fast_path.predict_columns(as_arrays(data))
    np.testing.assert_array_equal(of_arrays[0], values)
    np.testing.assert_array_equal(of_arrays[1], probabilities)


def test_the_fast_path_refuses_the_same() -> None:
    data = frame()
    model = MODELS["one-hot"].fit(data, data["rooms"] > 1)
    fast_path = compile_fast_path(model, [], "frame", tuple(data), None, probabilities=True)
    unknown = as_arrays(data)
    area = unknown[2].values
    assert isinstance(area, Coded)
    area.codes[5] = 0  # nowhere
    with pytest.raises(ValueError, match="unknown category"):
        fast_path.predict_columns(unknown)


def test_frames_and_arrays_are_the_same() -> None:
    data = frame()
    names = ("income", "rooms", "area")
    pd.testing.assert_frame_equal(
        model_input(as_arrays(data), "frame", names), model_input(as_lists(data), "frame", names)
    )
    numbers = names[:2]
    np.testing.assert_array_equal(
        model_input(as_arrays(data), "array", numbers),
        model_input(as_lists(data), "array", numbers),
    )


@pytest.mark.parametrize(
    ("feature", "bad"),
    [
        (Feature("rooms", type="integer"), "x"),
        (Feature("rooms", type="category", categories=(1, 2, 3)), "9"),
    ],
)
@pytest.mark.parametrize("kind", ["array", "frame"])
def test_a_rejected_cell_leaves_a_column_of_integers(
    feature: Feature, bad: str, kind: InputKind
) -> None:
    contract = Contract((feature, Feature("b")))
    file = CsvFile(io.BytesIO(f"rooms,b\n1,2\n{bad},3\n2,5\n".encode()), ["rooms", "b"], 1000)
    (chunk,) = file.chunks(ChunkSize(10))
    parsed = RowReader(contract, file.header).parse(chunk)
    found = model_input(contract.columns(parsed.batch), kind, ("rooms",))
    assert list(parsed.rejections) == [1]
    assert np.asarray(found).tolist() == [[1], [2]]


def test_texts_are_the_same() -> None:
    words = ["a b", "b c", "c", ""]
    model = make_pipeline(TfidfVectorizer(token_pattern="[abc]"), LogisticRegression())
    model.fit(words, [0, 1, 0, 1])
    fast_path = compile_fast_path(model, [], "texts", None, None, probabilities=True)
    coded = Coded(np.array([3, 2, 1, 0, 0]), words)
    expected = fast_path.predict_columns([Column("text", "text", list(coded))])
    found = fast_path.predict_columns([Column("text", "text", coded)])
    np.testing.assert_array_equal(found[1], expected[1])


def test_encoded_features_and_rows_are_the_same() -> None:
    one_hot = {"Urban": "is_urban", "Rural": "is_rural"}
    contract = Contract(
        (
            Feature("area", type="category", categories=("Urban", "Rural", "Sea"), one_hot=one_hot),
            Feature("size", type="category", categories=("S", "L"), encode={"S": 0, "L": 1}),
        )
    )
    columns: dict[str, Any] = {"area": ["Urban", "Sea", "Rural"], "size": ["L", "S", "L"]}
    listed_batch = Batch(columns, range(1, 4))
    coded = {
        "area": Coded(np.array([1, 2, 0]), ["Rural", "Urban", "Sea"]),
        "size": Coded(np.array([0, 1, 0]), ["L", "S"]),
    }
    batch = Batch(coded, range(1, 4))
    assert batch.rows() == listed_batch.rows()
    assert batch.without({1}).rows() == listed_batch.without({1}).rows()
    assert Batch.join([batch, listed_batch]).rows() == 2 * listed_batch.rows()
    names = tuple(contract.column_kinds)
    np.testing.assert_array_equal(
        model_input(contract.columns(batch), "array", names),
        model_input(contract.columns(listed_batch), "array", names),
    )
    one = batch[1:2]
    assert contract.row_values(one, names) == contract.row_values(listed_batch[1:2], names)
