"""Adopt the model, verify it if the answer says so, commit, and print what is next."""

import json
import shutil
import sys
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
RAW = json.loads(r"""{{ _cookiecutter | default({}) | tojson }}""")

TEMPLATE = Path(ANSWERS["__example"]).parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(TEMPLATE / "hooks"), str(TEMPLATE / "src")]

from generate import generate  # noqa: E402
from workbench.errors import UserError  # noqa: E402

try:
    print(generate(ANSWERS, RAW, Path.cwd()))
except UserError as error:
    sys.exit(f"\nThe model was not adopted, and nothing was left behind:\n{error.shown}")
except KeyboardInterrupt:
    # cookiecutter removes a project whose hook fails, but not when it is itself interrupted.
    shutil.rmtree(Path.cwd(), ignore_errors=True)
    sys.exit("\nStopped; nothing was left behind.")
