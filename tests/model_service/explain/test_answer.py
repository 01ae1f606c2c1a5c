"""What an explanation says: the class, the values as typed, the words of a text, the reasons."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from explaining import batch_of, explain, explainer, subject
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import RandomForestClassifier, VotingRegressor
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, Normalizer
from sklearn.svm import SVC

from model_service.contract.contract import Contract, Output
from model_service.contract.schema import parse_contract
from model_service.explain.answer import ExplainRequest, UnknownClass, explain_rows
from model_service.explain.blackbox import Budget
from model_service.explain.explainer import (
    Explainer,
    NotAdditive,
    WrongFile,
    read_explainer,
)
from workbench.verify.explain_file import write_explainer

RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame(RANDOM.normal(size=(60, 4)).round(1), columns=list("abcd"))
YES = np.where(FRAME["a"] - FRAME["b"] + RANDOM.normal(size=60) > 0, "Y", "N")
GRADE = (FRAME["a"] + RANDOM.normal(size=60)).round().clip(-1, 1).astype(int)
ROW = FRAME.iloc[:1]


def explained(
    built: Explainer,
    contract: Contract,
    prediction: dict[str, Any],
    row: pd.DataFrame = ROW,
    **wanted: Any,
) -> dict[str, Any]:
    request = ExplainRequest(**wanted)
    (found,) = explain_rows(built, contract, batch_of(row), [prediction], request, Budget(None))
    return found


def answer_of(model: Any, row: pd.DataFrame = ROW) -> dict[str, Any]:
    shares = model.predict_proba(row)[0].tolist()
    texts = [str(known) for known in model.classes_.tolist()]
    prediction = model.predict(row)[0]
    return {
        "prediction": prediction.item() if hasattr(prediction, "item") else prediction,
        "probabilities": dict(zip(texts, shares, strict=True)),
    }


def with_output(of: Any, **members: Any) -> Contract:
    return dataclasses.replace(of.contract, output=Output(**members))


def test_the_second_of_two_classes_is_explained() -> None:
    model = LogisticRegression().fit(FRAME, YES)
    of = subject(model, FRAME)
    found = explained(explainer(of, FRAME), of.contract, answer_of(model))["explanation"]
    assert found["of"] == "log-odds of Y"
    assert found["value"] == pytest.approx(model.decision_function(ROW)[0])
    assert found["base"] == pytest.approx(model.decision_function(FRAME).mean())
    assert (found["background"], found["exact"], found["error"]) == (60, True, None)
    total = sum(entry["contribution"] for entry in found["features"])
    assert found["base"] + total == pytest.approx(found["value"])
    sizes = [abs(entry["contribution"]) for entry in found["features"]]
    assert sizes == sorted(sizes, reverse=True)
    assert {entry["feature"]: entry["value"] for entry in found["features"]} == ROW.iloc[
        0
    ].to_dict()


@pytest.mark.parametrize("cls", [LogisticRegression, RandomForestClassifier])
def test_the_positive_class_can_be_the_first_one(cls: Any) -> None:
    model = cls().fit(FRAME, YES)
    of = subject(model, FRAME)
    built, answer = explainer(of, FRAME), answer_of(model)
    second = explained(built, of.contract, answer)["explanation"]
    first = explained(built, with_output(of, positive="N"), answer)["explanation"]
    assert first["of"] == second["of"].replace("Y", "N")
    assert [e["contribution"] for e in first["features"]] == [
        -e["contribution"] for e in second["features"]
    ]
    whole = 0 if cls is LogisticRegression else 1
    assert first["value"] + second["value"] == pytest.approx(whole)
    asked = explained(built, of.contract, answer, class_text="N")["explanation"]
    assert asked == first


def test_the_predicted_of_several_classes_or_any_other_is_explained() -> None:
    model = RandomForestClassifier(random_state=0).fit(FRAME, GRADE)
    of = subject(model, FRAME)
    built, answer = explainer(of, FRAME), answer_of(model)
    found = explained(built, of.contract, answer)["explanation"]
    assert found["of"] == f"probability of {answer['prediction']}"
    assert found["value"] == pytest.approx(max(answer["probabilities"].values()))
    for text, share in answer["probabilities"].items():
        one = explained(built, of.contract, answer, class_text=text)["explanation"]
        assert one["value"] == pytest.approx(share)
    with pytest.raises(UnknownClass, match="7 is none of the classes -1, 0, 1"):
        explained(built, of.contract, answer, class_text="7")


def test_several_targets_are_explained_by_name() -> None:
    model = LinearRegression().fit(FRAME, FRAME[["a", "b"]] * 2 + 1)
    of = subject(model, FRAME, targets=["x", "y"])
    values = model.predict(ROW)[0].tolist()
    answer = {"prediction": dict(zip("xy", values, strict=True))}
    found = explained(explainer(of, FRAME), of.contract, answer)["explanation"]
    assert list(found) == ["x", "y"]
    assert [one["value"] for one in found.values()] == pytest.approx(values)
    assert [one["features"][0]["feature"] for one in found.values()] == ["a", "b"]


def test_transform_and_labels_change_words_and_never_values() -> None:
    model = LinearRegression().fit(FRAME, FRAME["a"])
    of = subject(model, FRAME)
    built = explainer(of, FRAME)
    plain = explained(built, of.contract, {"prediction": float(model.predict(ROW)[0])})
    changed = explained(
        built,
        with_output(of, transform="exp", labels={"x": "y"}),
        {"prediction": float(np.exp(model.predict(ROW)[0]))},
    )
    assert plain["explanation"].pop("of") == "value"
    assert changed["explanation"].pop("of") == "value before exp"
    assert plain == changed


def test_an_explanation_that_is_not_about_the_answer_is_refused() -> None:
    model = LogisticRegression().fit(FRAME, YES)
    of = subject(model, FRAME)
    with pytest.raises(NotAdditive):
        explained(
            explainer(of, FRAME),
            of.contract,
            {"prediction": "Y", "probabilities": {"N": 0.25, "Y": 0.75}},
        )


def test_many_features_of_any_other_model_are_estimated() -> None:
    frame = pd.DataFrame(RANDOM.normal(size=(40, 14)), columns=[f"x{n}" for n in range(14)])
    target = np.where(frame["x0"] * frame["x1"] > 0, "Y", "N")
    model = SVC().fit(frame, target)
    of = dataclasses.replace(subject(model, frame), probabilities=False)
    built = explainer(of, frame.iloc[:10])
    row = frame.iloc[20:21]
    found = explained(built, of.contract, {"prediction": "Y"}, row)["explanation"]
    assert found["of"] == "score of Y"
    assert not found["exact"]
    assert found["error"] == max(entry["error"] for entry in found["features"]) > 0
    total = sum(entry["contribution"] for entry in found["features"])
    assert found["base"] + total == pytest.approx(found["value"])
    assert found["value"] == pytest.approx(model.decision_function(row)[0])


TEXTS = ["win free money now", "see you at lunch", "claim free prize", "the report is due"] * 5
SPAM = ["spam", "ham"] * 10


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(TfidfVectorizer(), LogisticRegression()),
        make_pipeline(CountVectorizer(), MultinomialNB()),
        make_pipeline(
            FeatureUnion([("w", CountVectorizer()), ("c", TfidfVectorizer(analyzer="char"))]),
            LogisticRegression(),
        ),
    ],
    ids=["tfidf", "bayes", "union"],
)
def test_a_text_is_explained_by_word(model: Any) -> None:
    model.fit(TEXTS, SPAM)
    contract = parse_contract({"features": [{"name": "text", "type": "text"}]})
    frame = pd.DataFrame({"text": TEXTS})
    of = dataclasses.replace(
        subject(model, frame, contract=contract, kind="texts"), classes=["ham", "spam"]
    )
    row = pd.DataFrame({"text": ["win a free lunch"]})
    shares = model.predict_proba(row["text"])[0].tolist()
    answer = {
        "prediction": "spam",
        "probabilities": dict(zip(of.classes or (), shares, strict=True)),
    }
    found = explained(explainer(of, frame), contract, answer, row)["explanation"]
    (entry,) = found["features"]
    assert entry["value"] == "win a free lunch"
    log_odds = np.log(shares[1] / shares[0])
    assert found["value"] == pytest.approx(log_odds)
    assert found["base"] + entry["contribution"] == pytest.approx(log_odds)
    *words, others = entry["words"]
    assert {"win", "free", "lunch"} <= {word["word"] for word in words}
    assert others["word"] is None
    assert sum(word["contribution"] for word in entry["words"]) == pytest.approx(
        entry["contribution"]
    )


REVIEWS = ["bad film", "good film", "good nice", "a bad plot", "nice plot", "a film", "bad bad"]
STARS = [1.0, 4.0, 5.0, 1.5, 4.5, 3.0, 0.5]


def _pair(**second: Any) -> FeatureUnion:
    return FeatureUnion([("one", TfidfVectorizer()), ("two", TfidfVectorizer(**second))])


def _text_lengths(texts: Sequence[str]) -> Any:
    return np.array([[len(text)] for text in texts], dtype=float)


@pytest.mark.parametrize(
    ("model", "has_words"),
    [
        (make_pipeline(_pair(ngram_range=(2, 2)), SelectKBest(f_regression, k=4), Ridge()), True),
        (make_pipeline(_pair(max_features=2), MaxAbsScaler(), Ridge()), True),
        (make_pipeline(make_pipeline(TfidfVectorizer(), Normalizer()), Ridge()), True),
        (VotingRegressor([("a", make_pipeline(TfidfVectorizer(), Ridge()))]), True),
        (make_pipeline(_pair(), TruncatedSVD(3), Ridge()), False),
        (
            make_pipeline(
                FeatureUnion(
                    [("length", FunctionTransformer(_text_lengths)), ("words", TfidfVectorizer())]
                ),
                Ridge(),
            ),
            False,
        ),
        (
            VotingRegressor(
                [
                    ("a", make_pipeline(TfidfVectorizer(), Ridge())),
                    ("b", make_pipeline(TfidfVectorizer(max_features=2), Ridge(2))),
                ]
            ),
            False,
        ),
    ],
    ids=["selected", "scaled", "nested", "one-vote", "components", "lengths", "votes"],
)
def test_words_are_tokens_of_the_text_and_add_up(model: Any, has_words: bool) -> None:
    model.fit(REVIEWS, STARS)
    contract = parse_contract({"features": [{"name": "text", "type": "text"}]})
    frame = pd.DataFrame({"text": REVIEWS})
    built = explainer(subject(model, frame, contract=contract, kind="texts"), frame)
    for text in REVIEWS:
        found = explain(built, pd.DataFrame({"text": [text]}))
        assert bool(found.words) is has_words
        if has_words:
            shown = {word.word for word in found.words if word.word is not None}
            assert shown <= {*text.split(), text}
            assert shown or text == "a film", "none of its words was selected"
            total = sum(word.contribution for word in found.words)
            assert total == pytest.approx(found.contributions[0])


REASONS = [
    {"name": "a", "reason": {"low": "a too low", "high": "a too high", "code": "1"}},
    {"name": "b", "reason": "too much of b"},
    {"name": "c", "explain": False},
    {"name": "d"},
]


def reasons(row: dict[str, float], count: int = 4, coefficients: Any = (1, -1, 1, 1)) -> Any:
    model = LogisticRegression().fit(FRAME, YES)
    model.coef_ = np.array([coefficients], dtype=float)
    model.intercept_ = np.zeros(1)
    output = {"positive": "Y"}
    contract = parse_contract({"features": REASONS, "output": output})
    of = subject(model, FRAME, contract=contract)
    built = explainer(of, FRAME)
    built.about = dataclasses.replace(built.about, medians=dict.fromkeys("abcd", 0.0))
    frame = pd.DataFrame([row])
    return explained(built, contract, answer_of(model, frame), frame, reasons=count)["reasons"]


def test_reasons_are_what_pushed_most_against_a_refused_row() -> None:
    found = reasons({"a": -2.0, "b": 3.0, "c": -4.0, "d": -1.0})
    assert [{k: v for k, v in reason.items() if k != "contribution"} for reason in found] == [
        {"feature": "b", "reason": "too much of b"},
        {"feature": "a", "reason": "a too low", "code": "1"},
        {"feature": "d", "reason": "d is low"},
    ]
    pushes = [reason["contribution"] for reason in found]
    assert pushes == sorted(pushes)
    assert max(pushes) < 0


def test_the_other_side_has_another_text() -> None:
    found = reasons({"a": 9.0, "b": 1.0, "c": 1.0, "d": 0.0}, coefficients=(-1, -1, 1, 1))
    assert (found[0]["reason"], found[0]["code"]) == ("a too high", "1")


def test_small_pushes_are_no_reasons() -> None:
    found = reasons({"a": -0.2, "b": 9.0, "c": 0.0, "d": 0.0})
    assert [reason["feature"] for reason in found] == ["b"]


def test_no_more_reasons_than_asked_for() -> None:
    assert len(reasons({"a": -2.0, "b": 3.0, "c": -4.0, "d": -1.0}, count=1)) == 1


def test_a_row_that_got_the_positive_class_has_no_reasons() -> None:
    assert reasons({"a": 5.0, "b": -5.0, "c": 0.0, "d": 0.0}) == []


def test_without_a_positive_class_there_are_no_reasons() -> None:
    model = LogisticRegression().fit(FRAME, YES)
    of = subject(model, FRAME)
    found = explained(
        explainer(of, FRAME), of.contract, answer_of(model), explanation=False, reasons=4
    )
    assert found == {"reasons": []}


def test_the_file_is_the_same_for_the_same_model_and_holds_no_objects() -> None:
    of = subject(RandomForestClassifier(3, random_state=0).fit(FRAME, YES), FRAME)
    contents = [write_explainer(explainer(of, FRAME, through_file=False)) for _ in range(2)]
    assert contents[0] == contents[1]
    with pytest.raises(WrongFile, match="another model"):
        read_explainer(contents[0], of, "another fingerprint", None)
    with pytest.raises(WrongFile, match="cannot be read"):
        read_explainer(b"PK", of, "a fingerprint", None)
