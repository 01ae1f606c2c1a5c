"""The models of the browser tests: trained, saved, adopted and proven here."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from inspect import getsource
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from conftest import EXAMPLE, adopted, rows_of
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from workbench.verify.prove import prove

Features = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Adopted:
    """A project, and the estimator that it serves.

    `frame` holds rows as in requests, `native` the same rows as the estimator's input.
    """

    name: str
    project: Path
    estimator: Any = field(repr=False)
    frame: pd.DataFrame = field(repr=False)
    native: Any = field(repr=False)

    @property
    def title(self) -> str:
        manifest = json.loads((self.project / "model" / "manifest.json").read_text("utf-8"))
        contract = json.loads((self.project / "model" / "features.json").read_text("utf-8"))
        return str(contract.get("service", {}).get("title") or manifest["title"])

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of the frame as the bodies of requests."""
        return rows_of(self.frame)


def adopt(
    folder: Path,
    name: str,
    estimator: Any,
    sample: pd.DataFrame,
    *,
    features: Features | None = None,
    output: Mapping[str, Any] | None = None,
    service: Mapping[str, Any] | None = None,
    native: Any = None,
    target: pd.Series | None = None,
    proven: bool = True,
    **answers: str,
) -> Adopted:
    """Save a fitted estimator and a sample, adopt them, and prove the model."""
    model, csv, contract = (folder / name for name in ("model.joblib", "s.csv", "features.json"))
    joblib.dump(estimator, model)
    (sample if target is None else sample.assign(**{str(target.name): target})).to_csv(
        csv, index=False
    )
    features = features or [{"name": column} for column in sample.columns]
    document = {"features": features, "output": output or {}, "service": service or {}}
    contract.write_text(json.dumps(document), encoding="utf-8")
    answers = {"sample_data": str(csv), "features": str(contract), **answers}
    project = adopted(folder, model, project_slug=name, **answers)
    if proven:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn warns about unseen categories
            prove(project)
    return Adopted(name, project, estimator, sample, sample if native is None else native)


def loan(folder: Path, *, proven: bool = True) -> Adopted:
    """Classes with labels; features with units, ranges and defaults; some are nullable."""
    document = json.loads((EXAMPLE / "features.json").read_text(encoding="utf-8"))
    sample = pd.read_csv(EXAMPLE / "sample.csv")
    return adopt(
        folder,
        "loan" if proven else "unverified",
        joblib.load(EXAMPLE / "model.joblib"),
        sample.drop(columns="loan_status"),
        target=sample["loan_status"],
        features=document["features"],
        output=document["output"],
        proven=proven,
        project_name="Loan approval",
        description="Decides on home loans.",
    )


def unverified(folder: Path) -> Adopted:
    """The loan example before make verify."""
    return loan(folder, proven=False)


def iris(folder: Path) -> Adopted:
    """Three classes; names with spaces and brackets; a contract from the sample alone."""
    data = load_iris(as_frame=True)
    species = data.target_names[data.target]
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(data.data, species)
    return adopt(
        folder,
        "iris",
        model,
        data.data,
        project_name="Iris",
        description="Tells three species of iris apart.",
    )


def price(folder: Path) -> Adopted:
    """A number with a unit."""
    rng = np.random.default_rng(0)
    sample = pd.DataFrame(
        {
            "area": rng.uniform(20, 180, 300).round(1),
            "rooms": rng.integers(1, 7, 300),
            "built": rng.integers(1890, 2026, 300),
            "district": rng.choice(["Centre", "North", "East", "Harbour"], 300),
        }
    )
    paid = 4200 * sample["area"] + 9000 * sample["rooms"] + 300 * (sample["built"] - 1890)
    paid *= np.where(sample["district"] == "Centre", 1.4, 1.0)
    paid += rng.normal(0, 20_000, 300)
    encode = make_column_transformer((OneHotEncoder(), ["district"]), remainder="passthrough")
    return adopt(
        folder,
        "price",
        make_pipeline(encode, LinearRegression()).fit(sample, paid),
        sample,
        target=paid.rename("price"),
        features=[
            {"name": "area", "unit": "m²", "description": "Living area"},
            {"name": "rooms", "type": "integer"},
            {"name": "built", "type": "integer", "description": "Year of construction"},
            {"name": "district"},
        ],
        output={"name": "Price", "unit": "EUR"},
        project_name="Flat prices",
        description="Estimates what a flat in the town is sold for.",
    )


