"""The servers that are compared: what each needs, how it is started, and what it is asked."""

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

from benchmarks.environments import Workshop, clean

PEERS_FOLDER = Path(__file__).resolve().parent / "peers"
BOOT_SECONDS, STOP_SECONDS, ANSWER_SECONDS = 120, 10, 30
PAUSE = 0.02

Row = Mapping[str, Any]


class ServerError(RuntimeError):
    """A server does not start, or does not answer as it should."""


@dataclass(frozen=True)
class Server:
    """A way to serve a model. The command's words may hold {port} and {peers}."""

    title: str
    command: tuple[str, ...]
    # None: in the rendered project, with what is installed there.
    requirements: tuple[str, ...] | None = ()
    path: str = "/predict"
    body: Callable[[Row], Any] = lambda row: row
    # Of the answer: the probabilities of the classes, in their order.
    probabilities: Callable[[Any], Sequence[float]] | None = lambda answer: answer["probabilities"]
    # Of the answer, where it has no probabilities: the class.
    prediction: Callable[[Any], Any] | None = None


def rows_in_table(row: Row) -> Any:
    """Return MLflow's body."""
    return {"inputs": [row["text"]]} if "text" in row else {"dataframe_records": [row]}


def tensors(row: Row) -> Any:
    """Return the body of the Open Inference Protocol, a column a tensor."""
    content = "str" if "text" in row else "pd"
    return {
        "id": "1",
        "parameters": {"content_type": content},
        "inputs": [_tensor(name, value) for name, value in row.items()],
        "outputs": [{"name": "predict_proba"}],
    }


def _tensor(name: str, value: Any) -> Any:
    number = not isinstance(value, str)
    about = {} if number else {"parameters": {"content_type": "str"}}
    kind = "FP64" if number else "BYTES"
    return {"name": name, "shape": [1, 1], "datatype": kind, "data": [value], **about}


def by_class(answer: Any) -> list[float]:
    """Return the probabilities of an answer that names the classes."""
    named: dict[str, float] = answer["probabilities"]
    return [named[name] for name in sorted(named)]


OURS, ECHO = "ours", "echo"
GUNICORN = (".venv/bin/python", "-m", "gunicorn", "--config")
SERVERS: dict[str, Server] = {
    OURS: Server(
        "this template",
        (*GUNICORN, "gunicorn.conf.py"),
        requirements=None,
        probabilities=by_class,
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
        # Its worker ends at once with the uvloop that came after it.
        ("mlserver==1.7.1", "mlserver-sklearn==1.7.1", "uvloop==0.21.0"),
        path="/v2/models/model/infer",
        body=tensors,
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
        body=rows_in_table,
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
class Asked:
    """The rows of a model, and the probabilities that the model itself gives them."""

    rows: Sequence[Row]
    probabilities: Sequence[Sequence[float]]

    @classmethod
    def read(cls, folder: Path) -> Asked:
        """Read what the training wrote."""
        rows, answers = (
            json.loads((folder / name).read_text(encoding="utf-8"))
            for name in ("rows.json", "answers.json")
        )
        return cls(rows, answers)


def is_right(server: Server, sent: Any, answer: Any, probabilities: Sequence[float]) -> bool:
    """Tell whether a server's answer is the model's."""
    if server.prediction is not None:
        likeliest = max(range(len(probabilities)), key=probabilities.__getitem__)
        return bool(server.prediction(answer) == likeliest)
    if server.probabilities is None:
        return bool(answer == sent)
    found = server.probabilities(answer)
    pairs = zip(found, probabilities, strict=True)
    return all(abs(one - other) < 1e-9 for one, other in pairs)


@dataclass(frozen=True)
class Running:
    """A server that runs on this machine."""

    server: Server
    process: subprocess.Popen[bytes]
    port: int
    started: float
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.server.path}"

    def ask(self, row: Row) -> tuple[str, str]:
        """Return the body that is sent for a row, and the answer. Raises ServerError, OSError."""
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

    def answers(self, asked: Asked) -> list[tuple[str, str]]:
        """Return body and answer for each row. Raises ServerError where one is wrong."""
        found = []
        for row, probabilities in zip(asked.rows, asked.probabilities, strict=True):
            body, text = self.ask(row)
            if not is_right(self.server, json.loads(body), json.loads(text), probabilities):
                raise ServerError(f"{self.server.title} answers {text}, not {probabilities}")
            found.append((body, text))
        return found

    def memory(self) -> int:
        """Return the bytes that the server's processes hold: of shared pages, their share."""
        return sum(_proportional(pid) for pid in _family(self.process.pid))

    def cpu(self) -> float:
        """Return the seconds that the server's processes have computed."""
        return sum(_computed(pid) for pid in _family(self.process.pid))


@contextmanager
def running(
    name: str, model: str, workshop: Workshop, settings: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Start a server of a model, and end it."""
    server = SERVERS[name]
    port = free_port()
    words = [word.format(port=port, peers=PEERS_FOLDER) for word in server.command]
    variables = {**clean(), "PORT": str(port), **(settings or {})}
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
    with started(server, words, port, folder, variables, log) as up:
        yield up


@contextmanager
def started(
    server: Server,
    words: Sequence[str],
    port: int,
    folder: Path,
    variables: Mapping[str, str],
    log: Path,
) -> Iterator[Running]:
    """Start a command in a folder, and end it."""
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as output:
        began = time.monotonic()
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
        yield Running(server, process, port, began, log)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started, which may outlive it."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """Return a port with two free ones behind it, below those of outgoing connections."""
    while True:
        port = random.randrange(18_000, 32_000)
        with ExitStack() as probes, contextlib.suppress(OSError):
            for number in (port, port + 1, port + 2):
                probes.enter_context(socket.socket()).bind(("127.0.0.1", number))
            return port


def _family(pid: int) -> Iterator[int]:
    yield pid
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _told(listed).split():
            yield from _family(int(child))


def _proportional(pid: int) -> int:
    found = re.search(r"^Pss: +(\d+) kB$", _told(Path(f"/proc/{pid}/smaps_rollup")), re.M)
    return 1024 * int(found[1]) if found else 0


def _told(file: Path) -> str:
    """Return what the system tells of a process: nothing where it has just ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return file.read_text(encoding="ascii")
    return ""


def _computed(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
