"""Read a model file of any supported format into inert values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from workbench.inspect.formats.booster_files import compressed, read_booster_file
from workbench.inspect.formats.decompression import CHUNK
from workbench.inspect.formats.file_signatures import HEAD, is_text, native_library, text_file
from workbench.inspect.formats.opened_file import OpenedFile, open_model_file
from workbench.inspect.formats.skops_file import read_skops
from workbench.inspect.pickle import npy
from workbench.inspect.pickle.arrays import values_of
from workbench.inspect.pickle.budget import Budget
from workbench.inspect.pickle.interpreter import PickleInterpreter
from workbench.inspect.pickle.load_effects import LoadEffects
from workbench.inspect.pickle.other_libraries import other_library
from workbench.inspect.pickle.pickle_stream import PickleStream
from workbench.inspect.pickle.values import Array, Several, is_torch
from workbench.inspect.refused_file import RefusedFile, malformed


@dataclass(frozen=True)
class Document:
    """A model file, read without loading it."""

    path: Path
    # What wrote it: "pickle", "joblib", "skops", "xgboost", "lightgbm" or "catboost"; "pickles" are
    # several objects, saved one after the other.
    container: str
    suffix: str  # usual file name suffix of the format, such as ".pkl"
    compression: str | None  # "zlib", "gzip", "bz2", "xz" or "lzma"
    size: int  # bytes of the file
    sha256: str
    root: object  # what the file holds, as the inert values of pickle/values.py
    effects: LoadEffects
    trailing: bool  # whether bytes follow that no loader would read


def read_document(path: Path) -> Document:
    """Read the file at `path`; execute and import nothing from it. Raises RefusedFile."""
    with open_model_file(path) as file:
        head = file.stream.peek(HEAD)[:HEAD]
        effects = LoadEffects()
        root: object
        if file.skops_archive is not None:
            root = _read_skops(file, file.skops_archive, effects)
            container, suffix = "skops", ".skops"
        elif library := native_library(head):
            if file.compression is not None:
                raise compressed(library)
            model, suffix = read_booster_file(library, file.stream)
            effects.names.add(model.cls)
            root, container = model, library
        elif path.suffix.lower() == ".skops":
            # People expect a .skops file to run no code, so a pickle is not what they meant.
            what = "The file is called .skops and was not written by skops."
            raise RefusedFile("malformed", what, "Give the file that skops.io.dump wrote.")
        else:
            root = _read_pickles(file, head, effects)
            container = "joblib" if effects.joblib_arrays else "pickle"
            suffix = ".joblib" if effects.joblib_arrays else ".pkl"
            container = "pickles" if isinstance(root, Several) else container
        trailing = bool(file.stream.read(1))  # reads to the end, which completes the hash
        return Document(
            path=path,
            container=container,
            suffix=suffix,
            compression=file.compression,
            size=file.size,
            sha256=file.sha256(),
            root=root,
            effects=effects,
            trailing=trailing,
        )


def _read_pickles(file: OpenedFile, head: bytes, effects: LoadEffects) -> object:
    """Return what a pickle describes; Several objects if more pickles follow it in the file.

    Raises RefusedFile.
    """
    stream, budget = file.stream, Budget()
    first = _read_pickle(stream, head, effects, budget)
    if is_torch(first) or not stream.peek(1):
        return first
    if file.compression is not None:
        raise RefusedFile(
            "unsupported",
            "The file is compressed and holds a second object after the first.",
            "Save it again as one dict: joblib.dump({'model': model, 'scaler': scaler}, …).",
        )
    several = [first]
    while stream.peek(1):
        try:
            several.append(PickleInterpreter(PickleStream(stream), effects, budget).run())
        except RefusedFile as refusal:
            if refusal.code in ("malformed", "truncated"):
                raise malformed("there are bytes after its end") from refusal
            raise
    return Several(several)


def _read_pickle(stream: BinaryIO, head: bytes, effects: LoadEffects, budget: Budget) -> object:
    """Return what one pickle describes. Raises RefusedFile."""
    try:
        return PickleInterpreter(PickleStream(stream), effects, budget).run()
    except RefusedFile as refusal:
        if refusal.code in ("malformed", "truncated") and is_text(head):
            raise text_file() from refusal
        if (other := other_library(effects.names)) is not None:
            raise other from refusal
        raise


def _read_skops(file: OpenedFile, archive: BinaryIO, effects: LoadEffects) -> object:
    """Return what a skops file describes. Raises RefusedFile."""
    while file.stream.read(CHUNK):  # completes the hash
        pass
    root = read_skops(archive, effects, Budget())
    archive.seek(0, 2)  # back to the end, where the stream is
    return root


def read_saved_texts(path: Path) -> tuple[str, ...] | None:
    """Return the texts in a file that numpy.save wrote, None if it holds something else.

    Raises RefusedFile.
    """
    with path.open("rb") as stream:
        try:
            shape, dtype = npy.read_header(stream, objects=True)
        except npy.Unreadable as error:
            raise malformed(str(error)) from None
        if dtype.has_object:
            array = PickleInterpreter(PickleStream(stream), LoadEffects(), Budget()).run()
        else:
            array = Array(shape, dtype, stream.read())
    values = values_of(array)
    texts = tuple(value for value in values or () if isinstance(value, str))
    return texts if texts and len(texts) == len(values or ()) else None
