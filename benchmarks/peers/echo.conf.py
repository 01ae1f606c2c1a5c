"""The settings of the generated project, in whose folder this runs, without its hooks.

gunicorn writes the line for each request, which the service writes itself.
"""

import gc
import runpy
from types import FunctionType

globals().update(
    (name, value)
    for name, value in runpy.run_path("gunicorn.conf.py").items()
    if not name.startswith("__") and not isinstance(value, FunctionType)
)
logger_class = "gunicorn.glogging.Logger"
accesslog = "-"
gc.enable()  # as a hook does in the service
