"""The numbers of the project's gunicorn.conf.py, in whose folder this runs, without its hooks."""

import runpy
from types import FunctionType

globals().update(
    (name, value)
    for name, value in runpy.run_path("gunicorn.conf.py").items()
    if not name.startswith("__") and not isinstance(value, FunctionType)
)
