"""The functions that a model can call after it is loaded, listed one by one.

A model calls what it holds as a value: in a FunctionTransformer, a partial, a metric, a kernel, a
score function, or any other attribute. So each entry was read: with the arguments that a partial
can fix, it opens, imports, starts and evaluates nothing and calls nothing that it is given. Private
functions are never values, except where scikit-learn itself stores one. NumPy's and SciPy's ufuncs
are listed in known_names.json, with their number of inputs: the argument after them is `out`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.inspect.pickle.values import Global


@dataclass(frozen=True)
class FunctionRule:
    """The arguments that a partial of a function can fix."""

    positional: int = 0
    keywords: frozenset[str] = frozenset()
    reduces: bool = False  # can give one value of many rows: one text, if the rows are texts


UFUNC_KEYWORDS = frozenset(("dtype",))  # not `out` and `where`, which write

# Module -> words: the functions, then the keywords that a partial of them can fix.
_FUNCTIONS: tuple[tuple[str, str, str], ...] = (
    (
        "numpy",  # reductions; `out` writes
        "all any amax amin argmax argmin average max mean median min nanmax nanmean nanmedian "
        "nanmin nanstd nansum nanvar prod std sum var",
        "axis ddof dtype keepdims",
    ),
    (
        "numpy",  # functions of single values and of the shape; `like` dispatches
        "around array asarray clip copy cumprod cumsum diff nan_to_num ravel round transpose "
        "unique where",
        "a_max a_min axes axis copy decimals dtype max min n nan neginf order posinf",
    ),
    ("builtins", "abs len round sum", ""),  # not max, min and sorted: `key` is called
    # scikit-learn's score functions of features; `n_jobs` starts processes
    (
        "sklearn.feature_selection._univariate_selection",
        "chi2 f_classif f_oneway f_regression r_regression",
        "center force_finite",
    ),
    (
        "sklearn.feature_selection._mutual_info",
        "mutual_info_classif mutual_info_regression",
        "copy discrete_features n_neighbors random_state",
    ),
    # Metrics and kernels between rows; pairwise_distances and pairwise_kernels call their `metric`.
    (
        "sklearn.metrics.pairwise",
        "additive_chi2_kernel chi2_kernel cosine_distances cosine_similarity euclidean_distances "
        "haversine_distances laplacian_kernel linear_kernel manhattan_distances "
        "nan_euclidean_distances paired_cosine_distances paired_euclidean_distances "
        "paired_manhattan_distances polynomial_kernel rbf_kernel sigmoid_kernel",
        "coef0 degree dense_output gamma squared",
    ),
    # Scores of predictions, which scorers hold
    (
        "sklearn.metrics._classification",
        "accuracy_score balanced_accuracy_score brier_score_loss cohen_kappa_score "
        "confusion_matrix d2_brier_score d2_log_loss_score f1_score fbeta_score hamming_loss "
        "hinge_loss jaccard_score log_loss matthews_corrcoef precision_score recall_score "
        "zero_one_loss",
        "adjusted average beta eps labels normalize pos_label weights zero_division",
    ),
    (
        "sklearn.metrics._ranking",
        "auc average_precision_score coverage_error dcg_score "
        "label_ranking_average_precision_score label_ranking_loss ndcg_score roc_auc_score "
        "top_k_accuracy_score",
        "average ignore_ties k labels log_base max_fpr multi_class normalize pos_label",
    ),
    (
        "sklearn.metrics._regression",
        "d2_absolute_error_score d2_pinball_score d2_tweedie_score explained_variance_score "
        "max_error mean_absolute_error mean_absolute_percentage_error mean_gamma_deviance "
        "mean_pinball_loss mean_poisson_deviance mean_squared_error mean_squared_log_error "
        "mean_tweedie_deviance median_absolute_error r2_score root_mean_squared_error "
        "root_mean_squared_log_error",
        "alpha force_finite multioutput power squared",
    ),
    (
        "sklearn.metrics.cluster._supervised",
        "adjusted_mutual_info_score adjusted_rand_score completeness_score fowlkes_mallows_score "
        "homogeneity_score mutual_info_score normalized_mutual_info_score rand_score "
        "v_measure_score",
        "average_method beta",
    ),
    ("sklearn.metrics._scorer", "negative_likelihood_ratio positive_likelihood_ratio", ""),
    (
        "imblearn.metrics._classification",
        "geometric_mean_score macro_averaged_mean_absolute_error sensitivity_score "
        "specificity_score",
        "average correction labels pos_label",
    ),
    # Functions on texts and columns
    (
        "sklearn.feature_extraction.text",
        "strip_accents_ascii strip_accents_unicode strip_tags",
        "",
    ),
    (
        "sklearn.preprocessing._data",
        "add_dummy_feature binarize maxabs_scale minmax_scale normalize power_transform "
        "quantile_transform robust_scale scale",
        "axis copy feature_range method n_quantiles norm output_distribution quantile_range "
        "random_state standardize subsample threshold unit_variance value with_centering "
        "with_mean with_scaling with_std",
    ),
    # The first step of histogram boosting
    (
        "sklearn.utils.validation",
        "check_array",
        "dtype ensure_all_finite force_all_finite",
    ),
)

MODEL_FUNCTIONS: Mapping[Global, FunctionRule] = {
    Global(module, name): FunctionRule(
        keywords=frozenset(keywords.split()), reduces="keepdims" in keywords
    )
    for module, names, keywords in _FUNCTIONS
    for name in names.split()
}

# Types that estimators hold as a dtype, and dicts as the type of missing values.
VALUE_TYPES = frozenset(
    {
        Global("collections", "OrderedDict"),
        *(Global("builtins", name) for name in "bool dict float int list set str tuple".split()),
        Global("builtins", "complex"),
        Global("builtins", "object"),
        # In the search results of scikit-learn until 0.20.
        Global("builtins", "DeprecationWarning"),
        Global("builtins", "FutureWarning"),
    }
)

# Types among NumPy's and those above that make a text, or a list, of rows.
TYPES_OF_TEXT = frozenset(
    {
        *(Global("builtins", name) for name in "dict list object set str tuple".split()),
        *(Global("numpy", name) for name in "bytes0 bytes_ object0 object_ str0 str_".split()),
        *(Global("numpy", name) for name in "string_ unicode_ character".split()),
        Global("collections", "OrderedDict"),
    }
)

# By attribute, the private functions that scikit-learn stores there.
STORED_FUNCTIONS: Mapping[str, frozenset[Global]] = {
    # of a search without `scoring`, before 1.3
    "scorer_": frozenset({Global("sklearn.metrics._scorer", "_passthrough_scorer")}),
    # of BisectingKMeans, which calls it to fit
    "_kmeans_single": frozenset(
        Global("sklearn.cluster._kmeans", name)
        for name in ("_kmeans_single_elkan", "_kmeans_single_lloyd")
    ),
}
