"""Write the table of config vars into docs/reference/config-vars.md, from their declarations.

python tools/print_config_vars.py
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "config-vars.md"
BEGIN, END = "<!-- config vars: begin -->\n", "<!-- config vars: end -->\n"

sys.path.insert(0, str(ROOT / "src"))

from model_service.web.settings import config_vars  # noqa: E402  # needs the path above


def table() -> str:
    """Return the table in Markdown."""
    rows = [f"| `{name}` | {default} | {meaning} |\n" for name, default, meaning in config_vars()]
    return "".join(["| name | default | meaning |\n", "|---|---|---|\n", *rows])


def with_table(page: str) -> str:
    """Return the page with the current table between its markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
