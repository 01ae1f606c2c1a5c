"""Reasons are stable: the same under other backgrounds and another order of the features."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import EXAMPLE
from explaining import batch_of, explainer, subject
from sklearn.ensemble import GradientBoostingClassifier

from model_service.explain.blackbox import Budget
from model_service.explain.reasons import MAX_REASONS, MIN_SHARE

sys.path.insert(0, str(EXAMPLE))
import train as loan

ROWS, REFUSED, BACKGROUND, RESAMPLES = 1500, 60, 500, 8


def reasons(contributions: Any) -> frozenset[int]:
    """Return the features that pushed most against a row, by the rule of the answers."""
    against = -contributions[contributions < 0].sum()
    largest = np.argsort(contributions, kind="stable")[:MAX_REASONS].tolist()
    return frozenset(n for n in largest if contributions[n] < -MIN_SHARE * against)


def is_tie(found: Any, resampled: Any, one: frozenset[int], other: frozenset[int]) -> bool:
    """Return whether features that differ in two sets of reasons are too close to tell apart.

    That is: each is under two standard errors away from one that takes its place, or from the
    smallest share that is a reason. `resampled` are the contributions (backgrounds, features).
    """
    limit, limits = (
        MIN_SHARE * np.minimum(values, 0).sum(axis=-1) for values in (found, resampled)
    )

    def is_close(n: int, rivals: frozenset[int]) -> bool:
        distances = [(found[n] - found[m], resampled[:, n] - resampled[:, m]) for m in rivals]
        distances.append((found[n] - limit, resampled[:, n] - limits))
        return any(abs(distance) < 2 * drawn.std(ddof=1) for distance, drawn in distances)

    gone, come = one - other, other - one
    return all(is_close(n, come) for n in gone) and all(is_close(n, gone) for n in come)


@pytest.fixture(scope="module")
def loans() -> tuple[pd.DataFrame, Any]:
    frame = pd.read_csv(io.StringIO(loan.to_csv(loan.simulate(ROWS, 7))))
    return frame, frame.pop(loan.TARGET)


def explained(model: Any, background: pd.DataFrame, rows: pd.DataFrame) -> Any:
    built = explainer(subject(model, background), background, through_file=False)
    found = built.explain(batch_of(rows), [[0]] * len(rows), Budget(None))
    return np.array([one[0].contributions for one in found])


@pytest.mark.parametrize("kind", ["linear", "boosting"])
def test_the_same_reasons_for_nearly_all_refused_loans(
    kind: str, loans: tuple[pd.DataFrame, Any]
) -> None:
    frame, target = loans
    model = loan.build()
    if kind == "boosting":
        model.set_params(classifier=GradientBoostingClassifier(n_estimators=50, random_state=0))
    model.fit(frame, target)
    rows = frame[model.predict(frame) == "N"].head(REFUSED)
    assert len(rows) == REFUSED
    whole = explained(model, frame, rows)
    random = np.random.default_rng(0)
    found = np.array(
        [
            explained(model, frame.iloc[random.integers(0, len(frame), BACKGROUND)], rows)
            for _ in range(RESAMPLES)
        ]
    )
    stable = ties = 0
    for resampled in found:
        for number in range(REFUSED):
            one, other = reasons(whole[number]), reasons(resampled[number])
            if one == other:
                stable += 1
            elif is_tie(whole[number], found[:, number], one, other):
                ties += 1
    total = REFUSED * RESAMPLES
    print(f"{kind}: {stable / total:.1%} the same, {ties / total:.1%} ties")
    assert (stable + ties) / total >= 0.95
    assert stable / total >= 0.8


def test_another_order_of_the_features_gives_the_same_reasons(
    loans: tuple[pd.DataFrame, Any],
) -> None:
    frame, target = loans
    rows = frame.head(20)
    reordered = frame[frame.columns[::-1]]
    model = loan.build().set_params(
        classifier=GradientBoostingClassifier(n_estimators=20, random_state=0)
    )
    model.fit(frame, target)
    forwards = explained(model, frame, rows)
    # The pipeline takes its columns by name.
    backwards = explained(model, reordered, rows[reordered.columns])
    np.testing.assert_allclose(backwards[:, ::-1], forwards, atol=1e-12)
    last = len(frame.columns) - 1
    assert [frozenset(last - n for n in reasons(row)) for row in backwards] == [
        reasons(row) for row in forwards
    ]
