"""Every command in a console block of the documentation runs, and prints what the page shows."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import EXAMPLE, ROOT, Bake, environment, git
from markdown_pages import PROJECT_README, Block, Page, Section, documentation

PAGES = documentation()
TUTORIAL = "docs/tutorial/from-a-pickled-model-to-a-url.md"
# In this order, in one project; each page begins with the project as it was committed.
IN_A_PROJECT = (
    PROJECT_README,
    "docs/reference/commands.md",
    "docs/how-to/make-it-yours.md",
    "docs/how-to/deploy-to-heroku.md",
    "docs/how-to/other-platforms.md",
    "docs/how-to/operate.md",
    "docs/how-to/score-files.md",
    "docs/how-to/plan-capacity.md",
    "docs/how-to/upgrade-and-eject.md",
    "docs/how-to/retrain.md",
)
ELSEWHERE = {
    "README.md": "CI runs `make test`; test_the_tutorial runs what `make demo` does",
    TUTORIAL: "test_the_tutorial",
    "docs/how-to/move-an-old-project.md": "test_move_an_old_project.py",
}
# Run in full by other tests, and only held against the Makefile here.
MATCHED = {"make test": "test_selftest.py"}
# What takes long and depends on the project alone: once is enough.
ONCE = {"make doctor"}
# It exits with an error if a busy machine is too slow for what it measures.
MAY_FAIL = {"make doctor"}
MEASURED = {"boot", "memory", "prediction"}
SERVES = {"make run"}
# Lines of a page's output that this project does not print.
OTHER_OUTPUT = {
    "Adopted Pipeline (ColumnTransformer, LogisticRegression) from new.joblib:": "an absolute path",
    "  - the model file alone": "the same model, saved with compression, has another size",
}
COMMANDS_PAGE = "docs/reference/commands.md"
FILES_PAGE = "docs/reference/files.md"
slow = pytest.mark.slow
in_the_verified_group = pytest.mark.xdist_group("verified")


def test_every_page_with_commands_is_run() -> None:
    with_commands = {name for name, page in PAGES.items() if any(consoles(page))}
    assert with_commands == {*IN_A_PROJECT, *ELSEWHERE}


def consoles(page: Page) -> Iterator[tuple[Section, Block]]:
    for section in page.sections:
        yield from ((section, block) for block in section.blocks if block.language == "console")


class Terminal:
    """A shell in a folder, in which `cd` lasts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, command: str) -> str:
        """Run a command that must succeed and return what it printed."""
        if command.startswith("cd "):
            self.folder = self.folder / command.removeprefix("cd ")
            assert self.folder.is_dir()
            return ""
        result = subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0 or command in MAY_FAIL, (
            f"{command}\n{result.stdout}{result.stderr}"
        )
        return result.stdout


@contextmanager
def serving(project: Path, command: str = "make run") -> Iterator[str]:
    """Serve a project by its own command until the block ends; yield the address."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        ["sh", "-c", command],
        cwd=project,
        env=environment(PORT=str(port)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        address = f"http://localhost:{port}"
        wait_until_ready(address, server)
        yield address
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=60)


def wait_until_ready(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and server.poll() is None:
        try:
            get(f"{address}/ready")
            return
        except OSError:  # not listening, not answering in time, or not ready yet
            time.sleep(0.2)
    pytest.fail("the service is not ready")


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as response:
        content: bytes = response.read()
    return content


def missing_lines(shown: str, printed: str) -> list[str]:
    """Return the parts of a page's output that were not printed; figures may differ."""
    lines = (line for line in shown.splitlines() if line not in OTHER_OUTPUT)
    parts = [part for line in lines for part in line.split("…")]
    output = without_figures(printed)
    return [part for part in parts if without_figures(part) not in output]


def without_figures(text: str) -> str:
    """Replace keys, hashes and figures, and take white space together."""
    text = re.sub(r"\b(?:[\w-]{43}|[0-9a-f]{64}|[0-9a-f]{10})\b", "0", text)
    return " ".join(re.sub(r"\d[\d.,]*", "0", text).split())


def output_of(section: Section, block: Block) -> str:
    """Return what the page shows as the output of a console block, in the block below it."""
    below = (b for b in section.blocks if b.language == "text" and block.is_followed_by(b))
    return next((b.text for b in below), "")


@pytest.fixture
def project(verified: Bake, tmp_path: Path) -> Path:
    copy = tmp_path / verified.project.name
    shutil.copytree(verified.project, copy, symlinks=True)
    return copy


@slow
@in_the_verified_group
def test_commands_in_a_project(project: Path) -> None:
    terminal, base = Terminal(project), git(project, "rev-parse", "HEAD").strip()
    done: set[str] = set()
    for name in IN_A_PROJECT:
        git(project, "reset", "--quiet", "--hard", base)
        title = ""
        for section, block in consoles(PAGES[name]):
            if section.title != title:
                # A section begins with what was committed, and without files that are not in git.
                git(project, "reset", "--quiet", "--hard")
                git(project, "clean", "--quiet", "-d", "--force")
                title = section.title
                if "new.joblib" in block.text:
                    save_again(project, "new.joblib")
                if "loans.csv" in block.text:
                    shutil.copyfile(EXAMPLE / "sample.csv", project / "loans.csv")
            printed = ""
            for command in block.commands:
                if command in MATCHED or (command in ONCE and command in done):
                    continue
                done.add(command)
                if command in SERVES:
                    with serving(project, command) as address:
                        check_routes(project, address)
                elif command == "make doctor":
                    check_doctor(terminal.run(command))
                else:
                    printed += terminal.run(command)
            check_output(section, block, printed)


