"""CSV: how it is parsed, what the model gets, what is answered."""

from __future__ import annotations

import codecs
import contextlib
import csv
import dataclasses
import html
import io
import json
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import EXAMPLE, adopted
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from stand_ins import Mirror, model_around
from werkzeug.test import TestResponse

from model_service.contract.contract import Feature
from model_service.contract.json_values import json_text
from model_service.contract.parsing import parse_value
from model_service.contract.problems import Invalid
from model_service.contract.schema import parse_contract, parse_feature
from model_service.contract.typed_text import request_value
from model_service.csv import spool, stream
from model_service.csv.stream import CsvJob
from model_service.csv.writer import (
    answer_columns,
    csv_lines,
    encode_lines,
    escape_formula,
    unescape_formula,
)
from model_service.errors import InvalidRows
from model_service.model.loading import load_model
from model_service.model.model import Model
from model_service.serving.queue import TimedOut
from model_service.web.app import create_app
from model_service.web.settings import Settings

Row = dict[str, Any]


class Fussy:
    """A model that fails on some values that its contract takes."""

    def predict(self, frame: pd.DataFrame) -> Any:
        if (frame["x"] == 13).any():
            raise ZeroDivisionError("thirteen")
        return frame["x"].to_numpy()


@pytest.fixture(scope="module")
def loan_model(loan: Path) -> Model:
    return load_model(loan / "model")


@pytest.fixture(scope="module")
def around(loan_model: Model) -> Callable[..., FlaskClient]:
    """Serve an estimator of frames behind a contract."""

    def serve(estimator: Any, features: list[Row], example: Row, **settings: int) -> FlaskClient:
        model = model_around(estimator, loan_model, features, example)
        return create_app(model, Settings(**settings)).test_client()

    return serve


def send(client: FlaskClient, body: str | bytes, on_error: str | None = None) -> TestResponse:
    query = {} if on_error is None else {"on_error": on_error}
    return client.post("/predict", data=body, content_type="text/csv", query_string=query)


def table(response: TestResponse, delimiter: str = ",") -> list[list[str]]:
    assert response.status_code == 200, response.text
    text = response.data.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


def errors(response: TestResponse, status: int = 422) -> list[tuple[Any, Any, Any, str]]:
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    assert response.json is not None
    found = response.json["errors"]
    return [(e["row"], e["line"], e["feature"], e["message"]) for e in found]


def as_csv(records: Sequence[Sequence[Any]], delimiter: str = ",") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(records)
    return text.getvalue()


X = {"name": "x"}
MIXED: list[Row] = [
    {"name": "number", "nullable": True},
    {"name": "integer", "type": "integer"},
    {"name": "category", "categories": ["a", "NA", "7"], "nullable": True},
    {"name": "numbered", "categories": [1, 2, 3]},
    {"name": "halves", "categories": [0.5, 1.0], "strict": False},
    {"name": "flagged", "categories": [True, False]},
    {"name": "open", "type": "category"},
    {"name": "boolean", "type": "boolean"},
    {"name": "text", "type": "text"},
    {"name": "date", "type": "date", "nullable": True},
]
ROW: Row = {
    "number": 0.1,
    "integer": 2**53 + 1,
    "category": "NA",
    "numbered": 2,
    "halves": 0.5,
    "flagged": True,
    "open": " as it is ",
    "boolean": False,
    "text": 'a "b",\r\nc;d\te|f',
    "date": "2024-02-29",
}
CELLS = [
    ("number", "1e-3", 0.001),
    ("number", " +5. ", 5),
    ("number", "", None),
    ("number", "-0.0", -0.0),
    ("integer", "5.0", 5),
    ("category", "", None),
    ("category", "7", "7"),
    ("category", " a ", "a"),
    ("numbered", "2.0", 2),
    ("halves", "1", 1.0),
    ("halves", "7.25", 7.25),
    ("flagged", "True", True),
    ("open", "NA", "NA"),
    ("open", "", ""),
    ("boolean", "TRUE", True),
    ("boolean", "0", False),
    ("text", "", ""),
    ("text", "'=1+1", "=1+1"),
    ("text", "''=1", "''=1"),
    ("text", "'-1.5", "'-1.5"),
    ("open", "'@a", "@a"),
    ("date", " 2024-02-29", "2024-02-29"),
    ("date", "", None),
]


