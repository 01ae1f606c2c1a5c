"""The documentation holds: links, code blocks, commands, config vars, files and messages exist.

The commands themselves are run in test_documentation_commands.py.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.pictures import MAX_BYTES, PICTURES, picture_path
from conftest import ROOT, TEMPLATE, git
from markdown_pages import DOCS, PROJECT_README, Page, documentation, read_page
from source_messages import Messages
from werkzeug.exceptions import default_exceptions

from model_service.web.settings import Settings
from workbench.__main__ import COMMANDS

PAGES = documentation()
every_page = pytest.mark.parametrize("name", PAGES)
TROUBLESHOOTING = "docs/how-to/troubleshooting.md"
COMMANDS_PAGE = "docs/reference/commands.md"
CONTRIBUTING_PAGE = "docs/explanation/contributing.md"
CONFIG_VARS = "docs/reference/config-vars.md"
FILES_PAGE = "docs/reference/files.md"


# Links and code blocks


@every_page
def test_links_lead_to_files_and_headings(name: str) -> None:
    for target in PAGES[name].links:
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        path = Path(os.path.normpath(Path(name).parent / file)) if file else Path(name)
        assert (ROOT / path).is_file(), target
        # The pages in docs/ are packed into the tools' wheel, without the rest of the repository.
        assert not name.startswith("docs/") or path.parts[0] == "docs", target
        if anchor:
            linked = PAGES.get(path.as_posix()) or read_page(path.as_posix())
            assert anchor in linked.anchors, target


@every_page
def test_code_blocks_parse(name: str) -> None:
    for block in PAGES[name].blocks:
        if block.language == "json":
            json.loads(block.text)
        elif block.language == "python":
            compile(block.text, f"{name}:{block.line}", "exec")
        else:
            assert block.language in ("console", "text"), f"{name}:{block.line}"


def test_every_page_is_in_the_index() -> None:
    index = PAGES["docs/README.md"]
    linked = {f"docs/{target.partition('#')[0]}" for target in index.links}
    assert {name for name in DOCS if name != "docs/README.md"} <= linked


@pytest.mark.parametrize(("name", "lines"), [("README.md", 150), (PROJECT_README, 120)])
def test_readmes_are_short(name: str, lines: int) -> None:
    assert len(PAGES[name].text.splitlines()) <= lines


def test_the_pictures_are_those_that_make_screenshots_takes() -> None:
    shown = {
        os.path.normpath(Path(name).parent / target)
        for name, page in PAGES.items()
        for target in page.links
        if target.endswith(".png")
    }
    assert shown == {str(picture_path(name).relative_to(ROOT)) for name in PICTURES}
    for name in PICTURES:
        content = picture_path(name).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) < MAX_BYTES


# Commands and options


def targets(makefile: Path) -> frozenset[str]:
    phony = re.search(r"^\.PHONY:((?:.*\\\n)*.*)", makefile.read_text(encoding="utf-8"), re.M)
    assert phony
    return frozenset(phony[1].replace("\\\n", " ").split())


TEMPLATE_TARGETS = targets(ROOT / "Makefile")
PROJECT_TARGETS = targets(TEMPLATE / "Makefile")
TEMPLATE_OPTIONS = frozenset(
    re.findall(r"\$\((?:or \$\()?([A-Z]+)\)", (ROOT / "Makefile").read_text(encoding="utf-8"))
)
CALL = re.compile(
    r"(?:\bmake|manage\.py) (?P<target>[a-z][a-z-]*)"
    r"(?P<options>(?: [A-Z][A-Z0-9_]*=(?:\"[^\"]*\"|\S*))*)"
)
OPTION = re.compile(r" ([A-Z][A-Z0-9_]*)=")


def test_manage_py_has_the_commands_that_make_has() -> None:
    assert {*COMMANDS, "help"} == PROJECT_TARGETS


def test_each_target_of_the_template_is_described() -> None:
    called = {
        call["target"] for code in PAGES[CONTRIBUTING_PAGE].code for call in CALL.finditer(code)
    }
    assert called >= TEMPLATE_TARGETS - {"help", "machine", "browser"}  # what others call


@every_page
def test_commands_and_their_options_exist(name: str) -> None:
    for code in PAGES[name].code:
        for call in CALL.finditer(code):
            target, options = call["target"], set(OPTION.findall(call["options"]))
            assert target in PROJECT_TARGETS | TEMPLATE_TARGETS, code
            if target in COMMANDS:
                assert options <= {*COMMANDS[target].options, "PYTHON"}, code
            else:
                assert options <= TEMPLATE_OPTIONS, code


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_described_with_all_of_its_options(command: str) -> None:
    section = PAGES[COMMANDS_PAGE].section(f"make {command}")
    code = " ".join([*section.spans, *(block.text for block in section.blocks)])
    assert set(COMMANDS[command].options) <= {*re.findall(r"\b([A-Z][A-Z0-9_]*)=?", code)}


def test_no_command_is_described_that_there_is_not() -> None:
    described = {section.title for section in PAGES[COMMANDS_PAGE].sections if section.level == 2}
    assert described == {f"make {command}" for command in COMMANDS}


# Questions, config vars and files


def test_the_questions_are_those_that_cookiecutter_asks() -> None:
    document = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    prompts = document["__prompts__"]
    for name in ("README.md", "docs/reference/questions.md"):
        cells = " ".join(row[0] for row in PAGES[name].table("question").rows)
        assert re.findall(r"`(\w+)`", cells) == list(prompts)


def test_the_prompts_of_the_readme_are_cookiecutters() -> None:
    document = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    prompts = list(document["__prompts__"].values())
    shown = re.findall(r"^  \[(\d+)/(\d+)\] (.*?) (?:\(|\[y/n\])", PAGES["README.md"].text, re.M)
    assert shown
    assert [(number, len(prompts), text) for number, _, text in shown] == [
        (number, int(of), prompts[int(number) - 1]) for number, of, _ in shown
    ]


class Environment(dict[str, str]):
    """An empty environment that remembers which variables it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return default


