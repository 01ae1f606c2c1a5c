"""The commands of the project: `python -m workbench COMMAND`, where there is no make too."""

from __future__ import annotations

import sys

# Before anything is imported that an older Python cannot read.
if sys.version_info < (3, 10):  # noqa: UP036
    sys.exit("The workbench needs Python 3.10 or later; try make PYTHON=python3.12 …")

import argparse
import os
from pathlib import Path

from workbench import key, smoke
from workbench.adopt import retrain
from workbench.doctor import doctor
from workbench.errors import UserError, bullets
from workbench.lock import lock
from workbench.verify import verify

# The exit status of a verification that could not be tried, as opposed to one that failed.
UNAVAILABLE = 3


def main(arguments: list[str] | None = None) -> int:
    """Run one command; print what is wrong and return an exit status."""
    options = _parser().parse_args(arguments)
    project = Path(__file__).resolve().parent.parent
    try:
        if options.command == "doctor":
            report = doctor.examine(project)
            print(report.to_json() if options.json else doctor.show(report))
            return int(report.failed)
        print(_run(options, project))
    except verify.CannotVerify as error:
        print(f"Not verified:\n{bullets(error.problems)}", file=sys.stderr)
        return UNAVAILABLE
    except UserError as error:
        print(f"make {options.command}:\n{bullets(error.problems)}", file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace, project: Path) -> str:
    if options.command == "setup":
        verify.setup(project)
        return ".venv is made from the requirements files."
    if options.command == "lock":
        lock.lock(project)
        return "requirements.txt and requirements-test.txt are locked with hashes."
    if options.command == "verify":
        return verify.verify(project)
    if options.command == "smoke":
        return smoke.smoke(project, options.url, os.environ.get("API_KEY"))
    if options.command == "key":
        return key.new_key()
    if options.command == "rollback":
        return retrain.rollback(project)
    if options.command == "curl":
        address = f"http://localhost:{os.environ.get('PORT') or 8000}"
        return smoke.curl(project, address, key=bool(os.environ.get("API_KEYS")))
    return retrain.adopt(project, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workbench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("setup", help="make .venv from both requirements files")
    commands.add_parser("lock", help="lock both requirements files with hashes")
    commands.add_parser("verify", help="prove the model in a clean environment, run the tests")
    commands.add_parser("curl", help="print a curl line with a real row")
    asked = commands.add_parser("smoke", help="compare a deployed service with the goldens")
    asked.add_argument("url", help="address of the service")
    examined = commands.add_parser("doctor", help="what the platform would say after the push")
    examined.add_argument("--json", action="store_true", help="print it as JSON")
    commands.add_parser("key", help="a new API key, and the line that sets its hash")
    commands.add_parser("rollback", help="back to the model before")
    adopt = commands.add_parser("adopt", help="take another model file in")
    adopt.add_argument("--model", required=True, help="path of the model file")
    adopt.add_argument("--features", default="", help="file or names; else model/features.json")
    adopt.add_argument("--sample", default="", help="CSV of typical rows")
    adopt.add_argument("--transformers", default="", help="fitted files to apply before the model")
    adopt.add_argument("--code", default="", help=".py file that the model refers to")
    adopt.add_argument("--trust", default="", help="names that you vouch for")
    adopt.add_argument("--accept", default="", help="breaking: accept what breaks callers")
    return parser


if __name__ == "__main__":
    sys.exit(main())