@pytest.mark.parametrize(("name", "text", "value"), CELLS)
def test_the_model_gets_the_same_values_as_from_json(
    around: Callable[..., FlaskClient], name: str, text: str, value: Any
) -> None:
    client = around(Mirror(), MIXED, ROW)
    answer = client.post("/predict", json={**ROW, name: value}).json
    assert answer is not None
    cells = ["" if v is None else json_text(v) for v in {**ROW, name: None}.values()]
    cells[list(ROW).index(name)] = text
    header, record = table(send(client, as_csv([list(ROW), cells])))
    assert record[header.index("prediction")] == answer["prediction"]


FEATURES = [parse_feature(entry) for entry in MIXED]
SCALARS = st.one_of(
    st.text(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.dates().map(str),
    st.sampled_from(["a", "NA", "7", 1, 2, 3, 0.5, 1.0]),
)


@given(st.sampled_from(FEATURES), SCALARS)
def test_the_json_text_of_a_value_is_the_value(feature: Feature, value: Any) -> None:
    try:
        expected = parse_value(feature, value)
    except Invalid:
        return
    if value == "" and feature.nullable:
        expected = None
    assert same(parse_value(feature, request_value(feature, json_text(value))), expected)


def same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


HOSTILE = [
    "class",
    "a b",
    'a"b',
    "a<b>",
    "{{x}}",
    "=1+1",
    "日本",
    "a,\nb",
    "prediction",
    "label",
    "error",
]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("bom", [b"", codecs.BOM_UTF8])
def test_names_are_data(tmp_path: Path, delimiter: str, bom: bytes) -> None:
    frame = pd.DataFrame(np.eye(len(HOSTILE)), columns=HOSTILE)
    native = LogisticRegression().fit(frame, ["=yes", "no"] * 5 + ["no"])
    joblib.dump(native, tmp_path / "model.joblib")
    project = adopted(tmp_path, tmp_path / "model.joblib")
    client = create_app(load_model(project / "model")).test_client()
    records = [[*HOSTILE, "more"], *([*row, "-"] for row in frame.head(3).to_numpy().tolist())]
    response = send(client, bom + as_csv(records, delimiter).encode(), "keep")
    assert response.data.startswith(bom)
    header, *rows = table(response, delimiter)
    assert header == [
        *("'=1+1" if name == "=1+1" else name for name in HOSTILE),
        *("more", "prediction_", "probability_=yes", "probability_no", "error_"),
    ]
    shares = native.predict_proba(frame.head(3)).tolist()
    for row, name, share in zip(rows, native.predict(frame.head(3)), shares, strict=True):
        assert row[len(HOSTILE) :] == ["'-", escape_formula(name), *map(repr, share), ""]
    wrong = send(client, as_csv([["Class", *HOSTILE[1:]], *frame.to_numpy().tolist()]))
    assert errors(wrong) == [(None, 1, "class", "is missing; did you mean the column Class?")]


def test_several_targets_are_columns_by_name(tmp_path: Path) -> None:
    data = np.arange(20.0).reshape(10, 2)
    native = LinearRegression().fit(data, data @ [[1, 2], [3, 4]])
    joblib.dump(native, tmp_path / "model.joblib")
    project = adopted(tmp_path, tmp_path / "model.joblib", features="a,b")
    client = create_app(load_model(project / "model")).test_client()
    header, *rows = table(send(client, "b,a\n1,0\n"))
    assert header == ["b", "a", "prediction_target_1", "prediction_target_2"]
    assert rows == [["1", "0", *map(repr, native.predict([[0, 1]])[0].tolist())]]


def test_names_of_targets_and_classes_do_not_collide() -> None:
    output = dataclasses.replace(parse_contract({"features": [X]}).output, targets=("a", "a_b"))
    example = {"probabilities": {"a": {"b_c": 1.0}, "a_b": {"c": 0.5}}}
    assert answer_columns(output, example, ["prediction_a"]) == {
        "prediction_a_": ("prediction", "a"),
        "probability_a_b_c": ("probabilities", "a", "b_c"),
        "prediction_a_b": ("prediction", "a_b"),
        "probability_a_b_c_": ("probabilities", "a_b", "c"),
    }


def test_texts_of_several_lines_come_back_as_they_were(tmp_path: Path) -> None:
    texts = ["good, good", 'a "bad"\r\none', "bad;bad", "\tgood"]
    native = make_pipeline(CountVectorizer(), MultinomialNB()).fit(texts, [1, 0, 0, 1])
    joblib.dump(native, tmp_path / "model.joblib")
    project = adopted(tmp_path, tmp_path / "model.joblib")
    client = create_app(load_model(project / "model")).test_client()
    _, *rows = table(send(client, as_csv([["text", "id"], *([t, "=1"] for t in texts)])))
    assert [row[:3] for row in rows] == [
        [escape_formula(text), "'=1", str(label)]
        for text, label in zip(texts, native.predict(texts), strict=True)
    ]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1+1", False),
        ("+A1", False),
        ("-2+3", False),
        ("@SUM(1)", False),
        ("\t=1", False),
        ("\r=1", False),
        ("\n=1", False),
        ("\0=1", False),
        ("-", False),
        ("+", False),
        ("-1e", False),
        ("-1-1", False),
        ("+1.2.3", False),
        ("-5", True),
        ("+5", True),
        ("-5.25E-7", True),
        ("-.5", True),
        ("-1,5", True),
        ("", True),
        ("a=1", True),
        ("'=1", True),
        (" ", True),
        ("2024-01-01", True),
    ],
)
def test_a_formula_gets_an_apostrophe(text: str, safe: bool) -> None:
    assert escape_formula(text) == (text if safe else f"'{text}")
    # Of a text that has one by itself nobody can tell whose it is: the sign behind it decides.
    assert unescape_formula(escape_formula(text)) == (text.removeprefix("'"))


