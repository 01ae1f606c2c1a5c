"""Refuse wrong answers before anything is written, all in one list."""

import json
import sys
from pathlib import Path

# The answers are data: no part of them is ever executed.
ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
# The answers as they were typed, before cookiecutter evaluated them; cruft does not pass them on.
RAW = json.loads(r"""{{ _cookiecutter | default({}) | tojson }}""")

TEMPLATE = Path(ANSWERS["__example"]).parent.parent
# No bytecode in the template.
sys.dont_write_bytecode = True
sys.path[:0] = [str(TEMPLATE / "hooks"), str(TEMPLATE / "src")]

from generate import refusals  # noqa: E402

refusal = refusals(ANSWERS, RAW, TEMPLATE, Path.cwd())
if refusal is not None:
    sys.exit(f"\nNothing was made, because of these answers:\n{refusal.shown}")