def save_again(project: Path, name: str) -> None:
    """Save the model with other bytes: a retrained one."""
    script = f"import joblib; joblib.dump(joblib.load('model/model.joblib'), {name!r}, compress=9)"
    subprocess.run([".venv/bin/python", "-c", script], cwd=project, env=environment(), check=True)


def check_output(section: Section, block: Block, printed: str) -> None:
    """Compare what a console block printed with the output that the page shows below it."""
    shown = output_of(section, block)
    if not printed:
        return
    if shown.startswith("{"):
        assert json.loads(printed) == json.loads(shown)
    else:
        missing = missing_lines(shown, printed)
        assert missing == [], f"{missing} of\n{printed}"


def check_doctor(printed: str) -> None:
    """Check that the doctor makes the checks that the reference describes, and what it found."""
    verdicts = verdicts_of(printed)
    assert list(verdicts) == described_checks()
    assert {check for check, verdict in verdicts.items() if verdict == "error"} <= MEASURED


def described_checks() -> list[str]:
    """Return the names of the checks in the reference."""
    return [row[0] for row in PAGES[COMMANDS_PAGE].table("check").rows]


def verdicts_of(table: str) -> dict[str, str]:
    """Return the verdicts in the doctor's table by the names of the checks."""
    head, *lines = table[table.index("verdict ") :].splitlines()
    start, end = head.index("check"), head.index("found")
    rows = (line for line in lines if re.match(r"ok|warning|error", line))
    return {row[start:end].strip(): row[:start].strip() for row in rows}


def check_routes(project: Path, address: str) -> None:
    """Ask a service for what the pages on the API and on files say of its routes."""
    routes = [row[0].strip("`") for row in PAGES["docs/reference/http-api.md"].table("route").rows]
    for route in routes:
        method, path = route.split()
        if method == "GET":
            get(f"{address}{path}")
    manifest = json.loads((project / "model" / "manifest.json").read_text(encoding="utf-8"))
    prose = " ".join(PAGES[FILES_PAGE].section("model/manifest.json").prose.split())
    but = re.search(r"`/metadata` shows all but (.*?)\.", prose)
    assert but
    shown = set(manifest) - set(re.findall(r"`(\w+)`", but[1]))
    assert set(json.loads(get(f"{address}/metadata"))) == shown


@slow
@in_the_verified_group
def test_the_readme_shows_what_rendering_prints(verified: Bake) -> None:
    session = PAGES["README.md"].sections[0].blocks[0].text
    printed = session[session.index("Installing") : session.index("  curl")]
    assert missing_lines(printed, verified.output) == []


@slow
@in_the_verified_group
def test_the_tutorial(verified: Bake, tmp_path: Path) -> None:
    chapters = {section.title.split(".")[0]: section for section in PAGES[TUTORIAL].sections}
    clone = tmp_path / "cookiecutter-model-service"
    # As `make demo` leaves it when it is called again.
    shutil.copytree(verified.project, clone / ".demo" / "loan-approval", symlinks=True)
    python = shlex.quote(sys.executable)
    replaced = {
        "make demo": f"{python} {ROOT}/tools/demo.py .demo",
        "make stop": f"{python} {ROOT}/tools/demo.py .demo --stop",
        "../cookiecutter-model-service/.venv/bin/cookiecutter ../cookiecutter-model-service": (
            f"{python} -m cookiecutter {ROOT}"
        ),
    }
    terminal = Terminal(clone)

    def type_in(section: Section, block: Block) -> None:
        printed = ""
        for command in block.commands:
            for typed, instead in replaced.items():
                command = command.replace(typed, instead)  # noqa: PLW2901  # several in turn
            if command == "make doctor":
                check_doctor(terminal.run(command))
            else:
                printed += terminal.run(command)
        if "make demo" in block.commands:
            printed = verified.output + printed  # what the rendering said
        check_output(section, block, printed)
        if address := re.search(r"Open (http://localhost:\d+) in", printed):
            replaced["http://localhost:8000"] = address[1]

    for chapter in "1234":
        section = chapters[chapter]
        for block in section.blocks:
            if block.language == "python":
                (terminal.folder / "train.py").write_text(block.text, encoding="utf-8")
            elif block.language == "console":
                type_in(section, block)
    contract = terminal.folder / "flat-prices" / "model" / "features.json"
    section = chapters["5"]
    for block in section.blocks:
        if block.language == "json":
            shown = json.loads(block.text)
            assert json.loads(contract.read_text(encoding="utf-8")) == shown
            shown["features"][2]["strict"] = True
            shown["output"] = {"name": "Price", "unit": "USD"}
            contract.write_text(json.dumps(shown), encoding="utf-8")
        elif block.language == "console":
            type_in(section, block)
    doctor, shown = chapters["6"].blocks  # `make doctor` is run in the other project
    assert doctor.commands == ("make doctor",)
    assert set(verdicts_of(shown.text)) <= set(described_checks())