def settings() -> set[str]:
    """Return the names of the config vars that the service reads."""
    asked = Environment()
    Settings.from_environment(asked)
    return asked.asked


def names_in(cell: str) -> set[str]:
    return set(re.findall(r"`([A-Z_]+)`", cell))


def test_the_config_vars_of_the_service_are_listed_with_their_defaults() -> None:
    (table,) = PAGES[CONFIG_VARS].section("Config vars").tables
    assert set.union(*(names_in(row[0]) for row in table.rows)) == settings()
    for cell, default, _ in table.rows:
        if default.isdecimal():
            assert int(default) == getattr(Settings(), cell.strip("`").lower()), cell


def test_the_config_vars_of_gunicorn_are_read_in_its_settings() -> None:
    sources = (TEMPLATE / "gunicorn.conf.py", ROOT / "src/model_service/server/gunicorn.py")
    code = "".join(path.read_text(encoding="utf-8") for path in sources)
    (table,) = PAGES[CONFIG_VARS].section("Settings of gunicorn").tables
    assert all(f'"{name}"' in code for row in table.rows for name in names_in(row[0]))


def test_the_config_vars_of_commands_are_their_options() -> None:
    (table,) = PAGES[CONFIG_VARS].section("Settings of commands").tables
    for cell, commands, _ in table.rows:
        for command in re.findall(r"make (\w+)", commands):
            assert names_in(cell) <= set(COMMANDS[command].options)


@every_page
def test_variables_that_are_named_exist(name: str) -> None:
    tables = [table for section in PAGES[CONFIG_VARS].sections for table in section.tables]
    listed = {n for table in tables for row in table.rows for n in names_in(row[0])}
    options = {option for command in COMMANDS.values() for option in command.options}
    spans = [span for section in PAGES[name].sections for span in section.spans]
    named = {m[1] for s in spans if (m := re.fullmatch(r"\$?([A-Z]+(?:_[A-Z]+)+)(?:=\S*)?", s))}
    workflow = (TEMPLATE / ".github" / "workflows" / "test.yml").read_text()
    of_the_repository = set(re.findall(r"\bvars\.([A-Z_]+)", workflow))
    assert named <= settings() | listed | options | of_the_repository


def test_every_file_of_a_project_is_described(loan: Path) -> None:
    cells = " ".join(row[0] for row in PAGES[FILES_PAGE].table("file").rows)
    described = re.findall(r"`([^`]+)`", cells)
    for file in git(loan, "ls-files").splitlines():
        parents = {f"{parent.as_posix()}/" for parent in Path(file).parents}
        pattern = file.replace("model.joblib", "model.<suffix>")
        assert {pattern, *parents} & set(described), file


def test_every_member_of_the_manifest_is_described(loan: Path) -> None:
    manifest = json.loads((loan / "model" / "manifest.json").read_text(encoding="utf-8"))
    (table,) = PAGES[FILES_PAGE].section("model/manifest.json").tables
    described = {name for row in table.rows for name in re.findall(r"`(\w+)`", row[0])}
    assert described == set(manifest)


# Messages

SOURCES = (
    *(ROOT / "src").rglob("*.py"),
    *(ROOT / "hooks").glob("*.py"),
    TEMPLATE / "manage.py",
)
MESSAGES = Messages(SOURCES)
# Tables whose first column quotes our messages; a program in brackets is one that says it itself.
HEADS = ("message", "finding", "title and detail")
FOREIGN = re.compile(r"\((?:pip|Python|gunicorn|cookiecutter)\)")
# workbench.lock.environment.run says so of any command that it runs, by its name.
RUN = re.compile(r" failed \(exit status \d+\)")
EXCEPTIONS = {"432 of 512 MB (2 workers in basic)"}  # figures and single words only
# What werkzeug calls an error to which we give no title of our own.
WERKZEUG = {error().name for error in default_exceptions.values()}


def quoted_in_tables(found: Page) -> Iterator[str]:
    for table in (table for section in found.sections for table in section.tables):
        if table.heads[0] in HEADS:
            cells = (row[0] for row in table.rows if not FOREIGN.search(row[0]))
            yield from (text for cell in cells for text in re.findall(r"`([^`]+)`", cell))


def quoted_in_prose(found: Page, chapter: str) -> Iterator[str]:
    """Yield what reads like a sentence in the code spans of a chapter."""
    inside = False
    for section in found.sections:
        inside = section.title == chapter if section.level <= 2 else inside
        if inside:
            yield from (span for span in section.spans if re.match(r"[A-Z]\w+( \S+){2,}", span))


def test_messages_of_the_documentation_are_those_of_the_source() -> None:
    troubleshooting, http_api = PAGES[TROUBLESHOOTING], PAGES["docs/reference/http-api.md"]
    quoted = [
        *quoted_in_tables(troubleshooting),
        *quoted_in_prose(troubleshooting, "HTTP errors of the service"),
        *quoted_in_prose(troubleshooting, "Wrong or surprising predictions"),
        *quoted_in_tables(PAGES["docs/reference/features-json.md"]),
        *(t for row in http_api.table("status").rows for t in re.findall(r"`([^`]+)`", row[1])),
    ]
    assert len(quoted) > 200
    ours = dict.fromkeys(text for text in quoted if text not in EXCEPTIONS | WERKZEUG)
    missing = {message: MESSAGES.missing(RUN.sub("…", message)) for message in ours}
    stale = {message: pieces for message, pieces in missing.items() if pieces}
    assert stale == {}
