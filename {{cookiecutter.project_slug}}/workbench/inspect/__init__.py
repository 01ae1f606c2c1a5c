"""Static inspection: what a model file says about itself, without loading it.

The standard library is enough, since this runs under cookiecutter's own Python.
"""

from __future__ import annotations

from pathlib import Path

from .boosters import formats_of
from .budget import Budget
from .containers import open_container
from .errors import Refused, malformed
from .estimators import find_model
from .facts import Facts, Step
from .formats import HEAD, is_text, text_file
from .machine import Machine, Trace
from .names import distributions_of
from .reader import Reader
from .values import walk
from .verdict import judge_names, library_versions, numpy_major

__all__ = ["Facts", "Refused", "Step", "inspect"]


def inspect(path: Path) -> Facts:
    """Read the facts of the model file at `path`; execute and import nothing from it.

    Raises Refused for a file that can never be adopted.
    """
    with open_container(path) as container:
        head = container.stream.peek(HEAD)[:HEAD]
        trace = Trace()
        try:
            root = Machine(Reader(container.stream), trace, Budget()).run()
        except Refused as refusal:
            if refusal.code in ("malformed", "truncated") and is_text(head):
                raise text_file() from refusal
            raise
        names = judge_names(trace)
        model = find_model(root)
        if container.stream.read(1):
            raise malformed("there are bytes after its end")
        return Facts(
            container="joblib" if trace.joblib_arrays else "pickle",
            compression=container.compression,
            protocol=trace.protocol,
            size=container.size,
            sha256=container.sha256(),
            class_name=model.class_name,
            steps=model.steps,
            estimator=model.estimator,
            task=model.task,
            classes=model.classes,
            n_outputs=model.n_outputs,
            has_probabilities=model.has_probabilities,
            feature_names=model.feature_names,
            n_features=model.n_features,
            fitted_on_frame=model.fitted_on_frame,
            libraries=library_versions(root),
            formats=formats_of(walk(root)),
            distributions=distributions_of(trace.names),
            numpy_major=numpy_major(trace.names),
            unknown_names=names.unknown,
            custom_names=names.custom,
            notices=model.notices,
        )
