"""The fast path: predict with the fitted model's own arrays and compiled kernels.

`predict` of a scikit-learn pipeline spends milliseconds on data frames, validation and copies, and
microseconds on the model. The fast path is compiled when the model is loaded. What it does not
know keeps its own methods, so the fast path decides how fast a model is, never what it predicts:
`make verify` compares both, and the service uses the fast path only if they agree.
"""

from model_service.fast_path.data import NotCompiled
from model_service.fast_path.fast_path import FastPath, compile_fast_path

__all__ = ["FastPath", "NotCompiled", "compile_fast_path"]
