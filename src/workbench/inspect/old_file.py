"""Files of a scikit-learn that no Python on Heroku has, and which of them a newer one can convert.

scikit-learn 1.1 reads what 0.18 to 1.0 wrote, if its classes are found under their new names and a
few attributes are added (`workbench.resave`). The classes below were saved by each of those
releases, converted, and predict the same: tests/convert/test_convert.py. Others do not load, or
load and predict something else, as LinearDiscriminantAnalysis before 0.21 and IsolationForest
before 0.22.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from workbench.inspect import old_booster
from workbench.inspect.document import Document
from workbench.inspect.formats.pickled_boosters import binary_boosters
from workbench.inspect.pickle.names_check import UnlistedNames
from workbench.inspect.pickle.values import Array, Instance, walk
from workbench.inspect.refused_file import OldFile

OLDEST_SKLEARN = (1, 0, 2)
CONVERTED_BY = "1.1.3"
Release = tuple[int, ...]
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
# What an old file can refer to besides scikit-learn.
_PLAIN_ROOTS = frozenset(
    "__builtin__ _codecs builtins collections copyreg functools joblib numpy pandas scipy".split()
)
# By the first release whose objects were compared: classes of scikit-learn, and their parts.
_CONVERTED = {
    (0, 18): """
        AdaBoostClassifier AdaBoostRegressor BaggingClassifier BaggingRegressor BayesianRidge
        BernoulliNB Bunch CountVectorizer DecisionTreeClassifier DecisionTreeRegressor ElasticNet
        ExtraTreeClassifier ExtraTreeRegressor ExtraTreesClassifier ExtraTreesRegressor GaussianNB
        GridSearchCV Hinge HuberRegressor KMeans KFold LabelBinarizer LabelEncoder Lasso LassoCV
        LinearRegression LinearSVC Log LogisticRegression LogisticRegressionCV MLPClassifier
        MLPRegressor MaxAbsScaler MinMaxScaler MultiOutputRegressor MultinomialNB Normalizer
        OneVsRestClassifier PCA Perceptron Pipeline PolynomialFeatures
        QuadraticDiscriminantAnalysis RandomForestClassifier RandomForestRegressor
        RandomizedSearchCV Ridge RidgeCV RidgeClassifier RobustScaler SGDClassifier SGDRegressor
        SVC SelectKBest SquaredLoss StandardScaler TfidfTransformer TfidfVectorizer Tree
        TruncatedSVD VarianceThreshold VotingClassifier AdamOptimizer SGDOptimizer
        _PredictScorer _ThresholdScorer _ProbaScorer _BinaryGBClassification StratifiedKFold
    """,
    (0, 19): "HashingVectorizer",
    (0, 20): """
        BallTree EuclideanDistance KDTree KNeighborsClassifier KNeighborsRegressor
        MinkowskiDistance newObj
    """,
    (0, 21): """
        BinomialDeviance ColumnTransformer DummyClassifier DummyRegressor
        GradientBoostingClassifier GradientBoostingRegressor LeastSquaresError
        LinearDiscriminantAnalysis MultinomialDeviance OneHotEncoder OrdinalEncoder SimpleImputer
    """,
    (0, 22): "IsolationForest SVR StackingClassifier VotingRegressor",
    (0, 24): "CalibratedClassifierCV _CalibratedClassifier _SigmoidCalibration",
}
_SINCE: Mapping[str, Release] = {
    name: release for release, names in _CONVERTED.items() for name in names.split()
}


def refusal_of_old(
    document: Document, libraries: Mapping[str, str], found: UnlistedNames
) -> OldFile | None:
    """Return the refusal of a file that is too old, or None.

    `libraries` are the versions in it, and `found` the names that the check of names did not know.
    """
    version = libraries.get("scikit-learn")
    boosters = binary_boosters(document.root)
    if _has_old_sklearn(document, version):
        return _refusal_of_sklearn(document, version, found, boosters)
    if not boosters:
        return None
    what = old_booster.written_by(libraries.get("xgboost"))
    obstacle = next(_obstacles_of_names(document, found, boosters), None)
    if obstacle is not None:
        return OldFile(what, f"{obstacle} {old_booster.FIT_AGAIN}", None)
    kept = {"scikit-learn": version} if version is not None else {}
    by = {**kept, "xgboost": old_booster.CONVERTED_BY}
    return OldFile.convertible(what, _names(document), by)


def _has_old_sklearn(document: Document, version: str | None) -> bool:
    effects = document.effects
    if effects.python2:
        return True
    if version is not None:
        return _release(version) < OLDEST_SKLEARN
    return any(old.module.startswith("sklearn.") for old in effects.old_names)


def _refusal_of_sklearn(
    document: Document,
    version: str | None,
    found: UnlistedNames,
    boosters: Collection[Instance],
) -> OldFile:
    effects = document.effects
    wrote = "a scikit-learn before 0.24" if version is None else f"scikit-learn {version}"
    under = " under Python 2" if effects.python2 else ""
    what = (
        f"The model was fitted with {wrote}{under}, which cannot be installed on any Python that "
        "Heroku runs."
    )
    obstacle = next(_obstacles(document, version, found, boosters), None)
    if obstacle is not None:
        return OldFile(what, f"{obstacle} Fit it again with scikit-learn 1.1 or later.", None)
    with_xgboost = {"xgboost": old_booster.CONVERTED_BY} if boosters else {}
    by = {"scikit-learn": CONVERTED_BY, **with_xgboost}
    return OldFile.convertible(what, _names(document), by)


def _names(document: Document) -> frozenset[tuple[str, str]]:
    return frozenset((name.module, name.name) for name in document.effects.names)


def _obstacles_of_names(
    document: Document, found: UnlistedNames, boosters: Collection[Instance]
) -> Iterator[str]:
    """Yield why a file of any release cannot be converted: what it refers to, and its boosters."""
    own = (*found.custom, *found.by_value, *found.unknown)
    if own:
        yield f"It cannot be converted, because it refers to {own[0]}."
    roots = {name.module.split(".")[0] for name in document.effects.names}
    for root in sorted(roots - _PLAIN_ROOTS - {"sklearn", *(("xgboost",) if boosters else ())}):
        yield f"It cannot be converted, because it holds objects of {root}."
    yield from filter(None, map(old_booster.obstacle_of, boosters))


def _obstacles(
    document: Document,
    version: str | None,
    found: UnlistedNames,
    boosters: Collection[Instance],
) -> Iterator[str]:
    """Yield why a file of an old scikit-learn cannot be converted."""
    release = _release(version)
    if version is None or release < (0, 18):
        yield "Files from before scikit-learn 0.18 cannot be converted."
    yield from _obstacles_of_names(document, found, boosters)
    for part in walk(document.root):
        if isinstance(part, Instance) and part.cls.module.split(".")[0] == "sklearn":
            since = _SINCE.get(part.cls.name)
            if since is None or release[:2] < since or _has_other_answers(part, release):
                yield (
                    f"It cannot be converted, because newer releases do not read its "
                    f"{part.cls.name} or predict something else with it."
                )


def _has_other_answers(part: Instance, release: Release) -> bool:
    """Return whether newer releases read an object, but predict other probabilities with it."""
    # Of two classes, before 0.20.
    if release < (0, 20) and part.attribute("multi_class") == "multinomial":
        coefficients = part.attribute("coef_")
        return isinstance(coefficients, Array) and coefficients.shape[:1] == (1,)
    return False


def _release(version: str | None) -> Release:
    match = _VERSION.match(version or "")
    return tuple(int(number or 0) for number in match.groups()) if match else ()
