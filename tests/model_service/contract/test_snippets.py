"""The requests of the API documentation page: run by bash, Python and Node, and answered."""

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
CATEGORIES = ["it's", 'so "to say"', "$(id)", "true", "1"]


@pytest.fixture(scope="module", params=[(), (HASH,)], ids=["open", "with keys"])
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """A service with feature names and categories that need quoting in every language."""
    folder = tmp_path_factory.mktemp("hostile")
    numbers = np.random.default_rng(0).normal(size=(60, len(NAMES))).round(3)
    frame = pd.DataFrame(numbers, columns=NAMES).assign(said=np.arange(60) % len(CATEGORIES))
    joblib.dump(LogisticRegression().fit(frame, frame["class"] > 0), folder / "model.joblib")
    by_code = dict(enumerate(CATEGORIES))
    frame.assign(said=frame["said"].map(by_code)).to_csv(folder / "sample.csv", index=False)
    encode = {text: code for code, text in by_code.items()}
    features = [{"name": name} for name in NAMES]
    features.append({"name": "said", "categories": CATEGORIES, "encode": encode})
    (folder / "features.json").write_text(json.dumps({"features": features}))
    answers = {"features": str(folder / "features.json"), "sample_data": str(folder / "sample.csv")}
    project = adopted(folder, folder / "model.joblib", **answers)
    return create_app(load_model(project / "model"), Settings(api_keys=request.param))


@pytest.fixture(scope="module")
def base_url(app: Flask) -> Iterator[str]:
    """The URL of the running service."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=SilentHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


class SilentHandler(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """Print nothing."""


class CodeBlocks(HTMLParser):
    """The texts of the requests on a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "pre" and ("class", "request") in attrs:
            self._inside = True
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "pre"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[-1] += data


def run(*command: str) -> str:
    """Return the output of a program, which must be installed."""
    assert shutil.which(command[0]), f"{command[0]} is needed to run what the page shows"
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_shell(code: str) -> str:
    return run("bash", "-c", f"{code} --silent")


def run_python(code: str) -> Any:
    return ast.literal_eval(run(sys.executable, "-c", code))


def run_javascript(code: str) -> Any:
    return json.loads(run("node", "--input-type=module", "--eval", code))


RUNNERS: list[Callable[[str], Any]] = [
    lambda code: json.loads(run_shell(code)),
    run_python,  # with requests
    run_python,
    run_javascript,
]


def test_each_request_of_the_page_gets_the_prediction(
    app: Flask, base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", KEY)
    bearer = {"Authorization": f"Bearer {KEY}"}
    blocks = CodeBlocks(
        run_shell(f'curl {base_url}/docs -H "Authorization: Bearer $API_KEY"')
    ).texts
    assert len(blocks) == 9
    document = app.test_client().get("/openapi.json", headers=bearer).get_json()
    operation = document["paths"]["/predict"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    for name, shown in (("row", blocks[:4]), ("rows", blocks[4:8])):
        request = {"json": examples[name]["value"], "headers": bearer}
        expected = app.test_client().post("/predict", **request).get_json()
        answers = [runner(code) for runner, code in zip(RUNNERS, shown, strict=True)]
        assert answers == [expected] * 4
    table = list(csv.DictReader(io.StringIO(run_shell(blocks[8]), newline="")))
    predictions = [json.dumps(answer["prediction"]) for answer in expected["predictions"]]
    assert [row["prediction"] for row in table] == predictions
