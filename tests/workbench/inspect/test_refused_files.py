"""The refusals of files that people give by mistake."""

from __future__ import annotations

import copyreg
import gzip
import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import TESTS
from sklearn.cluster import DBSCAN
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import LabelEncoder, StandardScaler

from workbench.inspect import RefusedFile, inspect


def zipped(*names: str) -> bytes:
    """Return a zip archive with members of these names."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return file.getvalue()


def npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


def pickle_of_names(*names: str) -> bytes:
    """Return the pickle of a list of classes and functions that need not be installed."""
    lines = "".join("c{}\n{}\n".format(*name.rsplit(".", 1)) for name in names)
    return f"({lines}l.".encode()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
RDS = b"X\n\x00\x00\x00\x03\x00\x04\x02\x00"
TORCH = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)

FOREIGN = [
    # content, code, words of the message
    (b"", "empty", "is empty"),
    (LFS, "git_lfs", "git lfs pull"),
    (b"\n<!DOCTYPE html><html>", "web_page", "web page"),
    (b"<html lang='en'>", "web_page", "raw file"),
    (json.dumps({"accuracy": 0.9}).encode(), "json", "is JSON"),
    (json.dumps([1, 2]).encode(), "json", "is JSON"),
    (b"Income,Age\n5000,30\n", "text", "CSV"),
    (b"country,age\nFrance,30\n", "text", "CSV"),
    ("\ufeffIncome\n5000\n".encode(), "text", "CSV"),
    ("Income\n5000\n".encode("utf-16"), "text", "CSV"),
    (b"import pickle\nprint('model')\n", "text", "script"),
    (b"\x89HDF\r\n\x1a\n", "unsupported", "Keras"),
    (zipped("metadata.json", "config.json", "model.weights.h5"), "unsupported", "Keras"),
    (zipped("archive/data.pkl", "archive/version"), "unsupported", "PyTorch"),
    (TORCH, "unsupported", "PyTorch"),
    (zipped("schema.json", "1.npy"), "malformed", "skops"),
    (zipped("xl/workbook.xml"), "unsupported", "Excel"),
    (zipped("arr_0.npy"), "unsupported", "numpy arrays"),
    (zipped("model.pkl"), "archive", "Unpack it"),
    (b"\x08\x08\x12\x07skl2onnx", "unsupported", "ONNX"),
    (b"\x1c\x00\x00\x00TFL3", "unsupported", "TensorFlow"),
    (RDS, "unsupported", "saved by R"),
    (gzip.compress(RDS, mtime=0), "unsupported", "saved by R"),
    (b"RDX3\n", "unsupported", "saved by R"),
    (npy(), "not_a_model", "numpy array"),
    (b"PAR1\x15\x04", "not_a_model", "data frame"),
    (b'{"name": "tree", "version": "v4"}', "json", "is JSON"),
    (b"\x04\x22\x4d\x18\x64", "unsupported", "LZ4"),
    (gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "unsupported", "twice"),
    (gzip.compress(b"\0" * 257 + b"ustar\0", mtime=0), "archive", "Unpack it"),
    (b"\x00\x01\x02\x03", "malformed", "joblib.dump"),
    (b"\x80\x04", "truncated", "ends in the middle"),
    (pickle_of_names("keras.engine.Sequential", "builtins.getattr"), "unsupported", "Keras"),
    (pickle_of_names("torch.nn.Linear", "torch._utils._rebuild"), "unsupported", "PyTorch"),
    (pickle_of_names("cloudpickle.cloudpickle.dynamic_subimport"), "unsupported", "cloudpickle"),
]


@pytest.mark.parametrize("suffix", [".pkl", ".joblib", ""])
@pytest.mark.parametrize(("content", "code", "words"), FOREIGN)
def test_files_of_other_formats(
    content: bytes, code: str, words: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    with pytest.raises(RefusedFile, match=words) as refusal:
        inspect(path)
    assert refusal.value.code == code
    assert_readable(refusal.value)


def test_a_file_compressed_with_lz4() -> None:
    with pytest.raises(RefusedFile) as refusal:
        inspect(TESTS / "data" / "forest.joblib.lz4")
    assert refusal.value.code == "unsupported"
    assert str(refusal.value) == (
        "The file forest.joblib.lz4 is compressed with LZ4, which is not supported. Save it again "
        "with zlib, in Python: `import joblib`, then `joblib.dump(joblib.load("
        "'forest.joblib.lz4'), 'forest.joblib', compress=3)`."
    )
    assert_readable(refusal.value)


def test_the_lz4_advice_never_overwrites_the_file(tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    path.write_bytes((TESTS / "data" / "forest.joblib.lz4").read_bytes())
    with pytest.raises(RefusedFile, match=r"'new-model\.joblib', compress=3"):
        inspect(path)


OBJECTS = [
    # pickled object, code, words of the message
    (np.arange(3), "not_a_model", "numpy array"),
    (pd.DataFrame({"a": [1]}), "not_a_model", "DataFrame"),
    (pd.Series([1]), "not_a_model", "Series"),
    ({"accuracy": 0.9}, "not_a_model", "a dict"),
    ("model.pkl", "not_a_model", "a text"),
    (["a", "b"], "not_a_model", "a list"),
    ({1, 2}, "not_a_model", "a set"),
    (1.5, "not_a_model", "a number"),
    (None, "not_a_model", "nothing"),
    (LogisticRegression, "not_a_model", "the class LogisticRegression"),
    (LogisticRegression(), "unfitted", "has not been fitted"),
    (make_pipeline(StandardScaler(), LogisticRegression()), "unfitted", "LogisticRegression"),
    (GridSearchCV(LogisticRegression(), {"C": [1]}), "unfitted", "GridSearchCV"),
    (StandardScaler().fit([[1.0]]), "not_a_model", "StandardScaler, which transforms"),
    (make_pipeline(StandardScaler()).fit([[1.0]]), "not_a_model", "StandardScaler"),
    (
        Pipeline([("scale", StandardScaler()), ("last", "passthrough")]).fit([[1.0]]),
        "not_a_model",
        "ends without a model",
    ),
    (LabelEncoder().fit(["a"]), "not_a_model", "LabelEncoder"),
    (DBSCAN().fit([[1.0]]), "not_a_model", "cannot predict for new rows"),
    (LocalOutlierFactor(1).fit([[1.0], [2.0]]), "not_a_model", "LocalOutlierFactor"),
    (
        GridSearchCV(LogisticRegression(), {"C": [1]}, cv=2, refit=False).fit(
            [[0.0], [1.0]] * 4, [0, 1] * 4
        ),
        "not_refitted",
        "refit=True",
    ),
]


@pytest.mark.parametrize(("value", "code", "words"), OBJECTS)
def test_objects_that_are_no_fitted_model(
    value: object, code: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.pkl"
    for dump in (joblib.dump, lambda value, path: path.write_bytes(pickle.dumps(value))):
        dump(value, path)
        with pytest.raises(RefusedFile, match=words) as refusal:
            inspect(path)
        assert refusal.value.code == code
        assert_readable(refusal.value)


VERSIONS = [
    ("0.24.2", "old_version", "make convert"),
    ("0.23.2", "old_version", "scikit-learn 0.23.2"),
    ("1.7.dev0", "unreleased_version", "released version"),
]


@pytest.mark.parametrize(("version", "code", "words"), VERSIONS)
def test_versions_that_cannot_be_installed(
    version: str, code: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(Claiming(version)))
    with pytest.raises(RefusedFile, match=words) as refusal:
        inspect(path)
    assert refusal.value.code == code


def test_parts_of_two_versions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    pipeline.fit([[0.0], [1.0]], [0, 1]).steps[1] = ("model", Claiming("1.3.2"))
    path.write_bytes(pickle.dumps(pipeline))
    with pytest.raises(RefusedFile, match=r"1\.3\.2 and 1\.9\.1"):
        inspect(path)


class Claiming:
    """Pickles as a LogisticRegression of another scikit-learn version."""

    def __init__(self, version: str) -> None:
        self.version = version

    def __reduce__(self) -> tuple[object, ...]:
        state = LogisticRegression().fit([[0.0], [1.0]], [0, 1]).__getstate__()
        state["_sklearn_version"] = self.version
        return copyreg._reconstructor, (LogisticRegression, object, None), state


def test_paths_without_a_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    for name, code in (
        ("absent.pkl", "missing"),
        ("pipe", "not_a_file"),
        (".", "not_a_file"),
        ("saved", "unsupported"),
    ):
        with pytest.raises(RefusedFile) as refusal:
            inspect(tmp_path / name)
        assert refusal.value.code == code
        assert_readable(refusal.value)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("compress", [0, 3])
def test_a_truncated_model(kept: float, compress: int, pipeline: Pipeline, tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    joblib.dump(pipeline, path, compress=compress)
    data = path.read_bytes()
    path.write_bytes(data[: 2 + int(kept * (len(data) - 3))])
    with pytest.raises(RefusedFile, match="ends in the middle"):
        inspect(path)


def assert_readable(refusal: RefusedFile) -> None:
    """Check that a message is two full sentences."""
    assert str(refusal) == f"{refusal.what} {refusal.remedy}"
    for sentence in (refusal.what, refusal.remedy):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "\n" not in sentence
