"""Fit and save models with an old scikit-learn, and what they predict; runs on Python 2.7 and 3.6.

python train_old_models.py FOLDER
"""

# ruff: noqa
import json
import os
import pickle
import sys
import warnings

warnings.simplefilter("ignore")

import numpy as np
import sklearn
from sklearn import ensemble, linear_model, naive_bayes, neighbors, neural_network, preprocessing
from sklearn import svm, tree
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline

try:
    import joblib
except ImportError:
    from sklearn.externals import joblib

random = np.random.RandomState(0)
ROWS = random.uniform(0.1, 7, size=(150, 4))
BINARY = (ROWS[:, 2] > 3).astype(int)
CLASSES = BINARY + (ROWS[:, 3] > 5)
WORDS = np.array(["no", "yes"])[BINARY]
NUMBERS = ROWS[:, 0] * 2 + ROWS[:, 1]
TEXTS = [
    ("good film %d" % (n % 7)) if n % 2 else ("bad movie %s" % "abc"[n % 3]) for n in range(150)
]


def classifiers():
    yield "logistic", linear_model.LogisticRegression()
    yield (
        "logistic_multinomial",
        linear_model.LogisticRegression(solver="lbfgs", multi_class="multinomial"),
    )
    yield "logistic_cv", linear_model.LogisticRegressionCV(cv=3)
    yield "ridge_classifier", linear_model.RidgeClassifier()
    yield "perceptron", linear_model.Perceptron(random_state=0)
    yield "sgd", linear_model.SGDClassifier(loss="log", random_state=0)
    yield "tree", tree.DecisionTreeClassifier(random_state=0)
    yield "forest", ensemble.RandomForestClassifier(n_estimators=10, random_state=0)
    yield "extra_trees", ensemble.ExtraTreesClassifier(n_estimators=10, random_state=0)
    yield "boosting", ensemble.GradientBoostingClassifier(n_estimators=10, random_state=0)
    yield "ada_boost", ensemble.AdaBoostClassifier(n_estimators=5, random_state=0)
    yield "bagging", ensemble.BaggingClassifier(n_estimators=5, random_state=0)
    for algorithm in ("auto", "kd_tree", "ball_tree", "brute"):
        yield "neighbors_" + algorithm, neighbors.KNeighborsClassifier(algorithm=algorithm)
    yield "svc", svm.SVC(gamma=0.1, probability=True, random_state=0)
    yield "svc_linear", svm.SVC(kernel="linear")
    yield "linear_svc", svm.LinearSVC(random_state=0)
    yield "gaussian_nb", naive_bayes.GaussianNB()
    yield "multinomial_nb", naive_bayes.MultinomialNB()
    yield "bernoulli_nb", naive_bayes.BernoulliNB()
    yield (
        "neural_network",
        neural_network.MLPClassifier(hidden_layer_sizes=(5,), max_iter=30, random_state=0),
    )
    yield "lda", LinearDiscriminantAnalysis()
    yield "qda", QuadraticDiscriminantAnalysis()
    yield "one_vs_rest", OneVsRestClassifier(linear_model.LogisticRegression())
    yield "calibrated", CalibratedClassifierCV(naive_bayes.GaussianNB(), cv=3)
    parts = [("a", linear_model.LogisticRegression()), ("b", naive_bayes.GaussianNB())]
    yield "voting", ensemble.VotingClassifier(parts, voting="soft")
    for scaler in "StandardScaler MinMaxScaler MaxAbsScaler RobustScaler Normalizer".split():
        steps = getattr(preprocessing, scaler)(), linear_model.LogisticRegression()
        yield "pipeline_" + scaler, make_pipeline(*steps)
    yield "pipeline_pca", make_pipeline(preprocessing.StandardScaler(), PCA(2), svm.SVC(gamma=0.1))
    yield "pipeline_best", make_pipeline(SelectKBest(k=2), tree.DecisionTreeClassifier())
    yield (
        "pipeline_variance",
        make_pipeline(VarianceThreshold(), linear_model.LogisticRegression()),
    )
    forest = ensemble.RandomForestClassifier(n_estimators=5, random_state=0)
    yield "grid", GridSearchCV(forest, {"max_depth": [2, 3]}, cv=3)
    steps = Pipeline([("s", preprocessing.StandardScaler()), ("m", svm.SVC(gamma=0.1))])
    yield "grid_of_pipeline", GridSearchCV(steps, {"m__C": [1, 2]}, cv=3)
    yield (
        "random_search",
        RandomizedSearchCV(
            tree.DecisionTreeClassifier(random_state=0), {"max_depth": [2, 3]}, n_iter=2, cv=3
        ),
    )
    if hasattr(ensemble, "StackingClassifier"):
        yield "stacking", ensemble.StackingClassifier(parts, cv=3)


