"""Public libraries whose models are not served: one true sentence for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from workbench.inspect.pickle.names import known_names
from workbench.inspect.pickle.values import Global
from workbench.inspect.refused_file import RefusedFile

REMEDY = (
    "Give a model that predicts from rows of features; docs/reference/which-models.md lists them."
)
FORECAST = "a forecast takes a number of steps, and no rows of features"
SURVIVAL = "a survival model answers with a curve over time"
RECOMMENDER = "a recommender takes users and items that it knows, and no features"
# Package -> the library, and why there is more to it than that it is not served.
LIBRARIES: Mapping[str, tuple[str, str]] = {
    "autogluon": ("AutoGluon", "its predictor is a folder of models"),
    "autosklearn": ("auto-sklearn", ""),
    "autots": ("AutoTS", FORECAST),
    "causalml": ("CausalML", ""),
    "cuml": ("cuML", "it needs a GPU"),
    "darts": ("Darts", FORECAST),
    "econml": ("EconML", ""),
    "fastai": ("fastai", ""),
    "fasttext": ("fastText", ""),
    "fbprophet": ("Prophet", FORECAST),
    "flaml": ("FLAML", "the model inside is automl.model.estimator: save that"),
    "flax": ("Flax", ""),
    "gensim": ("gensim", ""),
    "gluonts": ("GluonTS", FORECAST),
    "h2o": ("H2O", "it runs in Java"),
    "hmmlearn": ("hmmlearn", ""),
    "implicit.cpu": ("implicit", RECOMMENDER),
    "implicit.als": ("implicit", RECOMMENDER),
    "interpret.glassbox": ("interpret", "of its models only EBMs of 0.6 or later are"),
    "jax": ("JAX", ""),
    "keras": ("Keras", ""),
    "lifelines": ("lifelines", SURVIVAL),
    "lightfm": ("LightFM", RECOMMENDER),
    "mxnet": ("MXNet", ""),
    "neuralprophet": ("NeuralProphet", FORECAST),
    "ngboost": ("NGBoost", ""),
    "nltk": ("NLTK", ""),
    "onnx": ("ONNX", ""),
    "onnxruntime": ("ONNX", ""),
    "orbit.forecaster": ("Orbit", FORECAST),
    "paddle": ("Paddle", ""),
    "pgmpy": ("pgmpy", ""),
    "pmdarima": ("pmdarima", FORECAST),
    "prophet": ("Prophet", FORECAST),
    "pycaret": ("PyCaret", "its pipeline needs the whole of PyCaret"),
    "pygam": ("pyGAM", ""),
    "pyod": ("PyOD", ""),
    "pyspark": ("Spark", "it runs in Java"),
    "pytorch_tabnet": ("TabNet", "it is a PyTorch model"),
    "river": ("River", ""),
    "sentence_transformers": ("Sentence Transformers", "it is a PyTorch model"),
    "skforecast": ("skforecast", FORECAST),
    "skorch": ("skorch", "it is a PyTorch model"),
    "sksurv": ("scikit-survival", SURVIVAL),
    "sktime": ("sktime", FORECAST),
    "spacy": ("spaCy", ""),
    "stable_baselines3": ("Stable Baselines", ""),
    "statsmodels.tsa": ("statsmodels' time series", FORECAST),
    "supervised.automl": ("MLJAR AutoML", "its predictor is a folder of models"),
    "surprise.prediction_algorithms": ("Surprise", RECOMMENDER),
    "tensorflow": ("TensorFlow", ""),
    "torch": ("PyTorch", ""),
    "tpot": ("TPOT", "the pipeline that it exports has steps of its own"),
    "transformers": ("Transformers", ""),
    "umap": ("UMAP", ""),
}


def other_library(names: Iterable[Global]) -> RefusedFile | None:
    """Return the refusal of a file that refers to a library whose models are not served."""
    modules = {name.module for name in names if name not in known_names().classes}
    packages = {package for module in modules for package in _packages(module)}
    for package in sorted(packages & LIBRARIES.keys()):
        library, reason = LIBRARIES[package]
        why = f": {reason}" if reason else ""
        what = f"The file holds a model of {library}, which is not served{why}."
        return RefusedFile("unsupported", what, REMEDY)
    return None


def _packages(module: str) -> Iterable[str]:
    """Return a module's first name, and its first two."""
    first, _, rest = module.partition(".")
    return first, f"{first}.{rest.partition('.')[0]}"
