"""Train the loan approval model on simulated applications.

The README explains the recipe. `python train.py [--output DIR]` writes model.joblib and
sample.csv, and prints the held-out metrics as a Markdown table.
"""

import argparse
import io
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    log_loss,
    roc_auc_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HERE = Path(__file__).resolve().parent
SEED = 2026
TRAINING_ROWS, HELD_OUT_ROWS, SAMPLE_ROWS = 2000, 1000, 500
TARGET = "loan_status"
NUMBERS = ["applicant_income", "coapplicant_income", "loan_amount", "loan_term"]
CATEGORIES = ["dependents", "education", "self_employed", "credit_history", "property_area"]
MISSING = {
    "dependents": 0.03,
    "self_employed": 0.05,
    "loan_amount": 0.04,
    "loan_term": 0.02,
    "credit_history": 0.08,
}
YEARLY_INTEREST = 0.065
DECIMALS = 6


def simulate(rows: int, seed: int) -> pd.DataFrame:
    """Draw loan applications; USD, USD a month, months. The README has the recipe as a table."""
    # A named bit generator and whole units: the same applications on every machine.
    rng = np.random.Generator(np.random.PCG64(seed))
    dependents = rng.choice(4, rows, p=[0.57, 0.17, 0.17, 0.09])
    graduate = rng.random(rows) < 0.75
    self_employed = rng.random(rows) < 0.14
    good_history = rng.random(rows) < 0.80
    area = rng.choice(["Rural", "Semiurban", "Urban"], rows, p=[0.29, 0.38, 0.33])

    income = np.where(graduate, 5200, 4200) * rng.lognormal(0, 0.45, rows)
    income = income.clip(1500, 30000).round(-1)
    second_income = (rng.random(rows) < 0.55) * 2800 * rng.lognormal(0, 0.4, rows)
    second_income = second_income.clip(0, 15000).round(-1)
    total_income = income + second_income

    term = rng.choice([120, 180, 240, 300, 360], rows, p=[0.05, 0.15, 0.10, 0.10, 0.60])
    amount = 33 * total_income * np.sqrt(term / 360) * rng.lognormal(0, 0.45, rows)
    amount = amount.clip(20000, 1000000).round(-3)
    interest = YEARLY_INTEREST / 12
    instalment = amount * interest / (1 - (1 + interest) ** -term)

    score = (
        -2.5
        + 3.8 * good_history
        - 10 * (instalment / total_income - 0.25)
        + 0.5 * graduate
        + 0.7 * (area == "Semiurban")
        - 0.3 * self_employed
        - 0.4 * dependents
    )
    # Rounded, so that a last bit of exp() that differs between CPUs cannot change a draw.
    approved = rng.random(rows) < (1 / (1 + np.exp(-score))).round(9)

    frame = pd.DataFrame(
        {
            "applicant_income": income,
            "coapplicant_income": second_income,
            "dependents": np.array(["0", "1", "2", "3+"])[dependents],
            "education": np.where(graduate, "Graduate", "Not graduate"),
            "self_employed": np.where(self_employed, "Yes", "No"),
            "loan_amount": amount,
            "loan_term": term,
            "credit_history": np.where(good_history, "good", "bad"),
            "property_area": area,
            TARGET: np.where(approved, "Y", "N"),
        }
    )
    for name, share in MISSING.items():
        frame[name] = frame[name].mask(rng.random(rows) < share)
    return frame


def to_csv(frame: pd.DataFrame) -> str:
    """Write whole numbers and empty cells, the same on every platform."""
    return frame.to_csv(index=False, float_format="%.0f", lineterminator="\n")


def build() -> Pipeline:
    """Return the unfitted pipeline: raw columns in, probability of approval out."""
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
            (
                "categories",
                # An unknown category is an error, not a guess: handle_unknown stays "error".
                make_pipeline(
                    SimpleImputer(strategy="most_frequent"), OneHotEncoder(sparse_output=False)
                ),
                CATEGORIES,
            ),
        ]
    )
    classifier = LogisticRegression(solver="newton-cholesky", tol=1e-8)
    return Pipeline([("columns", columns), ("classifier", classifier)])


def train(frame: pd.DataFrame) -> Pipeline:
    """Fit the pipeline, and round what it learned."""
    model = build().fit(frame.drop(columns=TARGET), frame[TARGET])
    # BLAS and SIMD kernels differ in the last bits from CPU to CPU; rounded parameters do not.
    scaler = model["columns"].named_transformers_["numbers"]["standardscaler"]
    for step, names in (
        (scaler, ("mean_", "var_", "scale_")),
        (model["classifier"], ("coef_", "intercept_")),
    ):
        for name in names:
            setattr(step, name, getattr(step, name).round(DECIMALS))
    return model


def evaluate(model: Pipeline, frame: pd.DataFrame) -> str:
    """Return the metrics on rows that the model has not seen, as a Markdown table."""
    approved = frame[TARGET] == "Y"
    probability = model.predict_proba(frame)[:, list(model.classes_).index("Y")]
    predicted = model.predict(frame) == "Y"
    metrics = {
        "rows": f"{len(frame)}",
        "approved": f"{approved.mean():.1%}",
        "accuracy": f"{accuracy_score(approved, predicted):.3f}",
        "balanced accuracy": f"{balanced_accuracy_score(approved, predicted):.3f}",
        "ROC AUC": f"{roc_auc_score(approved, probability):.3f}",
        "log loss": f"{log_loss(approved, probability):.3f}",
        "Brier score": f"{brier_score_loss(approved, probability):.3f}",
    }
    lines = [f"| {name:<17} | {value:>8} |" for name, value in metrics.items()]
    return "\n".join([f"| {'metric':<17} | held-out |", f"|{'-' * 19}|{'-' * 9}:|", *lines])


def main() -> None:
    """Simulate, train, evaluate, write."""
    parser = argparse.ArgumentParser(description="Train the loan approval model.")
    parser.add_argument("--output", type=Path, default=HERE, help="folder for the two files")
    folder: Path = parser.parse_args().output

    # Trained on what read_csv gives, because that is what a reader of sample.csv will have.
    text = to_csv(simulate(TRAINING_ROWS + HELD_OUT_ROWS, SEED))
    frame = pd.read_csv(io.StringIO(text))
    training, held_out = frame[:TRAINING_ROWS], frame[TRAINING_ROWS:]
    model = train(training)

    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "model.joblib")
    sample = to_csv(training[:SAMPLE_ROWS])
    (folder / "sample.csv").write_text(sample, encoding="utf-8", newline="\n")
    print(evaluate(model, held_out))


if __name__ == "__main__":
    main()
