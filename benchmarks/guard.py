"""Measure what the guard around the model costs a request: `make bench-guard`.

    python -m benchmarks.guard PROJECT [--rounds 9] [--requests 2000]

PROJECT is rendered and verified. One row is predicted through WSGI, with and without the guard, in
processes of their own that take turns. Prints CPU microseconds and their ratio.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path

CHILD = """
import contextlib, io, json, logging, sys, time
from model_service.model import guard
if sys.argv[1] == "without":
    guard.Guard = lambda *_: contextlib.nullcontext()
from app import app

logging.disable()
body = json.dumps(app.service.model.golden.rows[0]).encode()
environ = {
    "REQUEST_METHOD": "POST", "PATH_INFO": "/predict", "SCRIPT_NAME": "", "QUERY_STRING": "",
    "HTTP_HOST": "x", "SERVER_NAME": "x", "CONTENT_TYPE": "application/json",
    "CONTENT_LENGTH": str(len(body)),
    "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
    "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.errors": io.StringIO(),
    "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
}

def ask():
    answers = []
    request = {**environ, "wsgi.input": io.BytesIO(body)}
    app.answers_inline(request, body)  # as the worker does
    parts = app(request, lambda s, h, e=None: answers.append(s))
    b"".join(parts)
    assert answers[0].startswith("200"), answers

for _ in range(300):
    ask()
start = time.process_time()
for _ in range(int(sys.argv[2])):
    ask()
print((time.process_time() - start) / int(sys.argv[2]) * 1e6)
"""


def microseconds(project: Path, how: str, requests: int) -> float:
    """Return the CPU time of a request in a new process."""
    python = project / ".venv" / "bin" / "python"
    command = [str(python.absolute()), "-c", CHILD, how, str(requests)]
    return float(subprocess.check_output(command, cwd=project, text=True).splitlines()[-1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the cost of the guard."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=2000)
    options = parser.parse_args(arguments)
    pairs = [
        tuple(microseconds(options.project, how, options.requests) for how in ("with", "without"))
        for _ in range(options.rounds)
    ]
    for number, (guarded, free) in enumerate(pairs, 1):
        print(f"round {number}: {guarded:.0f} µs with, {free:.0f} µs without, {guarded / free:.3f}")
    print(f"median ratio {statistics.median(g / f for g, f in pairs):.3f}")


if __name__ == "__main__":
    main()
