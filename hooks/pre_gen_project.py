"""Refuse what the answers alone show to be bad, all at once, before anything is written."""

import json
import sys
from pathlib import Path

# Answers are data: nothing of them is ever part of this program.
ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
# What was typed, before cookiecutter evaluated it; cruft does not hand it on.
RAW = json.loads(r"""{{ _cookiecutter | default({}) | tojson }}""")

TEMPLATE = Path(ANSWERS["__example"]).parent.parent
# The template must stay as it is: no bytecode in it.
sys.dont_write_bytecode = True
sys.path[:0] = [str(TEMPLATE / "hooks"), str(TEMPLATE / "src")]

from generate import refusals  # noqa: E402

problems = refusals(ANSWERS, RAW, TEMPLATE, Path.cwd())
if problems:
    sys.exit(f"\nNothing was made, because of these answers:\n{problems}\n")
