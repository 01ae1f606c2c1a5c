"""The arrays that joblib writes into a pickle's file, each right after its pickled wrapper."""

from __future__ import annotations

import math
from collections.abc import Callable

from workbench.inspect.pickle.arrays import read_shape
from workbench.inspect.pickle.budget import Budget
from workbench.inspect.pickle.names import ARRAY_TYPES
from workbench.inspect.pickle.pickle_stream import PickleStream
from workbench.inspect.pickle.values import Array, Dict, DType, Global, Instance
from workbench.inspect.refused_file import dangerous, malformed

JOBLIB_WRAPPER = Global("joblib.numpy_pickle", "NumpyArrayWrapper")
ALIGNMENT = "numpy_array_alignment_bytes"  # from joblib 1.2
FIELDS = {"subclass", "shape", "order", "dtype", "allow_mmap", ALIGNMENT}


def read_joblib_array(
    wrapper: Instance,
    stream: PickleStream,
    budget: Budget,
    read_nested_pickle: Callable[[], object],
) -> Array:
    """Read or skip the data of the array that `wrapper` describes.

    joblib pickles an array of objects in place: `read_nested_pickle` reads that pickle.
    """
    # joblib reads the array from the file, whatever is left of the frame.
    if not stream.at_frame_end():
        raise dangerous("it hides the data of an array inside a frame")
    state = wrapper.state
    if wrapper.args or not isinstance(state, Dict):
        raise malformed("the header of an array is unreadable")
    # An attribute beyond these could replace joblib's own method that reads the array.
    names = [name for name, _ in state.pairs() if isinstance(name, str)]
    if len(names) * 2 != len(state) or {*names, ALIGNMENT} != FIELDS:
        raise malformed("the header of an array has unusual fields")
    dtype, subclass = state.get("dtype"), state.get("subclass")
    if not isinstance(dtype, DType) or not isinstance(subclass, Global):
        raise malformed("the header of an array is unreadable")
    if not isinstance(state.get("order"), str) or type(state.get("allow_mmap")) is not bool:
        raise malformed("the header of an array is unreadable")
    if subclass not in ARRAY_TYPES:
        raise malformed(f"an array is a {subclass.qualified}")
    by_column = state.get("order") == "F"
    array = Array(read_shape(state.get("shape")), dtype, by_column=by_column)
    if dtype.has_object:
        nested = read_nested_pickle()
        if not isinstance(nested, Array):
            raise malformed("an array of objects holds something else")
        return nested
    if state.get(ALIGNMENT) is not None:
        stream.skip(stream.take(1)[0])
    size = math.prod(array.shape) * dtype.itemsize
    # Feature names and classes are flat arrays. The nodes of a tree and rows of the training, with
    # two dimensions, are only hints at the values that the model has seen.
    is_flat = len(array.shape) <= 1 and dtype.kind != "V"
    if len(array.shape) <= 2 and budget.can_keep(size, can_be_a_fact=is_flat):
        array.data = stream.take(size)
    else:
        stream.skip(size)
    return array
