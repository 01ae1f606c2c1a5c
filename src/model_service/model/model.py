"""Predict with the adopted model: a batch in, predictions out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Any

from joblib import parallel_backend

from model_service.columns.builder import InputBuilder, Prepare
from model_service.columns.transformers import Stage
from model_service.contract.batch import Batch
from model_service.contract.contract import Contract
from model_service.contract.golden import Golden
from model_service.contract.unusual import UnusualValues
from model_service.explain.answer import ExplainRequest, explain_rows
from model_service.explain.blackbox import Budget
from model_service.explain.explainer import Explainer
from model_service.fast_path import FastPath, NotCompiled, compile_fast_path
from model_service.model.guard import Guard
from model_service.model.manifest import Explanations, Manifest
from model_service.model.predictions import Prediction, PredictionFormat

logger = logging.getLogger(__name__)

_PREDICTING = Guard("predicting")


class Model:
    """A loaded model and what is known about it.

    The fast path predicts if there is one; if it cannot, the model's own methods do.
    """

    def __init__(
        self,
        estimator: Any,
        contract: Contract,
        manifest: Manifest,
        golden: Golden | None = None,
        prepare: Prepare | None = None,
        stages: Sequence[Stage] = (),
        fast_path: FastPath | None = None,
        explainer: Explainer | None = None,
    ) -> None:
        self.contract, self.manifest, self.golden = contract, manifest, golden
        self.estimator, self.prepare, self.stages = estimator, prepare, stages
        self.fast_path, self.explainer = fast_path, explainer
        self._threads = threading.local()

    def with_contract(self, contract: Contract) -> Model:
        """Return the same model with another contract."""
        return self._with(contract=contract)

    def with_manifest(self, manifest: Manifest) -> Model:
        """Return the same model with another manifest."""
        return self._with(manifest=manifest)

    def with_golden(self, golden: Golden | None) -> Model:
        """Return the same model with other golden predictions."""
        return self._with(golden=golden)

    def with_fast_path(self, fast_path: FastPath | None) -> Model:
        """Return the same model with another fast path, or without one."""
        return self._with(fast_path=fast_path)

    def with_explainer(self, explainer: Explainer) -> Model:
        """Return the same model with explanations."""
        return self._with(explainer=explainer)

    def without_explanations(self, reason: str) -> Model:
        """Return the same model without explanations; its manifest says why."""
        logger.warning("no explanations: %s", reason)
        manifest = replace(self.manifest, explanations=Explanations(reason=reason))
        return self._with(manifest=manifest, explainer=None)

    def _with(self, **changes: Any) -> Model:
        """Return the same model with some other parts; the argument names are those of Model."""
        parts = {
            "estimator": self.estimator,
            "contract": self.contract,
            "manifest": self.manifest,
            "golden": self.golden,
            "prepare": self.prepare,
            "stages": self.stages,
            "fast_path": self.fast_path,
            "explainer": self.explainer,
        }
        return Model(**{**parts, **changes})

    def predict(self, batch: Batch) -> Sequence[Prediction]:
        """Return a prediction for each row, in the shape of /predict.

        Raises whatever the model's own methods raise, and ModelActed.
        """
        if not batch:
            return []
        with _PREDICTING:
            if self.fast_path is not None:
                # An error of the fast path is no error of the rows: the model's own methods decide.
                with suppress(Exception):
                    return self.by_fast_path(self.fast_path, batch)
            return self.natively(batch)

    def by_fast_path(self, fast_path: FastPath, batch: Batch) -> Sequence[Prediction]:
        """Predict by the fast path. Raises whatever it raises, and ModelActed."""
        self._use_no_threads()
        with _PREDICTING:
            if fast_path.predict_row is not None and len(batch) == 1:
                # After an error here, the path for many rows decides whether it is one.
                with suppress(Exception):
                    outputs = fast_path.predict_row(self.contract.row_values(batch, self._names))
                    return [self._format.format_row(*outputs)]
            return self._format.format(*fast_path.predict_columns(self.contract.columns(batch)))

    def natively(self, batch: Batch) -> Sequence[Prediction]:
        """Predict by the model's own methods. Raises whatever they raise, and ModelActed."""
        self._use_no_threads()
        with _PREDICTING:
            data = self.input_builder.build(self.contract.columns(batch))
            last, data = _before_last(self.estimator, data)
            values = last.predict(data)
            probabilities = last.predict_proba(data) if self.manifest.task.probabilities else None
            return self._format.format(values, probabilities)

    def explain(
        self,
        batch: Batch,
        predictions: Sequence[Prediction],
        wanted: ExplainRequest,
        budget: Budget,
    ) -> list[dict[str, Any]]:
        """Return what is added to the prediction of each row.

        Raises DoesNotFit, UnknownClass, NotAdditive, whatever the model raises, and ModelActed.
        """
        assert self.explainer is not None
        self._use_no_threads()
        with _PREDICTING:
            return explain_rows(self.explainer, self.contract, batch, predictions, wanted, budget)

    def _use_no_threads(self) -> None:
        """Keep joblib from starting threads for this thread's predictions, from the first one on.

        A saved n_jobs=-1 would start threads for one row, and sum a forest in changing order.
        """
        # Setting the backend for each prediction anew would cost a tenth of one.
        if not hasattr(self._threads, "backend"):
            self._threads.backend = parallel_backend("sequential")

    @cached_property
    def _format(self) -> PredictionFormat:
        return PredictionFormat(self.contract.output, getattr(self.estimator, "classes_", None))

    @cached_property
    def input_builder(self) -> InputBuilder:
        """The way to the input of the model's own methods."""
        return InputBuilder(
            kind=self.manifest.input,
            names=self.manifest.columns,
            categories=self.manifest.categories,
            prepare=self.prepare,
            stages=self.stages,
            model_names=self.manifest.model.columns,
        )

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """The columns in the order of the training."""
        return self.manifest.columns or tuple(self.contract.column_kinds)

    @cached_property
    def unusual(self) -> UnusualValues:
        """What finds values unlike the sample."""
        return UnusualValues(self.contract, self.manifest.derived, self.manifest.profiles)

    def unknown_categories(self, batch: Batch) -> list[str]:
        """Return the model's pandas categories that would lose a value of these rows.

        Raises whatever prepare() and the transformers raise.
        """
        return self.input_builder.unknown_categories(self.contract.columns(batch))

    def compile_fast_path(self) -> FastPath:
        """Return the fast path of this model. Raises NotCompiled."""
        manifest = self.manifest
        if self.prepare is not None:
            raise NotCompiled("The author's prepare() needs a pandas frame.")
        if manifest.categories:
            raise NotCompiled("The model takes pandas categories, which need a frame.")
        return compile_fast_path(
            self.estimator,
            self.stages,
            kind=manifest.input,
            column_names=manifest.columns,
            model_columns=manifest.model.columns,
            probabilities=manifest.task.probabilities,
            # Some steps refuse dates, and predictions of several targets are made of arrays.
            single_rows=self.contract.output.targets is None
            and all(feature.kind != "date" for feature in self.contract.features),
        )

    @property
    def why_unexplained(self) -> str | None:
        """Why there are no explanations; None if there are."""
        if self.explainer is not None:
            return None
        reason = self.manifest.explanations.reason
        return reason or "make verify has not proven any for this model: run it."

    @property
    def is_batch_invariant(self) -> bool:
        """Whether verify saw that a row has the same prediction alone and in a batch."""
        return self.golden is not None and self.golden.is_batch_invariant

    @property
    def is_bitwise_batch_invariant(self) -> bool:
        """Whether the fast path predicts a row bit for bit alike alone and among others."""
        return self.fast_path is not None and self.fast_path.is_bitwise_batch_invariant

    @property
    def has_single_row_path(self) -> bool:
        """Whether a single row is predicted by other code than a batch."""
        return self.fast_path is not None and self.fast_path.predict_row is not None


def _before_last(estimator: Any, data: Any) -> tuple[Any, Any]:
    """Return the last step of a pipeline and its input, so that it is made once.

    Pipeline.predict and Pipeline.predict_proba would each transform the data.
    """
    if type(estimator).__module__ != "sklearn.pipeline":
        return estimator, data
    *before, (_, last) = estimator.steps
    for _, step in before:
        if step is not None and step != "passthrough":
            data = step.transform(data)
    return last, data