# Where a spreadsheet executes a cell, and where it only looks so.
FORMULAS = st.one_of(
    st.builds(
        str.__add__, st.sampled_from("=+-@\t\r\n"), st.text("=+-@\t\r\n'1.,eA;\"", max_size=6)
    ),
    st.sampled_from(["-1.5", "+5", "'-1.5", "'quoted'", "it's", "a=1", ""]),
)
SPOKEN: list[Row] = [
    {"name": "=number"},
    {"name": "-listed", "categories": ["=a", "'=b", "@c", "-1.5"]},
    {"name": "@open", "type": "category"},
    {"name": "+text", "type": "text"},
]


def is_number(cell: str) -> bool:
    with contextlib.suppress(ValueError):
        float(cell.replace(",", "."))
        return cell == cell.strip()
    return False


@settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    number=st.floats(allow_nan=False, allow_infinity=False),
    listed=st.sampled_from(SPOKEN[1]["categories"]),
    opened=FORMULAS,
    text=FORMULAS,
)
def test_the_example_file_holds_no_formula_and_comes_back_as_its_rows(
    around: Callable[..., FlaskClient], number: float, listed: str, opened: str, text: str
) -> None:
    row = dict(
        zip([feature["name"] for feature in SPOKEN], (number, listed, opened, text), strict=True)
    )
    client = around(Mirror(), SPOKEN, row)
    file = client.get("/example.csv").data
    header, cells = csv.reader(io.StringIO(file.decode(), newline=""), strict=True)
    assert header == ["'=number", "'-listed", "'@open", "'+text"]
    assert float(cells[0]) == number  # a negative one stays a number
    for cell in cells[1:]:
        assert cell[:1] not in tuple("=+-@\t\r\n") or is_number(cell), cell
    asked = client.post("/predict", json=row).get_json()["prediction"]
    header, answer = table(send(client, file))
    assert header[:4] == ["'=number", "'-listed", "'@open", "'+text"]
    assert answer[:4] == cells
    assert answer[4] == asked
    page = client.post("/row", data={"row": file.decode()})
    assert page.status_code == 200
    (found,) = re.findall(r'data-row="([^"]*)"', page.text)
    # A form says CR LF for each line break, and so does a text in it that has them.
    assert json.loads(html.unescape(found)) == {
        name: value.replace("\r\n", "\n") if isinstance(value, str) else value
        for name, value in row.items()
    }


def test_a_listed_category_with_an_apostrophe_is_itself(around: Callable[..., FlaskClient]) -> None:
    client = around(Mirror(), [{"name": "x", "categories": ["=a", "'=a"]}], {"x": "=a"})
    _, *rows = table(send(client, as_csv([["x"], ["=a"], ["'=a"]])))
    assert [json.loads(row[1]) for row in rows] == [{"x": "=a"}, {"x": "'=a"}]


