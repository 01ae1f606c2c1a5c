"""The names of classes in old releases of scikit-learn, SciPy and NumPy, and their names today.

scikit-learn 0.22 put an underscore before the names of most of its modules; 0.24 removed the old
ones.
"""

from __future__ import annotations

from collections.abc import Mapping

from workbench.inspect.pickle.values import Global

# The package; then a line for each old module, and where its classes are now.
_MODULES = """
cluster: affinity_propagation_ _affinity_propagation, bicluster _bicluster, birch _birch,
 dbscan_ _dbscan, hierarchical _agglomerative, k_means_ _kmeans, mean_shift_ _mean_shift,
 optics_ _optics, spectral _spectral
covariance: elliptic_envelope _elliptic_envelope, empirical_covariance_ _empirical_covariance,
 graph_lasso_ _graph_lasso, outlier_detection _elliptic_envelope,
 robust_covariance _robust_covariance, shrunk_covariance_ _shrunk_covariance
cross_decomposition: cca_ _pls, pls_ _pls
decomposition: base _base, dict_learning _dict_learning, factor_analysis _factor_analysis,
 fastica_ _fastica, incremental_pca _incremental_pca, kernel_pca _kernel_pca, nmf _nmf,
 online_lda _lda, pca _pca, sparse_pca _sparse_pca, truncated_svd _truncated_svd
ensemble: bagging _bagging, base _base, forest _forest, gradient_boosting _gb, iforest _iforest,
 voting _voting, voting_classifier _voting, weight_boosting _weight_boosting
feature_extraction: dict_vectorizer _dict_vectorizer, hashing _hash
feature_selection: base _base, from_model _from_model, rfe _rfe,
 univariate_selection _univariate_selection, variance_threshold _variance_threshold
gaussian_process: gpc _gpc, gpr _gpr
linear_model: base _base, bayes _bayes, coordinate_descent _coordinate_descent, huber _huber,
 least_angle _least_angle, logistic _logistic, omp _omp, passive_aggressive _passive_aggressive,
 perceptron _perceptron, ransac _ransac, ridge _ridge, sgd_fast _sgd_fast,
 stochastic_gradient _stochastic_gradient, theil_sen _theil_sen
manifold: isomap _isomap, locally_linear _locally_linear, mds _mds, t_sne _t_sne,
 spectral_embedding_ _spectral_embedding
metrics: scorer _scorer
mixture: base _base, bayesian_mixture _bayesian_mixture, gaussian_mixture _gaussian_mixture
neighbors: ball_tree _ball_tree, base _base, classification _classification, kd_tree _kd_tree,
 kde _kde, lof _lof, nca _nca, nearest_centroid _nearest_centroid, quad_tree _quad_tree,
 regression _regression, unsupervised _unsupervised
neural_network: multilayer_perceptron _multilayer_perceptron, rbm _rbm,
 _stochastic_optimizers _stochastic_optimizers
preprocessing: data _data, label _label
semi_supervised: label_propagation _label_propagation
svm: base _base, classes _classes
tree: tree _classes
utils: fast_dict _fast_dict
"""
# Single classes that moved elsewhere than the rest of their module, and modules outside of a table.
_OTHERS: Mapping[str, Mapping[str, str]] = {
    "sklearn.preprocessing.data": {
        "OneHotEncoder": "sklearn.preprocessing._encoders",
        "PolynomialFeatures": "sklearn.preprocessing._polynomial",
    },
    # Until 1.0, which pickles of that module.
    "sklearn.preprocessing._data": {"PolynomialFeatures": "sklearn.preprocessing._polynomial"},
}
# The losses of gradient boosting, which moved to a module of their own in 0.21.
_LOSSES = (
    "BinomialDeviance ExponentialLoss HuberLossFunction LeastAbsoluteError LeastSquaresError "
    "MultinomialDeviance QuantileLossFunction"
).split()
_LOSSES_MODULE = "sklearn.ensemble._gb_losses"
_DISTANCES = "sklearn.metrics._dist_metrics"
_WHOLE: Mapping[str, str] = {
    "sklearn.externals.joblib.numpy_pickle": "joblib.numpy_pickle",
    "sklearn.neighbors.dist_metrics": _DISTANCES,
    "sklearn.neighbors._dist_metrics": _DISTANCES,
    # Until SciPy 1.7.
    **{
        f"scipy.sparse.{layout}": f"scipy.sparse._{layout}"
        for layout in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
    },
}


# Functions and classes with another name than before.
_RENAMED: Mapping[Global, Global] = {
    Global("numpy.random", "__RandomState_ctor"): Global(  # until NumPy 1.16
        "numpy.random._pickle", "__randomstate_ctor"
    ),
    # A dict with notes about its own keys, of search results until 0.20.
    Global("sklearn.utils.deprecation", "DeprecationDict"): Global("collections", "OrderedDict"),
}


_GRADIENT_BOOSTING = ("sklearn.ensemble.gradient_boosting", "sklearn.ensemble._gb")


def _modules() -> dict[str, str]:
    found = dict(_WHOLE)
    for line in _MODULES.strip().replace(",\n ", ", ").replace(",\n", ", ").split("\n"):
        package, _, pairs = line.partition(": ")
        for pair in pairs.split(", "):
            old, new = pair.split()
            found[f"sklearn.{package}.{old}"] = f"sklearn.{package}.{new}"
    return found


MODULES: Mapping[str, str] = _modules()


# A file can name millions of things: these modules alone are worth a look.
CHANGED_MODULES = frozenset(
    (*MODULES, *_OTHERS, *_GRADIENT_BOOSTING, *(old.module for old in _RENAMED))
)


def current_name(module: str, name: str) -> Global:
    """Return the name that a class has in scikit-learn 1.1, by the name that a file has for it."""
    if module in _GRADIENT_BOOSTING and name in _LOSSES:
        return Global(_LOSSES_MODULE, name)
    moved = _OTHERS.get(module, {}).get(name)
    found = Global(moved or MODULES.get(module, module), name)
    return _RENAMED.get(found, found)
