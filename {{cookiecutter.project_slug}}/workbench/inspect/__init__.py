"""Static inspection: what a model file says about itself, without loading it.

The standard library is enough, since this runs under cookiecutter's own Python.
"""

from __future__ import annotations

from pathlib import Path

from .boosters import formats_of
from .document import Document, read_document
from .errors import Refused, malformed
from .estimators import find_model
from .facts import Facts, Step
from .names import distributions_of
from .values import walk
from .verdict import judge_names, library_versions, numpy_major

__all__ = ["Document", "Facts", "Refused", "Step", "facts_of", "inspect", "read_document"]


def inspect(path: Path) -> Facts:
    """Read the facts of the model file at `path`; execute and import nothing from it.

    Raises Refused for a file that can never be adopted.
    """
    return facts_of(read_document(path))


def facts_of(document: Document) -> Facts:
    """Return what a file says about the model in it. Raises Refused."""
    root, trace = document.root, document.trace
    names = judge_names(trace)
    model = find_model(root)
    if document.trailing:
        raise malformed("there are bytes after its end")
    return Facts(
        container=document.container,
        compression=document.compression,
        protocol=trace.protocol,
        size=document.size,
        sha256=document.sha256,
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
