"""Vectorizers: the analyzer is built only once, and counts are weighted in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from model_service.contract.batch import Values
from model_service.fast_path.data import (
    ColumnTable,
    Data,
    MatrixTransform,
    NotCompiled,
    is_sparse,
)
from model_service.fast_path.steps.registry import CompiledTransformer, register_transformer

_NO_ROW = "texts are taken as a list of documents"


@register_transformer("sklearn", "CountVectorizer")
def _count_vectorizer(vectorizer: Any) -> CompiledTransformer:
    count = _counter(vectorizer)
    return CompiledTransformer(
        lambda data: count(_documents(data)),
        no_row=_NO_ROW,
        inline=_has_no_user_function(vectorizer),
        takes_sparse=True,
    )


@register_transformer("sklearn", "TfidfVectorizer")
def _tfidf_vectorizer(vectorizer: Any) -> CompiledTransformer:
    count, weight = _counter(vectorizer), _tfidf_weighting(vectorizer._tfidf)
    return CompiledTransformer(
        lambda data: weight(count(_documents(data))),
        no_row=_NO_ROW,
        inline=_has_no_user_function(vectorizer),
        takes_sparse=True,
    )


@register_transformer("sklearn", "TfidfTransformer")
def _tfidf_transformer(transformer: Any) -> CompiledTransformer:
    weight = _tfidf_weighting(transformer)

    def transform(data: Data) -> Any:
        if not is_sparse(data):
            raise TypeError("dense counts are left to the model's own methods")
        return weight(data.astype(np.float64))

    return CompiledTransformer(transform, no_row="its input is sparse", takes_sparse=True)


def _has_no_user_function(vectorizer: Any) -> bool:
    """Return whether scikit-learn splits the texts; a user's function can take any time."""
    parameters = (vectorizer.analyzer, vectorizer.preprocessor, vectorizer.tokenizer)
    return not any(map(callable, parameters))


def _documents(data: Data) -> Values:
    """Return the texts to vectorize."""
    if not isinstance(data, ColumnTable):
        documents: list[Any] = data.tolist()
        return documents
    values = data.columns[0].values
    if data.kind == "texts":
        return [value if value is not None else "" for value in values]
    if len(data.columns) != 1 or not data.series:
        raise TypeError("documents are a single column")
    return values


def _counter(vectorizer: Any) -> Callable[[Values], Any]:
    """Return the function from documents to a sparse matrix of term counts."""
    from scipy.sparse import csr_matrix  # noqa: PLC0415  # SciPy only for texts

    if vectorizer.input != "content":
        raise NotCompiled(f"{type(vectorizer).__name__} reads files.")
    analyze, vocabulary = vectorizer.build_analyzer(), vectorizer.vocabulary_
    binary, dtype, width = vectorizer.binary, vectorizer.dtype, len(vocabulary)

    def count(documents: Values) -> Any:
        indices: list[int] = []
        counts: list[int] = []
        row_ends = [0]
        for document in documents:
            if not isinstance(document, str):  # the native method says what is wrong
                raise TypeError("a document is missing")
            count_by_index: dict[int, int] = {}
            for term in analyze(document):
                if (index := vocabulary.get(term)) is not None:
                    count_by_index[index] = count_by_index.get(index, 0) + 1
            row_indices = sorted(count_by_index)
            indices += row_indices
            counts += [1 if binary else count_by_index[index] for index in row_indices]
            row_ends.append(len(indices))
        arrays = (
            np.array(counts, dtype),
            np.array(indices, np.int32),
            np.array(row_ends, np.int32),
        )
        return csr_matrix(arrays, shape=(len(documents), width))

    return count


def _tfidf_weighting(transformer: Any) -> MatrixTransform:
    """Return the function that turns counts into TF-IDF weights, in place."""
    from sklearn.utils import sparsefuncs_fast  # noqa: PLC0415  # scikit-learn only for texts

    normalise = {
        "l1": sparsefuncs_fast.inplace_csr_row_normalize_l1,
        "l2": sparsefuncs_fast.inplace_csr_row_normalize_l2,
        None: lambda counts: None,
    }[transformer.norm]
    idf = transformer.idf_ if transformer.use_idf else None
    sublinear_tf = transformer.sublinear_tf

    def weight(counts: Any) -> Any:
        if sublinear_tf:
            counts.data = np.log(counts.data) + 1.0
        if idf is not None:
            counts.data = counts.data * idf[counts.indices]
        normalise(counts)
        return counts

    return weight
