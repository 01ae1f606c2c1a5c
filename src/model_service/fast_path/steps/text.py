"""Vectorizers: the analyzer is built once, and the counts are weighted in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from model_service.fast_path.data import Data, NotCompiled, Step, Table, is_sparse


def _count_vectorizer(vectorizer: Any) -> Step:
    count = _counter(vectorizer)
    return lambda data: count(_documents(data))


def _tfidf_vectorizer(vectorizer: Any) -> Step:
    count, weigh = _counter(vectorizer), _weigher(vectorizer._tfidf)
    return lambda data: weigh(count(_documents(data)))


def _tfidf_transformer(transformer: Any) -> Step:
    weigh = _weigher(transformer)

    def apply(data: Data) -> Any:
        if not is_sparse(data):
            raise TypeError("dense counts are for the model's own method")
        return weigh(data.astype(np.float64))

    return apply


def _documents(data: Data) -> Sequence[Any]:
    if not isinstance(data, Table):
        found: list[Any] = data.tolist()
        return found
    values = data.columns[0].values
    if data.kind == "texts":
        return [value if value is not None else "" for value in values]
    if len(data.columns) != 1 or not data.series:
        raise TypeError("documents are one column")
    return values


def _counter(vectorizer: Any) -> Callable[[Sequence[Any]], Any]:
    from scipy.sparse import csr_matrix  # noqa: PLC0415  # needed for text only

    if vectorizer.input != "content":
        raise NotCompiled("it reads files")
    analyze, vocabulary = vectorizer.build_analyzer(), vectorizer.vocabulary_
    binary, dtype, width = vectorizer.binary, vectorizer.dtype, len(vocabulary)

    def count(documents: Sequence[Any]) -> Any:
        places: list[int] = []
        counts: list[int] = []
        ends = [0]
        for document in documents:
            if not isinstance(document, str):  # the native method says what is wrong
                raise TypeError("a document is missing")
            found: dict[int, int] = {}
            for term in analyze(document):
                if (place := vocabulary.get(term)) is not None:
                    found[place] = found.get(place, 0) + 1
            ordered = sorted(found)
            places += ordered
            counts += [1 if binary else found[place] for place in ordered]
            ends.append(len(places))
        arrays = (np.array(counts, dtype), np.array(places, np.int32), np.array(ends, np.int32))
        return csr_matrix(arrays, shape=(len(documents), width))

    return count


def _weigher(transformer: Any) -> Step:
    from sklearn.utils import sparsefuncs_fast  # noqa: PLC0415  # a kernel

    scale = {
        "l1": sparsefuncs_fast.inplace_csr_row_normalize_l1,
        "l2": sparsefuncs_fast.inplace_csr_row_normalize_l2,
        None: lambda counts: None,
    }[transformer.norm]
    weights = transformer.idf_ if transformer.use_idf else None
    sublinear = transformer.sublinear_tf

    def weigh(counts: Any) -> Any:
        if sublinear:
            counts.data = np.log(counts.data) + 1.0
        if weights is not None:
            counts.data = counts.data * weights[counts.indices]
        scale(counts)
        return counts

    return weigh


STEPS: dict[str, Callable[[Any], Step]] = {
    "CountVectorizer": _count_vectorizer,
    "TfidfTransformer": _tfidf_transformer,
    "TfidfVectorizer": _tfidf_vectorizer,
}