NOT_UTF8 = "is not UTF-8; save it as UTF-8 (in a spreadsheet: CSV UTF-8) and send it again"
LINES = [
    # (body, problems as row, line, feature, message)
    ("x\n1\nA\n", [(2, 3, "x", 'must be a number, not "A"')]),
    ("x\r\n\r\n1\r\n\r\nA\r\n", [(2, 5, "x", 'must be a number, not "A"')]),
    ("x\r1\rA\r", [(2, 3, "x", 'must be a number, not "A"')]),
    ('x,y\n1,"a\nb"\nA,"c\nd"\n', [(2, 4, "x", 'must be a number, not "A"')]),
    ('"x\n1', [(None, 1, None, "is not CSV: unexpected end of data")]),
    ('x\n1\n"2"3\n', [(None, 3, None, "is not CSV: ',' expected after '\"'")]),
    (
        "x,y\n1\n2,3,4\n",
        [
            (1, 2, None, "the row has 1 cells and the header has 2"),
            (2, 3, None, "the row has 3 cells and the header has 2"),
        ],
    ),
    ("x,,\n1,,\n,,\n", [(2, 3, "x", "must not be empty")]),
    ("", [(None, 1, None, "the file is empty")]),
    ("\n \n", [(None, 2, "x", "is missing")]),
    ("x\n\n", [(None, 1, None, "the file has no rows below its header")]),
    ("x,x\n1,2\n", [(None, 1, "x", "appears 2 times; each column needs a name of its own")]),
    (
        "x,prediction\n1,2\n",
        [
            (
                None,
                1,
                "prediction",
                "is the name of a column that the answer appends; rename yours",
            )
        ],
    ),
    ("X,y\n1,2\n", [(None, 1, "x", "is missing; did you mean the column X?")]),
    (
        f"x\n1\n{'9' * 200_000}",
        [(2, 3, "x", "must be a finite number")],
    ),
    (
        "x\n1\n" + "," * 2_000_000,
        [(None, 3, None, "is not CSV: a row of more than 1048576 characters")],
    ),
    (
        "x\n1\n" + '"\n",' * 500_000,
        [(None, 3, None, "is not CSV: a row of more than 1048576 characters")],
    ),
    (
        "x,y\n1,\udcff\n",
        [
            (
                None,
                2,
                None,
                NOT_UTF8,
            )
        ],
    ),
    ("\udcff\udcfex\0\n\0", [(None, 1, None, NOT_UTF8)]),
]


@pytest.mark.parametrize(("body", "expected"), LINES)
def test_problems_have_rows_and_lines(
    around: Callable[..., FlaskClient], body: str, expected: list[Any]
) -> None:
    client = around(Mirror(), [X], {"x": 1.0})
    assert errors(send(client, body.encode(errors="surrogateescape"))) == expected


def test_bad_rows_are_kept_with_their_reasons(around: Callable[..., FlaskClient]) -> None:
    client = around(Mirror(), [X, {"name": "=y"}], {"x": 1.0, "=y": 1.0})
    given = "=y,x,z\n1,2,3\nA,B,3\n4\n1,2,3,4\nA,2,3\n1,2,-x\n"
    header, *rows = table(send(client, given, "keep"))
    assert header == ["'=y", "x", "z", "prediction", "error"]
    good = '{"x": 2.0, "=y": 1.0}'
    assert rows == [
        ["1", "2", "3", good, ""],
        ["A", "B", "3", "", 'x must be a number, not "B"; =y must be a number, not "A"'],
        ["4", "", "", "", "the row has 1 cells and the header has 3"],
        ["1", "2", "3", "", "the row has 4 cells and the header has 3"],
        ["A", "2", "3", "", '\'=y must be a number, not "A"'],
        ["1", "2", "'-x", good, ""],
    ]


def test_only_an_appended_column_takes_a_name(around: Callable[..., FlaskClient]) -> None:
    client = around(Mirror(), [X], {"x": 1.0})
    assert table(send(client, "x,error,label\n1,2,3\n"))[0] == ["x", "error", "label", "prediction"]
    assert [e[2] for e in errors(send(client, "x,error,label\n1,2,3\n", "keep"))] == ["error"]


def test_many_problems_are_counted_and_a_thousand_listed(
    around: Callable[..., FlaskClient],
) -> None:
    response = send(around(Mirror(), [X], {"x": 1.0}), "x\n" + "A\n" * 2500)
    assert len(errors(response)) == 1000
    assert response.json is not None
    assert response.json["detail"] == "2500 problems (the first 1000 are listed)"


@pytest.mark.parametrize("early", [5.0, 0.0], ids=["while it is checked", "after that"])
def test_every_row_is_answered_once_and_in_order(
    around: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch, early: float
) -> None:
    monkeypatch.setattr(stream, "EARLY_SECONDS", early)
    client = around(Fussy(), [X], {"x": 1.0})
    numbers = [*range(20, 3000), 0.1, 1e-7, 1e22]
    _, *rows = table(send(client, "x\n" + "\n".join(map(str, numbers))))
    assert [float(row[1]) for row in rows] == numbers
    assert [row[1] for row in rows[-3:]] == ["0.1", "1e-07", "1e+22"]


