"""Compile fitted estimators, and the entries of those that hold other estimators.

Pipelines, ColumnTransformers, searches and ensembles are walked down to their members. A member
without an entry of its own, or with parameters that its entry does not cover, keeps its own
methods: that costs speed and changes no prediction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from model_service.fast_path.data import (
    ColumnTable,
    Data,
    MatrixTransform,
    NotCompiled,
    Outputs,
    RowValues,
    as_table,
    check_width,
    compose,
    is_frame,
    is_sparse,
    native_method,
    row_to_floats,
    to_floats,
    to_matrix,
)
from model_service.fast_path.single_row import compile_row_predict, compile_row_transform
from model_service.fast_path.steps import trees
from model_service.fast_path.steps.registry import (
    CompiledModel,
    CompiledTransformer,
    model_entry,
    register_model,
    register_transformer,
    transformer_entry,
)

# What an entry raises for an estimator that it does not cover. Attributes and private kernels
# differ between versions of the libraries.
COMPILE_ERRORS = (
    NotCompiled,
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)
_NO_ROW_INSIDE = "a transformer inside takes no single rows"
_PASSTHROUGH = CompiledTransformer(to_matrix, list, takes_sparse=True)
# They predict by their best_estimator_.
SEARCHES = ("GridSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV", "RandomizedSearchCV")


def compile_transformer(transformer: Any) -> CompiledTransformer:
    """Compile a fitted transformer; its own method serves if it cannot be compiled."""
    native = native_method(transformer, "transform")
    try:
        compiled = transformer_entry(transformer)(transformer)
    except COMPILE_ERRORS:
        return CompiledTransformer(native, no_row="its own method serves", inline=False)
    if compiled.takes_sparse:
        return compiled
    dense = compiled.matrix
    return replace(compiled, matrix=lambda data: native(data) if is_sparse(data) else dense(data))


def compile_model(estimator: Any, probabilities: bool) -> CompiledModel:
    """Compile a fitted model; its own methods serve if it cannot be compiled."""
    try:
        return compile_known_model(estimator, probabilities)
    except COMPILE_ERRORS:
        predict = native_method(estimator, "predict")
        predict_proba = native_method(estimator, "predict_proba") if probabilities else None
        return CompiledModel(
            lambda data: (predict(data), None if predict_proba is None else predict_proba(data)),
            inline=False,
            single_rows="never",
        )


def compile_known_model(estimator: Any, probabilities: bool) -> CompiledModel:
    """Compile a fitted model. Raises one of COMPILE_ERRORS if it cannot be compiled."""
    return model_entry(estimator)(estimator, probabilities)


def acting_steps(steps: Iterable[tuple[str, Any]]) -> list[Any]:
    """Return the steps of a pipeline that change rows when it predicts."""
    return [
        step
        for _, step in steps
        # imbalanced-learn's samplers act in the training only.
        if not (step is None or isinstance(step, str) or hasattr(step, "fit_resample"))
    ]


def _compile_steps(steps: Iterable[tuple[str, Any]]) -> list[CompiledTransformer]:
    return [compile_transformer(step) for step in acting_steps(steps)]


@register_transformer("sklearn", "Pipeline")
@register_transformer("imblearn", "Pipeline")
def _transforming_pipeline(pipeline: Any) -> CompiledTransformer:
    steps = _compile_steps(pipeline.steps)
    return CompiledTransformer(
        compose([step.matrix for step in steps]),
        compile_row_transform(steps),
        no_row=_no_row_inside(steps),
        inline=all(step.inline for step in steps),
        takes_sparse=True,
    )


def _no_row_inside(members: Sequence[CompiledTransformer]) -> str:
    return "" if all(member.row is not None for member in members) else _NO_ROW_INSIDE


@register_transformer("sklearn", "ColumnTransformer")
def _column_transformer(column_transformer: Any) -> CompiledTransformer:
    parts = list(_column_parts(column_transformer))
    sparse, width = column_transformer.sparse_output_, column_transformer.n_features_in_

    def transform(data: Data) -> Data:
        if is_frame(data):
            data = as_table(data, list(data.columns))
        check_width(data, width)
        outputs = []
        for compiled, indices, single, weight in parts:
            if isinstance(data, ColumnTable):
                output = compiled.matrix(data.take(indices, series=single))
            else:
                output = compiled.matrix(data[:, indices[0]] if single else data[:, indices])
            outputs.append(output if weight is None else to_matrix(output) * weight)
        return _concatenate_columns(outputs, sparse)

    compiled_parts = [compiled for compiled, *_ in parts]
    row_parts = [
        (compiled.row, indices, weight)
        for compiled, indices, _, weight in parts
        if compiled.row is not None
    ]

    def transform_row(values: RowValues) -> RowValues:
        if len(values) != width:
            raise ValueError(f"{len(values)} values; the model was trained on {width} columns")
        outputs: RowValues = []
        for apply, indices, weight in row_parts:
            output = apply([values[index] for index in indices])
            outputs += (
                output if weight is None else [value * weight for value in row_to_floats(output)]
            )
        return outputs

    no_row = _no_row_inside(compiled_parts)
    return CompiledTransformer(
        transform,
        None if no_row else transform_row,
        no_row=no_row,
        inline=all(compiled.inline for compiled in compiled_parts),
        takes_sparse=True,
    )


def _column_parts(
    column_transformer: Any,
) -> Iterator[tuple[CompiledTransformer, list[int], bool, float | None]]:
    """Yield each transformer, its columns, whether they are one series, and its weight."""
    indices_by_name = column_transformer._transformer_to_input_indices
    weights = column_transformer.transformer_weights or {}
    for name, transformer, selected in column_transformer.transformers_:
        indices = list(indices_by_name[name])
        if not indices or (isinstance(transformer, str) and transformer == "drop"):
            continue
        # A bool is an int, but selects as a mask.
        single = isinstance(selected, (str, int, np.integer)) and not isinstance(selected, bool)
        yield _compile_or_pass_through(transformer), indices, single, weights.get(name)


def _compile_or_pass_through(transformer: Any) -> CompiledTransformer:
    return _PASSTHROUGH if isinstance(transformer, str) else compile_transformer(transformer)


@register_transformer("sklearn", "FeatureUnion")
def _feature_union(union: Any) -> CompiledTransformer:
    weights = union.transformer_weights or {}
    parts = [
        (_compile_or_pass_through(transformer), weights.get(name))
        for name, transformer in union.transformer_list
        if transformer is not None and transformer != "drop"
    ]

    def transform(data: Data) -> Data:
        outputs = [(compiled.matrix(data), weight) for compiled, weight in parts]
        weighted = [o if weight is None else to_matrix(o) * weight for o, weight in outputs]
        return _concatenate_columns(weighted, True)

    return CompiledTransformer(
        transform,
        no_row="joining the outputs for one row is not written",
        inline=all(compiled.inline for compiled, _ in parts),
        takes_sparse=True,
    )


def _concatenate_columns(outputs: Sequence[Data], sparse: bool) -> Data:
    """Concatenate matrices; with a sparse one the result is sparse only if `sparse` is set."""
    matrices = [to_matrix(output) for output in outputs]
    if any(is_sparse(matrix) for matrix in matrices):
        if sparse:
            from scipy.sparse import hstack  # noqa: PLC0415  # SciPy only for sparse matrices

            floats = [m if is_sparse(m) else to_floats(m) for m in matrices]
            return hstack(floats).tocsr()
        matrices = [m.toarray() if is_sparse(m) else m for m in matrices]
    return matrices[0] if len(matrices) == 1 else np.concatenate(matrices, axis=1)


@register_model("sklearn", "Pipeline")
@register_model("imblearn", "Pipeline")
def _predicting_pipeline(pipeline: Any, probabilities: bool) -> CompiledModel:
    *before, (_, last) = pipeline.steps
    steps, model = _compile_steps(before), compile_model(last, probabilities)
    if not steps:
        return model
    transform, predict = compose([step.matrix for step in steps]), model.matrix
    row = compile_row_predict(steps, model)
    return CompiledModel(
        lambda data: predict(transform(data)),
        inline=model.inline and all(step.inline for step in steps),
        row=row,
        single_rows="never" if row is None else "always",
        is_bitwise_batch_invariant=model.is_bitwise_batch_invariant,
    )


@register_model("sklearn", *SEARCHES)
def _search(search: Any, probabilities: bool) -> CompiledModel:
    return compile_known_model(search.best_estimator_, probabilities)


@register_model("sklearn", "HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
def _hist_gradient_boosting(estimator: Any, probabilities: bool) -> CompiledModel:
    # Since scikit-learn 1.4 a ColumnTransformer of its own encodes the categorical features.
    own = getattr(estimator, "_preprocessor", None)
    preprocess = to_floats if own is None else compile_transformer(own).matrix
    return trees.compile_hist_gradient_boosting(estimator, probabilities, preprocess)


@register_model("sklearn", "VotingClassifier")
def _voting_classifier(voting: Any, probabilities: bool) -> CompiledModel:
    if voting.voting != "soft":
        raise NotCompiled("VotingClassifier has a fast path for voting='soft' only.")
    members = [compile_model(member, True).matrix for member in voting.estimators_]
    weights, classes = voting._weights_not_none, voting.classes_

    def predict(data: Data) -> Outputs:
        shares = np.average([member(data)[1] for member in members], axis=0, weights=weights)
        return classes[shares.argmax(axis=1)], shares if probabilities else None

    return _ensemble(predict)


@register_model("sklearn", "VotingRegressor")
def _voting_regressor(voting: Any, probabilities: bool) -> CompiledModel:
    members = [compile_model(member, False).matrix for member in voting.estimators_]
    weights = voting._weights_not_none

    def predict(data: Data) -> Outputs:
        values = np.array([member(data)[0] for member in members]).T
        return np.average(values, axis=1, weights=weights), None

    return _ensemble(predict)


def _ensemble(predict: Any) -> CompiledModel:
    """Compile a model of other models, which take a while and can preprocess columns themselves."""
    return CompiledModel(predict, inline=False, single_rows="after steps")


@register_model("sklearn", "CalibratedClassifierCV")
def _calibrated_classifier(calibrated: Any, probabilities: bool) -> CompiledModel:
    members = [_calibrated_member(member) for member in calibrated.calibrated_classifiers_]
    classes = calibrated.classes_

    def predict(data: Data) -> Outputs:
        shares = sum(member(data) for member in members) / len(members)
        return classes[shares.argmax(axis=1)], shares if probabilities else None

    return _ensemble(predict)


def _calibrated_member(member: Any) -> MatrixTransform:
    """Return the probabilities of one model with its calibrators, one for each class."""
    classes, calibrators = member.classes, member.calibrators
    if member.method not in ("sigmoid", "isotonic") or len(member.estimator.classes_) != len(
        classes
    ):
        raise NotCompiled("CalibratedClassifierCV has a fast path for sigmoid and isotonic only.")
    respond = _response(member.estimator)

    def calibrate(data: Data) -> Any:
        responses = respond(data)
        calibrated = np.array(
            [c.predict(response) for c, response in zip(calibrators, responses.T, strict=True)]
        ).T
        if len(classes) == 2:
            return np.hstack([1.0 - calibrated, calibrated])
        totals = calibrated.sum(axis=1, keepdims=True)
        uniform = np.full_like(calibrated, 1 / len(classes))
        return np.divide(calibrated, totals, out=uniform, where=totals != 0)

    return calibrate


def _response(estimator: Any) -> MatrixTransform:
    """Return decision scores, else probabilities, of the shape (rows, 1 or classes)."""
    if hasattr(estimator, "decision_function"):
        respond = compile_model(estimator, False).decision or native_method(
            estimator, "decision_function"
        )
    else:
        predict, binary = compile_model(estimator, True).matrix, len(estimator.classes_) == 2

        def respond(data: Data) -> Any:
            shares = predict(data)[1]
            return shares[:, 1] if binary else shares

    def respond_with_columns(data: Data) -> Any:
        responses = respond(data)
        return responses.reshape(-1, 1) if responses.ndim == 1 else responses

    return respond_with_columns


@register_model("sklearn", "StackingClassifier", "StackingRegressor")
def _stacking(stacking: Any, probabilities: bool) -> CompiledModel:
    methods = stacking.stack_method_
    if stacking.passthrough or any(m not in ("predict", "predict_proba") for m in methods):
        raise NotCompiled(
            f"{type(stacking).__name__} stacks more than probabilities or predictions."
        )
    members = [
        (compile_model(member, method == "predict_proba").matrix, method)
        for member, method in zip(stacking.estimators_, methods, strict=True)
    ]
    predict_last = compile_model(stacking.final_estimator_, probabilities).matrix
    encoder = getattr(stacking, "_label_encoder", None)
    classes = encoder.classes_ if encoder is not None else None

    def predict(data: Data) -> Outputs:
        stacked = []
        for member, method in members:
            values, shares = member(data)
            if method == "predict":
                stacked.append(values.reshape(-1, 1))
            else:
                # Of two classes, scikit-learn stacks only the second one's probability.
                stacked.append(shares[:, 1:] if shares.shape[1] == 2 else shares)
        values, shares = predict_last(np.hstack(stacked))
        return values if classes is None else classes[values], shares

    return _ensemble(predict)


@register_model("sklearn", "TransformedTargetRegressor")
def _transformed_target_regressor(estimator: Any, probabilities: bool) -> CompiledModel:
    if estimator._training_dim != 1:
        raise NotCompiled("TransformedTargetRegressor predicts several targets.")
    inner = compile_model(estimator.regressor_, False).matrix
    inverse_transform = estimator.transformer_.inverse_transform

    def predict(data: Data) -> Outputs:
        return inverse_transform(inner(data)[0].reshape(-1, 1))[:, 0], None

    return _ensemble(predict)
