"""Models of public libraries that are not served: those that are installed are saved."""

import contextlib
import pickle
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

warnings.simplefilter("ignore")
random = np.random.RandomState(0)
frame = pd.DataFrame({"age": random.randint(30, 80, 150), "stage": random.randint(1, 4, 150)})
months = pd.date_range("2019-01-01", periods=48, freq="MS")
series = pd.Series(100 + np.arange(48) + 10 * np.sin(np.arange(48) * np.pi / 6), months)


def save(name, model):
    with Path(name).open("wb") as file:
        pickle.dump(model, file)


with contextlib.suppress(ImportError):
    from lifelines import CoxPHFitter

    times = frame.assign(T=random.exponential(50, 150), E=1)
    save("cox.pkl", CoxPHFitter().fit(times, "T", "E"))
with contextlib.suppress(ImportError):
    from statsmodels.tsa.arima.model import ARIMA
    from statsmodels.tsa.holtwinters import ExponentialSmoothing
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    save("sarimax.pkl", SARIMAX(series, order=(1, 1, 0)).fit(disp=False))
    save("arima.pkl", ARIMA(series, order=(1, 1, 0)).fit())
    save("holt_winters.pkl", ExponentialSmoothing(series, trend="add").fit())
with contextlib.suppress(ImportError):
    from interpret.glassbox import ClassificationTree

    save("tree.pkl", ClassificationTree().fit(frame, (frame.age > 50).astype(int)))
with contextlib.suppress(ImportError):
    from hmmlearn.hmm import GaussianHMM

    save("hmm.pkl", GaussianHMM(2, random_state=0).fit(frame.to_numpy()))
