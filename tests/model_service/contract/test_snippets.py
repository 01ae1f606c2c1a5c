"""Requests to paste: each is run by the program that it is written for, and the service answers."""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import adopted
from flask import Flask
from sklearn.linear_model import LogisticRegression
from werkzeug.serving import WSGIRequestHandler, make_server

from model_service.model.loading import load_model
from model_service.web.app import create_app
from model_service.web.settings import Settings

NAMES = [
    *("class", "a b", 'a"b', "a'b", "a<b>", "{{x}}", "=1+1", "日本", "@a", "$HOME", "`id`", "!!"),
    *(
        "back\\slash",
        "two\nlines",
        "${1}",
        "%s",
        "#",
        "-d",
        "$ref",
        "__proto__",
        "</pre>",
        "\u2028",
    ),
]
KEY = "a-key"
HASH = hashlib.sha256(KEY.encode()).digest()
SAID = ["it's", 'so "to say"', "$(id)", "true", "1"]


@pytest.fixture(scope="module", params=[(), (HASH,)], ids=["open", "with keys"])
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """A service whose features and categories are called as nobody would hope."""
    folder = tmp_path_factory.mktemp("hostile")
    numbers = np.random.default_rng(0).normal(size=(60, len(NAMES))).round(3)
    frame = pd.DataFrame(numbers, columns=NAMES).assign(said=np.arange(60) % len(SAID))
    joblib.dump(LogisticRegression().fit(frame, frame["class"] > 0), folder / "model.joblib")
    said = dict(enumerate(SAID))
    frame.assign(said=frame["said"].map(said)).to_csv(folder / "sample.csv", index=False)
    encode = {text: code for code, text in said.items()}
    features = [{"name": name} for name in NAMES]
    features.append({"name": "said", "categories": SAID, "encode": encode})
    (folder / "features.json").write_text(json.dumps({"features": features}))
    given = {"features": str(folder / "features.json"), "sample_data": str(folder / "sample.csv")}
    project = adopted(folder, folder / "model.joblib", **given)
    return create_app(load_model(project / "model"), Settings(api_keys=request.param))


@pytest.fixture(scope="module")
def address(app: Flask) -> Iterator[str]:
    """Where the service runs."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


class Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """Print nothing."""


class Codes(HTMLParser):
    """The texts that a page shows as code blocks."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "pre":
            self._inside = True
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "pre"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[-1] += data


def printed(*command: str) -> str:
    """Return what a program prints; all of them must be on the machine."""
    assert shutil.which(command[0]), f"{command[0]} is needed to run what the page shows"
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def of_shell(code: str) -> str:
    return printed("bash", "-c", f"{code} --silent")


def of_python(code: str) -> Any:
    return ast.literal_eval(printed(sys.executable, "-c", code))


def of_javascript(code: str) -> Any:
    return json.loads(printed("node", "--input-type=module", "--eval", code))


IN_EVERY_LANGUAGE: list[Callable[[str], Any]] = [
    lambda code: json.loads(of_shell(code)),
    of_python,
    of_javascript,
]


def test_each_request_of_the_page_is_answered(
    app: Flask, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", KEY)
    bearer = {"Authorization": f"Bearer {KEY}"}
    codes = Codes(of_shell(f'curl {address}/docs -H "Authorization: Bearer $API_KEY"')).texts
    assert len(codes) == 7
    document = app.test_client().get("/openapi.json", headers=bearer).get_json()
    operation = document["paths"]["/predict"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    for name, shown in (("row", codes[:3]), ("rows", codes[3:6])):
        sent = {"json": examples[name]["value"], "headers": bearer}
        expected = app.test_client().post("/predict", **sent).get_json()
        answers = [run(code) for run, code in zip(IN_EVERY_LANGUAGE, shown, strict=True)]
        assert answers == [expected] * 3
    table = list(csv.DictReader(io.StringIO(of_shell(codes[6]), newline="")))
    predictions = [json.dumps(answer["prediction"]) for answer in expected["predictions"]]
    assert [row["prediction"] for row in table] == predictions
