"""The plan: the way of a row through the fitted model, without what a row does not need.

`predict` of a scikit-learn pipeline spends milliseconds on frames, on checks and on copies, and
microseconds on the model. The plan is made once from the fitted arrays, when the model is loaded.
What it does not know, it asks the estimator's own methods for: so what it knows decides how fast
a model is, never what it answers. `make verify` holds both ways against each other, and the
service takes the plan only where they agree.
"""

from model_service.fast_path.data import NotCompiled
from model_service.fast_path.fast_path import FastPath, make

__all__ = ["FastPath", "NotCompiled", "make"]