@pytest.mark.parametrize("early", [5.0, 0.0], ids=["while it is checked", "after that"])
def test_rows_on_which_the_model_fails_are_kept_with_an_error(
    around: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch, early: float
) -> None:
    monkeypatch.setattr(stream, "EARLY_SECONDS", early)
    client = around(Fussy(), [X], {"x": 1.0})
    _, *rows = table(send(client, "x\n1\n13\nA\n13\n2\n", "keep"))
    fails = "the model fails on these values"
    assert rows == [
        ["1", "1.0", ""],
        ["13", "", fails],
        ["A", "", 'x must be a number, not "A"'],
        ["13", "", fails],
        ["2", "2.0", ""],
    ]


def test_rows_on_which_the_model_fails_refuse_the_file(
    around: Callable[..., FlaskClient],
) -> None:
    body = "x\n" + "1\n" * 60 + "13\n" + "1\n" * 3000 + "A\n"
    assert errors(send(around(Fussy(), [X], {"x": 1.0}), body)) == [
        (61, 62, None, "the model fails on these values"),
        (3062, 3063, "x", 'must be a number, not "A"'),
    ]


def test_a_response_that_has_begun_breaks_off(
    around: Callable[..., FlaskClient],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(stream, "EARLY_SECONDS", 0.0)
    client = around(Fussy(), [X], {"x": 1.0})
    body = "x\n" + "1\n" * 60 + "13\n"
    response = client.post("/predict", data=body, content_type="text/csv", buffered=False)
    assert response.status_code == 200
    with pytest.raises(InvalidRows, match="1 problem"):
        list(response.iter_encoded())
    response.close()
    assert '"row": 61, "line": 62' in caplog.text.replace("'", '"')


def test_limits_are_refused(around: Callable[..., FlaskClient]) -> None:
    client = around(Mirror(), [X], {"x": 1.0}, max_csv_bytes=20, max_csv_rows=3)
    assert len(table(send(client, "x\n1\n2\n3\n"))) == 4
    assert send(client, "x\n1\n2\n3\n4\n").status_code == 413
    assert send(client, "x\n" + "1" * 18).status_code == 200
    assert send(client, "x\n" + "1" * 19).status_code == 413
    assert send(client, "x\n" + "1" * 1000).status_code == 413


def test_no_writable_disk_is_needed(
    around: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    rows = "1\n" * (spool.MAX_BYTES_IN_MEMORY // 10)
    assert len(rows) < spool.MAX_BYTES_IN_MEMORY  # but not with its answer
    assert len(table(send(around(Mirror(), [X], {"x": 1.0}), f"x\n{rows}"))) == len(rows) // 2 + 1


def test_the_files_are_closed_and_removed(
    around: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened = []
    real = tempfile.TemporaryFile

    def remembering(**_: Any) -> Any:
        opened.append(real(dir=tmp_path))
        return opened[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", remembering)
    monkeypatch.setattr(spool, "MAX_BYTES_IN_MEMORY", 1)
    client = around(Fussy(), [X], {"x": 1.0})
    send(client, "x\n1\n")
    send(client, "x\nA\n")
    send(client, "y\n")
    client.post("/predict", data="x\n1\n", content_type="text/csv", buffered=False).close()
    assert len(opened) == 6  # of a bad header and a bad row nothing is answered
    assert all(file.closed for file in opened)
    assert not list(tmp_path.iterdir())


@given(
    st.lists(st.tuples(st.text(st.characters(codec="utf-8")), st.text('a,;"\r\n')), min_size=1),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_encoded_csv_is_what_the_csv_module_writes(
    records: list[tuple[str, str]], delimiter: str
) -> None:
    columns = list(zip(*records, strict=True))
    assert encode_lines(csv_lines(columns, delimiter)) == as_csv(records, delimiter).encode()


@given(
    st.one_of(
        st.text(), st.binary(), st.text('x,;\t|"\n\r=1A', max_size=60).map(lambda t: f"x,y\n{t}")
    ),
    st.sampled_from(["refuse", "keep"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_gets_an_answer(
    around: Callable[..., FlaskClient], body: str | bytes, on_error: str
) -> None:
    data = body.encode(errors="surrogatepass") if isinstance(body, str) else body
    response = send(around(Mirror(), [X], {"x": 1.0}), data, on_error)
    assert response.status_code in (200, 422)
    if response.status_code == 200:
        assert (
            len({len(record) for record in csv.reader(io.StringIO(response.text, newline=""))}) == 1
        )


def test_the_csv_of_the_loan_example_has_the_models_predictions(loan_model: Model) -> None:
    sample = (EXAMPLE / "sample.csv").read_text()
    header, *rows = table(send(create_app(loan_model).test_client(), sample))
    frame = pd.read_csv(EXAMPLE / "sample.csv")
    names = [feature.name for feature in loan_model.contract.features]
    assert header[-4:] == ["prediction", "label", "probability_N", "probability_Y"]
    assert [row[-4] for row in rows] == loan_model.estimator.predict(frame[names]).tolist()
    shares = np.array([row[-2:] for row in rows], dtype=float)
    np.testing.assert_allclose(shares, loan_model.estimator.predict_proba(frame[names]), rtol=1e-12)


def test_the_check_of_a_file_has_a_deadline() -> None:
    job = CsvJob(
        contract=parse_contract({"features": [{"name": "a"}]}),
        example={"prediction": 1},
        predict=lambda batch: ([{"prediction": 1}] * len(batch), ()),
        max_rows=10,
        max_line_characters=100,
        check_seconds=-1,
    )
    with pytest.raises(TimedOut):
        job.run(io.BytesIO(b"a\n1\n"), io.BytesIO())


def test_the_error_cell_of_a_row_is_bounded(
    around: Callable[..., FlaskClient],
) -> None:
    names = [f"f{number}" for number in range(100)]
    features = [{"name": name} for name in names]
    client = around(Mirror(), features, dict.fromkeys(names, 1))
    body = ",".join(names) + "\n" + ",".join("x" * 100) + "\n" + "1\n"
    _, bad, short = table(send(client, body, "keep"))
    assert bad[-1].startswith('f0 must be a number, not "x"; f1 must be')
    assert bad[-1].endswith("; and 80 more")
    assert short[-1] == "the row has 1 cells and the header has 100"
    assert len(bad) == len(short) == 102


def test_the_first_bad_rows_are_described_and_the_others_counted(
    around: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MAX_DESCRIBED_ROWS", 2)
    client = around(Mirror(), [{"name": "a"}, {"name": "b"}], {"a": 1, "b": 1})
    _, *rows = table(send(client, "a,b\nx,1\n1,1\ny,1\nx,1\nx,y\n1,1\n", "keep"))
    assert [row[-1] for row in rows] == [
        'a must be a number, not "x"',
        "",
        'a must be a number, not "y"',
        "1 problem; only the first rows with problems say which",
        "2 problems; only the first rows with problems say which",
        "",
    ]


@pytest.mark.parametrize(
    ("count", "detail"),
    [(19, "19 problems"), (20, "20 problems"), (21, "more than 20 problems")],
)
def test_of_many_rows_on_which_the_model_fails_the_first_ones_are_named(
    around: Callable[..., FlaskClient], count: int, detail: str
) -> None:
    client = around(Fussy(), [X], {"x": 1.0})
    values = [13] * count + [1] * 5
    as_json = client.post("/predict", json={"rows": [{"x": value} for value in values]})
    for response in (as_json, send(client, "x\n" + "".join(f"{value}\n" for value in values))):
        assert response.status_code == 422
        document = response.get_json()
        assert (document["detail"], len(document["errors"])) == (detail, min(count, 20))


def test_a_wide_header_over_short_rows_makes_no_answer_of_gigabytes(
    around: Callable[..., FlaskClient],
) -> None:
    header = ",".join(["a", *map(str, range(50_000))])
    client = around(Mirror(), [{"name": "a"}], {"a": 1})
    response = send(client, f"{header}\n" + "1\n" * 201, "keep")
    assert response.status_code == 422
    (error,) = response.get_json()["errors"]
    assert "10,000,000 cells less than the header" in error["message"]


def test_a_file_with_too_many_problems_is_not_read_to_its_end(
    around: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MAX_COUNTED_PROBLEMS", 1500)
    client = around(Mirror(), [{"name": "a"}], {"a": 1})
    response = send(client, "a\n" + "x\n" * 100_000)
    document = response.get_json()
    assert re.fullmatch(
        r"more than \d{4} problems \(the first 1000 are listed\)", document["detail"]
    )
    assert len(document["errors"]) == 1000