def regressors():
    yield "linear", linear_model.LinearRegression()
    yield "ridge", linear_model.Ridge()
    yield "ridge_cv", linear_model.RidgeCV()
    yield "lasso", linear_model.Lasso(0.1)
    yield "lasso_cv", linear_model.LassoCV(cv=3)
    yield "elastic_net", linear_model.ElasticNet(0.1)
    yield "huber", linear_model.HuberRegressor()
    yield "bayes", linear_model.BayesianRidge()
    yield "sgd_regressor", linear_model.SGDRegressor(random_state=0)
    yield "tree_regressor", tree.DecisionTreeRegressor(random_state=0)
    yield "forest_regressor", ensemble.RandomForestRegressor(n_estimators=10, random_state=0)
    yield "extra_trees_regressor", ensemble.ExtraTreesRegressor(n_estimators=5, random_state=0)
    yield "boosting_regressor", ensemble.GradientBoostingRegressor(n_estimators=10, random_state=0)
    yield "ada_boost_regressor", ensemble.AdaBoostRegressor(n_estimators=5, random_state=0)
    yield "bagging_regressor", ensemble.BaggingRegressor(n_estimators=5, random_state=0)
    yield "svr", svm.SVR(gamma=0.1)
    yield "neighbors_regressor", neighbors.KNeighborsRegressor()
    yield (
        "neural_network_regressor",
        neural_network.MLPRegressor(hidden_layer_sizes=(5,), max_iter=30, random_state=0),
    )
    steps = preprocessing.PolynomialFeatures(2), preprocessing.StandardScaler()
    yield "polynomial", make_pipeline(*(steps + (linear_model.Ridge(),)))


def text_models():
    yield "count", make_pipeline(CountVectorizer(), naive_bayes.MultinomialNB())
    stop = TfidfVectorizer(stop_words="english")
    yield "tfidf", make_pipeline(stop, linear_model.LogisticRegression())
    sgd = linear_model.SGDClassifier(random_state=0)
    yield "count_tfidf", make_pipeline(CountVectorizer(ngram_range=(1, 2)), TfidfTransformer(), sgd)
    yield "tfidf_svc", make_pipeline(TfidfVectorizer(), svm.LinearSVC(random_state=0))
    yield "hashing", make_pipeline(HashingVectorizer(n_features=32), linear_model.Ridge())
    svd = TruncatedSVD(2, random_state=0)
    yield "svd", make_pipeline(TfidfVectorizer(), svd, linear_model.LogisticRegression())


def frame_models(frame):
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer

    numbers = make_pipeline(SimpleImputer(), preprocessing.StandardScaler())
    one_hot = preprocessing.OneHotEncoder(handle_unknown="ignore")
    parts = ColumnTransformer([("n", numbers, ["a", "b"]), ("c", one_hot, ["c", "d"])])
    yield "columns", make_pipeline(parts, linear_model.LogisticRegression())
    ordinal = ("c", preprocessing.OrdinalEncoder(), ["c", "d"])
    parts = ColumnTransformer([("n", preprocessing.StandardScaler(), ["a"]), ordinal])
    forest = ensemble.RandomForestClassifier(n_estimators=5, random_state=0)
    yield "columns_ordinal", make_pipeline(parts, forest)
    parts = ColumnTransformer([("c", one_hot, ["c", "d"])], remainder="passthrough")
    imputer = SimpleImputer(strategy="median")
    yield "columns_passed", make_pipeline(parts, imputer, tree.DecisionTreeClassifier())


def models():
    for name, model in classifiers():
        yield name, model, ROWS, CLASSES, "rows"
    for name, model in list(classifiers())[:17]:
        yield name + "_words", model, ROWS, WORDS, "rows"
    for name, model in regressors():
        yield name, model, ROWS, NUMBERS, "rows"
    two = np.c_[NUMBERS, NUMBERS * 2]
    forest = ensemble.RandomForestRegressor(n_estimators=5, random_state=0)
    yield "forest_of_two", forest, ROWS, two, "rows"
    yield "ridge_of_two", MultiOutputRegressor(linear_model.Ridge()), ROWS, two, "rows"
    yield "isolation", ensemble.IsolationForest(n_estimators=10, random_state=0), ROWS, None, "rows"
    yield "k_means", KMeans(n_clusters=3, random_state=0), ROWS, None, "rows"
    for name, model in text_models():
        y = BINARY if name == "hashing" else WORDS
        yield name, model, TEXTS, y, "texts"
    try:
        import pandas as pd
    except ImportError:
        return
    columns = {"a": ROWS[:, 0], "b": np.where(ROWS[:, 1] > 6, np.nan, ROWS[:, 1])}
    columns["c"] = np.array(["u", "v", "w"], dtype=object)[CLASSES]
    columns["d"] = WORDS.astype(object)
    frame = pd.DataFrame(columns)
    frame.to_csv(os.path.join(FOLDER, "frame.csv"), index=False)
    for name, model in frame_models(frame):
        yield name, model, frame, BINARY, "frame"


FOLDER = sys.argv[1]
native = {}
for name, model, x, y, kind in models():
    model.fit(x, y) if y is not None else model.fit(x)
    saved = [name + ".pkl"]
    protocol = 2 if sys.version_info[0] == 2 else pickle.DEFAULT_PROTOCOL
    with open(os.path.join(FOLDER, saved[0]), "wb") as file:
        pickle.dump(model, file, protocol)
    if name in ("forest", "logistic", "tfidf", "svc", "columns", "pipeline_StandardScaler"):
        saved += [name + ".joblib", name + ".z"]
        joblib.dump(model, os.path.join(FOLDER, saved[1]))
        joblib.dump(model, os.path.join(FOLDER, saved[2]), compress=3)
    answers = {"kind": kind, "predict": model.predict(x).tolist()}
    try:
        answers["predict_proba"] = model.predict_proba(x).tolist()
    except AttributeError:
        pass
    for path in saved:
        native[path] = answers
content = {"rows": ROWS.tolist(), "texts": TEXTS, "models": native}
with open(os.path.join(FOLDER, "native.json"), "wb") as file:
    file.write(json.dumps(content).encode("utf-8"))
print(sklearn.__version__)