def booking(folder: Path) -> Adopted:
    """All types of features, among them text, a nullable date and a nullable boolean."""
    rng = np.random.default_rng(0)
    notes = ["late arrival please", "two beds", "no wishes", "quiet room", "maybe, not sure yet"]
    sample = pd.DataFrame(
        {
            "nights": rng.integers(1, 15, 400),
            "deposit": rng.uniform(0, 300, 400).round(2),
            "channel": rng.choice(["direct", "agency", "portal"], 400),
            "parking": rng.choice([True, False, None], 400, p=[0.5, 0.4, 0.1]),
            "arrival": rng.choice(pd.date_range("2024-01-01", periods=365).strftime("%F"), 400),
            "note": rng.choice(notes, 400),
        }
    )
    sample.loc[::20, "arrival"] = None
    code = folder / "prepare.py"
    code.write_text(f"import pandas as pd\n\n\n{getsource(prepare)}", encoding="utf-8")
    native = prepare(sample.assign(arrival=pd.to_datetime(sample["arrival"])))
    encode = make_column_transformer(
        (TfidfVectorizer(), "note"),
        (OneHotEncoder(), ["channel"]),
        remainder="passthrough",
        sparse_threshold=0,
    )
    lost = (sample["deposit"] < 80) & (
        sample["note"].str.contains("maybe") | native["parking"].eq(0)
    )
    model = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=20)).fit(native, lost)
    return adopt(
        folder,
        "booking",
        model,
        sample,
        features=[
            {"name": "nights", "type": "integer", "minimum": 1, "maximum": 28, "strict": True},
            {"name": "deposit", "unit": "EUR", "description": "Paid in advance"},
            {"name": "channel"},
            {"name": "parking", "type": "boolean"},
            {"name": "arrival", "type": "date", "description": "The first day"},
            {"name": "note", "type": "text", "description": "What the guest wrote"},
        ],
        output={"name": "Cancelled", "labels": {"false": "comes", "true": "cancels"}},
        native=native,
        model_code=str(code),
        project_name="Bookings",
        description="Tells which bookings are cancelled.",
    )


def prepare(frame: pd.DataFrame) -> pd.DataFrame:
    """The preprocessing in the author's model_code file."""
    arrival = frame["arrival"].dt
    columns = {"month": arrival.month, "weekday": arrival.day_of_week}
    return frame.drop(columns="arrival").assign(parking=frame["parking"].astype(float), **columns)


def wide(folder: Path, *, features: int) -> Adopted:
    """Hundreds of features."""
    rng = np.random.default_rng(0)
    names = [f"sensor {n // 10 + 1:02} band {n % 10}" for n in range(features)]
    sample = pd.DataFrame(rng.normal(size=(60, features)).round(3), columns=names)
    worn = np.where(sample.iloc[:, :5].sum(axis=1) > 0, "worn", "sound")
    model = LogisticRegression().fit(sample, worn)
    # Not proven, which would take a minute: the pages are the same.
    name = f"wide-{features}"
    return adopt(folder, name, model, sample, proven=False, project_name="Bearings")


def text(folder: Path) -> Adopted:
    """One text feature."""
    praise = ["works well", "great and quick help", "very happy with it", "I love it"]
    blame = ["broken on arrival", "never again", "slow and rude help", "I want my money back"]
    texts = (praise + blame) * 5
    tone = (["praise"] * 4 + ["complaint"] * 4) * 5
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, tone)
    return adopt(
        folder,
        "text",
        model,
        pd.DataFrame({"text": texts}),
        native=texts,
        project_name="Letters",
        description="Sorts letters of customers.",
    )


def targets(folder: Path) -> Adopted:
    """Two numeric targets."""
    rng = np.random.default_rng(0)
    sample = pd.DataFrame(rng.uniform(0, 1, (200, 3)).round(3), columns=["wall", "roof", "glass"])
    loads = np.column_stack([sample.sum(axis=1) * 10, sample["glass"] * 25])
    return adopt(
        folder,
        "targets",
        DecisionTreeRegressor(max_depth=6).fit(sample, loads),
        sample,
        output={"targets": ["heating load", "cooling load"], "unit": "kWh"},
        project_name="Energy",
    )


