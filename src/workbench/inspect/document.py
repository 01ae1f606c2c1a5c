"""Read a model file into inert values, whatever wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from workbench.inspect.errors import Refused
from workbench.inspect.formats.containers import CHUNK, Container, open_container
from workbench.inspect.formats.native import packed, read_native
from workbench.inspect.formats.recognition import HEAD, is_text, native_library, text_file
from workbench.inspect.formats.skops_file import read_skops
from workbench.inspect.pickle.budget import Budget
from workbench.inspect.pickle.interpreter import PickleInterpreter, Trace
from workbench.inspect.pickle.reader import Reader


@dataclass(frozen=True)
class Document:
    """A file as it was read: nothing of it was loaded."""

    path: Path
    container: str  # the writer: "pickle", "joblib", "skops", "xgboost", "lightgbm" or "catboost"
    suffix: str  # of the names that people give to such files
    compression: str | None  # "zlib", "gzip", "bz2", "xz" or "lzma"
    size: int  # bytes of the file
    sha256: str
    root: object  # what the file holds, made of the classes in values.py
    trace: Trace
    trailing: bool  # whether bytes follow that no loader would read


def read_document(path: Path) -> Document:
    """Read the file at `path`; execute and import nothing from it. Raises Refused."""
    with open_container(path) as container:
        head = container.stream.peek(HEAD)[:HEAD]
        trace = Trace()
        root: object
        if container.archive is not None:
            root, writer, suffix = _of_skops(container, container.archive, trace), "skops", ".skops"
        elif library := native_library(head):
            if container.compression is not None:
                raise packed(library)
            writer = library
            model, suffix = read_native(library, container.stream)
            trace.names.add(model.cls)
            root = model
        elif path.suffix.lower() == ".skops":
            # Who says skops expects a file that runs no code: a pickle is not what they meant.
            what = "The file is called .skops and was not written by skops."
            raise Refused("malformed", what, "Give the file that skops.io.dump wrote.")
        else:
            root = _unpickled(container, head, trace)
            writer = "joblib" if trace.joblib_arrays else "pickle"
            suffix = ".joblib" if trace.joblib_arrays else ".pkl"
        trailing = bool(container.stream.read(1))  # to the end, for the hash
        return Document(
            path=path,
            container=writer,
            suffix=suffix,
            compression=container.compression,
            size=container.size,
            sha256=container.sha256(),
            root=root,
            trace=trace,
            trailing=trailing,
        )


def _unpickled(container: Container, head: bytes, trace: Trace) -> object:
    """Return what a pickle describes. Raises Refused."""
    try:
        return PickleInterpreter(Reader(container.stream), trace, Budget()).run()
    except Refused as refusal:
        if refusal.code in ("malformed", "truncated") and is_text(head):
            raise text_file() from refusal
        raise


def _of_skops(container: Container, archive: BinaryIO, trace: Trace) -> object:
    """Return what a file of skops describes. Raises Refused."""
    while container.stream.read(CHUNK):  # for the hash
        pass
    root = read_skops(archive, trace, Budget())
    archive.seek(0, 2)  # where the stream had read to
    return root
