"""The servers of the comparison: requirements, command, request and response of each."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.environments import Workshop, clean_environment

PEERS_FOLDER = Path(__file__).resolve().parent / "peers"
BOOT_SECONDS, STOP_SECONDS, ANSWER_SECONDS = 120, 10, 30
PAUSE = 0.02

Row = Mapping[str, Any]


class ServerError(RuntimeError):
    """A server does not start, or gives a wrong answer."""


@dataclass(frozen=True)
class Server:
    """A way to serve a model. The words of the command can contain {port} and {peers}."""

    title: str
    command: tuple[str, ...]
    # None: it runs in the rendered project, in the project's environment.
    requirements: tuple[str, ...] | None = ()
    path: str = "/predict"
    body: Callable[[Row], Any] = lambda row: row
    # Returns the probabilities in an answer, in the order of the classes.
    probabilities: Callable[[Any], Sequence[float]] | None = lambda answer: answer["probabilities"]
    # Returns the class in an answer, for servers that give no probabilities.
    prediction: Callable[[Any], Any] | None = None


def mlflow_body(row: Row) -> Any:
    """Return the request body of MLflow's scoring server."""
    return {"inputs": [row["text"]]} if "text" in row else {"dataframe_records": [row]}


def open_inference_body(row: Row) -> Any:
    """Return the request body of the Open Inference Protocol, with one tensor for each column."""
    content = "str" if "text" in row else "pd"
    return {
        "id": "1",
        "parameters": {"content_type": content},
        "inputs": [_tensor(name, value) for name, value in row.items()],
        "outputs": [{"name": "predict_proba"}],
    }


def _tensor(name: str, value: Any) -> Any:
    is_text = isinstance(value, str)
    datatype = "BYTES" if is_text else "FP64"
    tensor = {"name": name, "shape": [1, 1], "datatype": datatype, "data": [value]}
    return {**tensor, "parameters": {"content_type": "str"}} if is_text else tensor


def probabilities_by_class(answer: Any) -> list[float]:
    """Return the probabilities of an answer that has them by class name."""
    by_class: dict[str, float] = answer["probabilities"]
    return [by_class[name] for name in sorted(by_class)]


OURS, ECHO = "ours", "echo"
GUNICORN = (".venv/bin/python", "-m", "gunicorn", "--config")
SERVERS: dict[str, Server] = {
    OURS: Server(
        "this template",
        (*GUNICORN, "gunicorn.conf.py"),
        requirements=None,
        probabilities=probabilities_by_class,
    ),
    ECHO: Server(
        "Flask echo (the limit)",
        (*GUNICORN, "{peers}/echo.conf.py", "--pythonpath", "{peers}", "serve_echo:app"),
        requirements=None,
        probabilities=None,
    ),
    "fastapi": Server(
        "FastAPI",
        ("uvicorn", "serve_fastapi:app", "--port", "{port}"),
        ("fastapi==0.165.0", "uvicorn[standard]==0.54.0"),
    ),
    "bentoml": Server(
        "BentoML",
        ("bentoml", "serve", "serve_bentoml:Served", "--port", "{port}"),
        ("bentoml==1.4.40",),
        body=lambda row: {"rows": [row]},
        probabilities=lambda answer: answer[0],
    ),
    "mlserver": Server(
        "MLServer",
        ("python", "serve_mlserver.py"),
        # Its worker crashes at the start with newer versions of uvloop.
        ("mlserver==1.7.1", "mlserver-sklearn==1.7.1", "uvloop==0.21.0"),
        path="/v2/models/model/infer",
        body=open_inference_body,
        probabilities=lambda answer: answer["outputs"][0]["data"],
    ),
    "flask": Server(
        "Flask tutorial",
        ("gunicorn", "serve_flask:app", "--bind", "127.0.0.1:{port}"),
        ("flask==3.1.3", "gunicorn==27.0.1"),
    ),
    "litserve": Server("LitServe", ("python", "serve_litserve.py"), ("litserve==0.2.19",)),
    "mlflow": Server(
        "MLflow",
        ("python", "serve_mlflow.py"),
        ("mlflow==3.17.2",),
        path="/invocations",
        body=mlflow_body,
        probabilities=lambda answer: answer["predictions"][0],
    ),
    "vetiver": Server(
        "vetiver",
        ("uvicorn", "serve_vetiver:app", "--port", "{port}"),
        ("vetiver==0.2.6",),
        body=lambda row: [row["text"]] if "text" in row else [row],
        probabilities=None,
        prediction=lambda answer: answer["predict"][0],
    ),
}
DEFAULT_PEERS = ("fastapi", "bentoml", "mlserver")
ALL_PEERS = tuple(name for name in SERVERS if name not in (OURS, ECHO))