def class_targets(folder: Path) -> Adopted:
    """Two classification targets with probabilities."""
    rng = np.random.default_rng(0)
    sample = pd.DataFrame(rng.uniform(0, 1, (200, 2)).round(3), columns=["acid", "sugar"])
    decisions = np.column_stack(
        [
            np.where(sample["acid"] > 0.5, "sour", "mild"),
            np.select([sample["sugar"] > 0.7, sample["sugar"] > 0.3], ["sweet", "medium"], "dry"),
        ]
    )
    return adopt(
        folder,
        "class-targets",
        DecisionTreeClassifier(max_depth=3).fit(sample, decisions),
        sample,
        output={"targets": ["acidity", "style"]},
        project_name="Wines",
    )


def hostile(folder: Path) -> Adopted:
    """Names, categories, labels and texts with a meaning in HTML, Jinja, Python or Excel."""
    rng = np.random.default_rng(0)
    numbers = ["class", "a b", 'a"b', "a<b>", "{{x}}", "=1+1", "日本", "__proto__", "two\nlines"]
    numbers += ["action", "dataset"]  # also members of HTMLFormElement
    sample = pd.DataFrame(rng.uniform(-1, 1, (200, len(numbers))).round(3), columns=numbers)
    choices = ["<i>one</i>", "a,b", '"', "=2+3", "{% raw %}"]
    sample["select"] = rng.choice(choices, 200)
    verdict = np.where(sample["class"] + sample["日本"] > 0, "</script>", "=yes")
    encode = make_column_transformer((OneHotEncoder(), ["select"]), remainder="passthrough")
    script = "<script>document.title = 'owned'</script>"
    return adopt(
        folder,
        "hostile",
        make_pipeline(encode, LogisticRegression()).fit(sample, verdict),
        sample,
        features=[
            *({"name": name, "description": script, "unit": "<b>&amp;"} for name in numbers),
            {"name": "select", "description": "{{ 7 * 7 }}"},
        ],
        output={"name": "<u>verdict</u>", "labels": {"</script>": script, "=yes": "{{ 7 * 7 }}"}},
        project_name=f"A & B {script}",
        description=f'"Quoted" {script}',
    )


def penguins(folder: Path) -> Adopted:
    """Categories that the model tolerates unseen, names with units, groups."""
    rng = np.random.default_rng(0)
    sample = pd.DataFrame(
        {
            "island": rng.choice(["Biscoe", "Dream", "Torgersen"], 300),
            "bill_length_mm": rng.normal(44, 5, 300).round(1),
            "flipper_length_mm": rng.normal(200, 14, 300).round(),
            "body_mass_g": rng.normal(4200, 800, 300).round(),
        }
    )
    species = np.select(
        [sample["flipper_length_mm"] > 206, sample["bill_length_mm"] > 45],
        ["Gentoo", "Chinstrap"],
        "Adelie",
    )
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["island"]), remainder="passthrough"
    )
    return adopt(
        folder,
        "penguins",
        make_pipeline(encode, DecisionTreeClassifier(max_depth=4)).fit(sample, species),
        sample,
        features=[
            {"name": "island", "group": "Where"},
            *({"name": name, "group": "Body"} for name in sample.columns[1:]),
        ],
        service={"accent": "#c2185b", "contact": "ada@example.org", "title": "Penguins"},
        project_name="Penguin species",
        description="Tells three species of penguins apart.",
    )


def clusters(folder: Path) -> Adopted:
    """Clusters, whose numbers are no quantity."""
    rng = np.random.default_rng(0)
    sample = pd.DataFrame(
        {"income": rng.uniform(15, 140, 300).round(1), "score": rng.integers(1, 100, 300)}
    )
    model = KMeans(5, n_init=3, random_state=0).fit(sample)
    return adopt(folder, "clusters", model, sample, project_name="Customer segments")


MODELS: Mapping[str, Callable[[Path], Adopted]] = {
    "loan": loan,
    "unverified": unverified,
    "iris": iris,
    "price": price,
    "booking": booking,
    "wide-200": partial(wide, features=200),
    "wide-1000": partial(wide, features=1000),
    "text": text,
    "targets": targets,
    "class-targets": class_targets,
    "hostile": hostile,
    "penguins": penguins,
    "clusters": clusters,
}
