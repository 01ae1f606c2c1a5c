"""Seed inputs for the fuzzer: ordinary ones, and awkward ones that have broken other software."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
from conftest import EXAMPLE
from fuzz.targets import FEATURES, ROW
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from model_service.contract.snippets import csv_text


def of_json() -> Iterator[bytes]:
    row = json.dumps(ROW)
    yield row.encode()
    yield json.dumps({"rows": [ROW, {**ROW, "number": None}]}).encode()
    yield row.encode("utf-16")
    yield b'{"rows": []}'
    for value in ("NaN", "1e999", "-Infinity", "1" * 4301, '"\\ud800"', "true", "[[[]]]", '"a"'):
        yield row.replace("0.5", value).encode()
        yield row.replace('"a"', value).encode()
    yield b"[" * 9000
    yield b'{"number": 1, "number": 2}'
    yield b'{"nubmer": 1, "strict": 11, "whole": 1.5, "day": "2"}'
    yield b"\xff\xfe{}"
    yield b"\x80\x04N."


def of_csv() -> Iterator[bytes]:
    text = csv_text([ROW, {**ROW, "number": None, "text": ""}])
    yield text.encode()
    yield b"\xef\xbb\xbf" + text.encode()
    yield text.replace("\n", "\r\n").encode()
    for delimiter in ";\t|":
        plain = csv_text([{**ROW, "text": "x"}]).replace(",", delimiter)
        yield plain.encode()
    yield csv_text([{**ROW, "my prediction": 1}]).encode()
    yield text.replace("0.5", "0,5").encode()
    yield text.replace("0.5", "1e999").encode()
    yield text.replace("True", "maybe").encode()
    yield text.encode() + b"a,b\n"
    yield text.encode() + b'"'
    yield text.encode() + b"\xff\n"
    yield text.encode("utf-16")
    yield b"number,number\r\n1,2\r\n"
    yield b"prediction,error\n"
    yield b"\n\n"


def of_contract() -> Iterator[bytes]:
    yield (EXAMPLE / "features.json").read_bytes()
    yield json.dumps({"features": FEATURES}).encode()
    output = {"name": "x", "labels": {"N": "no"}, "positive": "Y", "threshold": 0.5, "unit": "m"}
    transformers = [{"file": "scaler.pkl", "columns": ["a"]}, {"file": "b.pkl"}]
    document = {"features": [{"name": "a"}], "output": output, "transformers": transformers}
    yield json.dumps(document).encode()
    yield b'{"features": [{"name": "a", "minimum": 1e999, "strict": true, "default": 0}]}'
    yield b'{"features": [{"nam": "a"}, {"name": "a", "typ": "date"}], "output": {"targets": []}}'
    for member in ("minimum", "default", "categories", "encode", "nullable"):
        for value in ("9" * 400, "9" * 4301, "[" * 900 + "]" * 900, '"\\ud800"', "{}", "1e999"):
            yield f'{{"features": [{{"name": "a", "{member}": {value}}}]}}'.encode()
    yield b"[" * 9000


def of_features() -> Iterator[bytes]:
    yield from of_contract()
    yield b'["Income", "Age"]'
    yield b"Income\nAge\n"
    yield b"Income,Age\n1,2\n"
    yield pickle.dumps(["Income", "Age"])


def of_request() -> Iterator[bytes]:
    for body in list(of_json())[:6]:
        yield b"POST /predict\nContent-Type: application/json\n\n" + body
    for body in list(of_csv())[:4]:
        yield b"POST /predict?on_error=keep\nContent-Type: text/csv; charset=utf-8\n\n" + body
    form = b"number=0.5&strict=1&whole=2&day=2&%3Dkind=a&open=x&text=y&date=2024-02-29"
    for address in (b"/", b"/?part=answer", b"/row", b"/file"):
        yield b"POST %s\nContent-Type: application/x-www-form-urlencoded\n\n%s" % (address, form)
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nnumber\r\n'
    yield b"POST /file\nContent-Type: multipart/form-data; boundary=x\n\n" + part + b"--x--\r\n"
    for address in (b"/", b"/metadata", b"/openapi.json", b"/docs", b"/model", b"/metrics", b"/x"):
        yield b"GET %s\nAccept: text/html\nX-Request-ID: a\nX-Forwarded-For: 1.2.3.4\n\n" % address
    yield b"OPTIONS /predict\nOrigin: https://a.example\nAccess-Control-Request-Method: POST\n\n"
    yield b"POST /predict\nContent-Type: application/json\nContent-Encoding: gzip\n\n\x1f\x8b"
    yield b"POST /\nSec-Fetch-Site: cross-site\nOrigin: null\nAuthorization: Bearer x\n\n"


def of_model() -> Iterator[bytes]:
    rows = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, ["a", "b", "b", "a"])
    tree = DecisionTreeClassifier().fit(rows, [0, 1, 1, 0])
    for model in (pipeline, tree, {"model": tree, "names": np.array(["a", None], dtype=object)}):
        for protocol in range(6):
            yield pickle.dumps(model, protocol)
        for protocol in (2, 4, 5):
            file = io.BytesIO()
            joblib.dump(model, file, protocol=protocol)
            yield file.getvalue()
    plain = pickle.dumps(tree)
    for pack in (zlib.compress, gzip.compress, bz2.compress, lzma.compress):
        yield pack(plain)
    yield b"tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nfeature_names=a b\n"
    yield b'{"learner":{"feature_names":[],"gradient_booster":{"model":{}}},"version":[2,0,0]}'


SEEDS = {
    "json": of_json,
    "csv": of_csv,
    "contract": of_contract,
    "features": of_features,
    "request": of_request,
    "model": of_model,
}

# Pieces that a fuzzer would not find by itself.
WORDS = [
    *(feature["name"] for feature in FEATURES),
    *('"rows":[', "null", "true", "NaN", "1e999", "\\ud800", '"categories":[', '"encode":{'),
    *('"one_hot":{', '"strict":true', '"default":', '"minimum":', '"maximum":', '"type":"date"'),
    *('"output":{', '"labels":{', '"threshold":', '"targets":[', '"transformers":['),
    *("2024-02-29", "\r\n", '""', "prediction", "error", "on_error=keep", "part=answer"),
    *("text/csv", "application/json", "multipart/form-data; boundary=x", "Content-Type: "),
    *("joblib.numpy_pickle", "NumpyArrayWrapper", "copyreg", "_reconstructor", "numpy", "dtype"),
]


def dictionary() -> str:
    """Return the words as libFuzzer reads them."""
    lines = ("".join(f"\\x{byte:02x}" for byte in word.encode()) for word in WORDS)
    return "".join(f'"{line}"\n' for line in lines)


def write(name: str, folder: Path) -> None:
    """Write the seeds of a target, and the words."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "words").write_text(dictionary())
    for number, seed in enumerate(SEEDS[name]()):
        (folder / name / str(number)).write_bytes(seed)


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]))
