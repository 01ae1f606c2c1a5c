"""What each estimator class of scikit-learn and its kin means for the facts, in one table.

Classes are listed by their short names, under which other libraries subclass them. A class that is
not listed has the defaults of `ClassRules`.

The engine's fast path has a registry of its own (`model_service.fast_path.steps`), which says how
to compute with fitted steps. It imports NumPy, and the tools run where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from workbench.inspect.pickle.values import Instance

PROBABILISTIC_LOSSES = ("log_loss", "log", "modified_huber")


@dataclass(frozen=True)
class ClassRules:
    """Where a fitted estimator of one class keeps what the facts need."""

    # Attributes that lead to the fitted estimator that a wrapper predicts with; the first that is
    # there counts.
    wraps: tuple[str, ...] = ()
    # Attribute that holds an estimator, or a list of estimators, fitted on the same features.
    parts: str | None = None
    # Whether each part predicts one target.
    part_per_target: bool = False
    # The array that has the number of targets in its shape, and in which dimension.
    targets: tuple[str, int] = ("coef_", 0)
    # Whether the settings of the fitted estimator give it `predict_proba`, if they decide that.
    has_probabilities: Callable[[Instance], bool] | None = None
    # Whether the settings of the fitted estimator let it predict for new rows, if they decide that.
    can_predict: Callable[[Instance], bool] | None = None
    # Attribute of the estimator whose `predict_proba` is the estimator's own.
    probabilities_of: str | None = None
    # Whether each input column of a transformer becomes one output column, in the same order.
    one_to_one: bool = False
    # Whether it encodes the categories in `categories_`.
    encodes_categories: bool = False
    # Whether it leaves categories as they are, and only fills in missing ones.
    keeps_categories: bool = False
    # Whether it is a classifier of a boosting library.
    is_booster: bool = False


TABLE: Mapping[str, ClassRules] = {
    # Wrappers around one estimator.
    "GridSearchCV": ClassRules(wraps=("best_estimator_",)),
    "RandomizedSearchCV": ClassRules(wraps=("best_estimator_",)),
    "HalvingGridSearchCV": ClassRules(wraps=("best_estimator_",)),
    "HalvingRandomSearchCV": ClassRules(wraps=("best_estimator_",)),
    "TransformedTargetRegressor": ClassRules(wraps=("regressor_",)),
    "FrozenEstimator": ClassRules(wraps=("estimator",)),
    "FixedThresholdClassifier": ClassRules(wraps=("estimator_", "estimator")),
    "TunedThresholdClassifierCV": ClassRules(wraps=("estimator_",)),
    "SelfTrainingClassifier": ClassRules(wraps=("estimator_", "base_estimator_")),
    "RANSACRegressor": ClassRules(wraps=("estimator_",)),
    "RFE": ClassRules(wraps=("estimator_",)),
    "RFECV": ClassRules(wraps=("estimator_",)),
    "_CalibratedClassifier": ClassRules(wraps=("estimator", "base_estimator")),
    # Ensembles of estimators that see the same features.
    "CalibratedClassifierCV": ClassRules(parts="calibrated_classifiers_"),
    "FeatureUnion": ClassRules(parts="transformer_list"),
    "MultiOutputClassifier": ClassRules(parts="estimators_"),
    "MultiOutputRegressor": ClassRules(parts="estimators_", part_per_target=True),
    "RegressorChain": ClassRules(part_per_target=True),
    "SelectFromModel": ClassRules(parts="estimator_"),
    "StackingClassifier": ClassRules(parts="estimators_", probabilities_of="final_estimator_"),
    "StackingRegressor": ClassRules(parts="estimators_"),
    "VotingClassifier": ClassRules(
        parts="estimators_",
        has_probabilities=lambda model: model.attribute("voting") == "soft",
    ),
    "VotingRegressor": ClassRules(parts="estimators_"),
    # Classifiers whose settings decide whether they have probabilities.
    "SVC": ClassRules(has_probabilities=lambda model: model.attribute("probability") is True),
    "NuSVC": ClassRules(has_probabilities=lambda model: model.attribute("probability") is True),
    "SGDClassifier": ClassRules(
        has_probabilities=lambda model: model.attribute("loss") in PROBABILISTIC_LOSSES
    ),
    "NearestCentroid": ClassRules(  # from scikit-learn 1.6
        has_probabilities=lambda model: model.attribute("class_prior_") is not None
    ),
    # An outlier detector that predicts for new rows only if it was fitted for novelty detection.
    "LocalOutlierFactor": ClassRules(can_predict=lambda model: model.attribute("novelty") is True),
    # Regressors with several targets.
    "CCA": ClassRules(targets=("y_loadings_", 0)),
    "GaussianProcessRegressor": ClassRules(targets=("y_train_", 1)),
    "KNeighborsRegressor": ClassRules(targets=("_y", 1)),
    "KernelRidge": ClassRules(targets=("dual_coef_", 1)),
    "PLSCanonical": ClassRules(targets=("y_loadings_", 0)),
    "PLSRegression": ClassRules(targets=("y_loadings_", 0)),
    "RadiusNeighborsRegressor": ClassRules(targets=("_y", 1)),
    # Transformers.
    "Binarizer": ClassRules(one_to_one=True),
    "FunctionTransformer": ClassRules(one_to_one=True),
    "IterativeImputer": ClassRules(one_to_one=True),
    "KNNImputer": ClassRules(one_to_one=True),
    "MaxAbsScaler": ClassRules(one_to_one=True),
    "MinMaxScaler": ClassRules(one_to_one=True),
    "Normalizer": ClassRules(one_to_one=True),
    "OneHotEncoder": ClassRules(encodes_categories=True),
    "OrdinalEncoder": ClassRules(one_to_one=True, encodes_categories=True),
    "PowerTransformer": ClassRules(one_to_one=True),
    "QuantileTransformer": ClassRules(one_to_one=True),
    "RobustScaler": ClassRules(one_to_one=True),
    "SimpleImputer": ClassRules(keeps_categories=True),
    "StandardScaler": ClassRules(one_to_one=True),
    "TargetEncoder": ClassRules(encodes_categories=True),
    # Classifiers of the boosting libraries.
    "CatBoostClassifier": ClassRules(is_booster=True),
    "LGBMClassifier": ClassRules(is_booster=True),
    "XGBClassifier": ClassRules(is_booster=True),
    "XGBRFClassifier": ClassRules(is_booster=True),
}
DEFAULT_RULES = ClassRules()


def rules_of(class_name: str) -> ClassRules:
    """Return the rules of a class by its short name."""
    return TABLE.get(class_name, DEFAULT_RULES)