@dataclass(frozen=True)
class BenchmarkRows:
    """Rows for a model, and the probabilities that the model itself predicts for them."""

    rows: Sequence[Row]
    probabilities: Sequence[Sequence[float]]

    @classmethod
    def read(cls, folder: Path) -> BenchmarkRows:
        """Read the rows and probabilities that train.py wrote."""
        rows, answers = (
            json.loads((folder / name).read_text(encoding="utf-8"))
            for name in ("rows.json", "answers.json")
        )
        return cls(rows, answers)


def is_right(server: Server, sent: Any, answer: Any, probabilities: Sequence[float]) -> bool:
    """Return whether a server's answer to the body `sent` has the model's probabilities."""
    if server.prediction is not None:
        most_probable = max(range(len(probabilities)), key=probabilities.__getitem__)
        return bool(server.prediction(answer) == most_probable)
    if server.probabilities is None:
        return bool(answer == sent)
    found = server.probabilities(answer)
    pairs = zip(found, probabilities, strict=True)
    return all(abs(one - other) < 1e-9 for one, other in pairs)


@dataclass(frozen=True)
class Running:
    """A server process on this machine; `started` is a time of the monotonic clock."""

    server: Server
    process: subprocess.Popen[bytes]
    port: int
    started: float
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.server.path}"

    def ask(self, row: Row) -> tuple[str, str]:
        """Send a row; return the request body and the answer. Raises ServerError and OSError."""
        body = json.dumps(self.server.body(row))
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        try:
            header = {"Content-Type": "application/json"}
            connection.request("POST", self.server.path, body, header)
            response = connection.getresponse()
            text = response.read().decode().strip()
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise ServerError(f"{self.server.title} answers {response.status}: {text[:500]}")
        return body, text

    def until_ready(self, row: Row) -> float:
        """Return the seconds from exec to the first answer. Raises ServerError."""
        while (spent := time.monotonic() - self.started) < BOOT_SECONDS:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError, http.client.HTTPException, ServerError):
                self.ask(row)
                return time.monotonic() - self.started
            time.sleep(PAUSE)
        raise ServerError(f"{self.server.title} is not ready after {spent:.0f} s; see {self.log}")

    def check_answers(self, rows: BenchmarkRows) -> list[tuple[str, str]]:
        """Send each row; return bodies and answers. Raises ServerError if an answer is wrong."""
        exchanges = []
        for row, probabilities in zip(rows.rows, rows.probabilities, strict=True):
            body, text = self.ask(row)
            if not is_right(self.server, json.loads(body), json.loads(text), probabilities):
                raise ServerError(f"{self.server.title} answers {text}, not {probabilities}")
            exchanges.append((body, text))
        return exchanges

    def memory(self) -> int:
        """Return the proportional set size of the server's processes, in bytes."""
        return sum(_proportional_set_size(pid) for pid in _process_tree(self.process.pid))

    def cpu(self) -> float:
        """Return the CPU time of the server's processes, in seconds."""
        return sum(_cpu_seconds(pid) for pid in _process_tree(self.process.pid))


@contextmanager
def running(
    name: str, model: str, workshop: Workshop, settings: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Serve a model with a server of SERVERS until the block ends."""
    server = SERVERS[name]
    port = free_port()
    words = [word.format(port=port, peers=PEERS_FOLDER) for word in server.command]
    variables = {**clean_environment(), "PORT": str(port), **(settings or {})}
    if server.requirements is None:
        folder = workshop.project(model)
        variables["WEB_CONCURRENCY"] = "1"
    else:
        folder = PEERS_FOLDER
        programs = workshop.environment(name, server.requirements) / "bin"
        variables["PATH"] = f"{programs}:{variables['PATH']}"
        variables["MODEL"] = str(workshop.models() / model / "model.joblib")
        words[0] = str(programs / words[0])
    log = workshop.folder / "logs" / f"{model}-{name}.log"
    with started(server, words, port, folder, variables, log) as process:
        yield process


@contextmanager
def started(
    server: Server,
    words: Sequence[str],
    port: int,
    folder: Path,
    variables: Mapping[str, str],
    log: Path,
) -> Iterator[Running]:
    """Run a server's command in a folder until the block ends."""
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as output:
        start_time = time.monotonic()
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Running(server, process, port, start_time, log)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a process and its children, which can outlive it."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """Return the first of three free ports, below the range of outgoing connections."""
    while True:
        port = random.randrange(18_000, 32_000)
        with ExitStack() as probes, contextlib.suppress(OSError):
            for number in (port, port + 1, port + 2):
                probes.enter_context(socket.socket()).bind(("127.0.0.1", number))
            return port


def _process_tree(pid: int) -> Iterator[int]:
    yield pid
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _read_proc(listed).split():
            yield from _process_tree(int(child))


def _proportional_set_size(pid: int) -> int:
    match = re.search(r"^Pss: +(\d+) kB$", _read_proc(Path(f"/proc/{pid}/smaps_rollup")), re.M)
    return 1024 * int(match[1]) if match else 0


def _read_proc(file: Path) -> str:
    """Return the text of a file in /proc, or "" if the process has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return file.read_text(encoding="ascii")
    return ""


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
