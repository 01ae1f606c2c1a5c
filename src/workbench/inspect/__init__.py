"""Static inspection: what a model file says about itself, without loading it.

The standard library is enough, since this runs under cookiecutter's own Python.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from workbench.inspect.document import Document, read_document
from workbench.inspect.errors import Refused, malformed
from workbench.inspect.estimators import statsmodels_results
from workbench.inspect.estimators.bundles import Bundle, bundle_of, find_member, texts_in
from workbench.inspect.estimators.encoders import fitted_texts
from workbench.inspect.estimators.fitted import find_model
from workbench.inspect.estimators.fitted_transformers import Transformer, describe_transformer
from workbench.inspect.estimators.own_classes import Outlines
from workbench.inspect.facts import Categories, FileFacts, ModelFacts, Step
from workbench.inspect.formats.pickled_boosters import formats_of
from workbench.inspect.pickle.names import distributions_of
from workbench.inspect.pickle.names_check import judge_names, library_versions, numpy_major
from workbench.inspect.pickle.pickled_code import modules_of, pythons_of
from workbench.inspect.pickle.values import walk

__all__ = [
    "Bundle",
    "Categories",
    "Document",
    "FileFacts",
    "ModelFacts",
    "Outlines",
    "Refused",
    "Step",
    "Transformer",
    "bundle_of",
    "describe_transformer",
    "file_facts",
    "find_member",
    "inspect",
    "model_facts",
    "read_document",
    "texts_in",
]

NO_CODE: Outlines = MappingProxyType({})


def inspect(path: Path, member: str | None = None) -> ModelFacts:
    """Read the facts of the model file at `path`; execute and import nothing from it.

    Raises Refused for a file that can never be adopted.
    """
    document = read_document(path)
    return model_facts(document, file_facts(document), member)


def file_facts(document: Document) -> FileFacts:
    """Return what a file says about itself. Raises Refused for what can never be loaded."""
    trace = document.trace
    names = judge_names(trace)
    distributions = distributions_of(
        {*(name.module for name in trace.names), *modules_of(trace.made)}
    )
    by_skops = document.container == "skops"
    return FileFacts(
        container=document.container,
        suffix=document.suffix,
        compression=document.compression,
        protocol=trace.protocol,
        size=document.size,
        sha256=document.sha256,
        libraries=library_versions(document.root),
        formats={
            **formats_of(walk(document.root)),
            **statsmodels_results.formats_of(trace.names),
        },
        distributions=tuple(sorted({*distributions, *(("skops",) if by_skops else ())})),
        numpy_major=numpy_major(trace.names),
        unknown_names=names.unknown,
        custom_names=names.custom,
        pickled_names=names.pickled,
        code_pythons=pythons_of(trace.made),
        trusted=tuple(sorted(name.qualified for name in trace.names)) if by_skops else (),
    )


def model_facts(
    document: Document, file: FileFacts, member: str | None = None, outlines: Outlines = NO_CODE
) -> ModelFacts:
    """Return what a file says about the model in it, or about that member. Raises Refused.

    `outlines` are those of the classes in the user's own code.
    """
    root = document.root if member is None else find_member(document.root, member)
    model = find_model(root, outlines)
    if document.trailing:
        raise malformed("there are bytes after its end")
    return ModelFacts(member=member, encoded=fitted_texts(root), **vars(file), **vars(model))
