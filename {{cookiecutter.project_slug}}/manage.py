"""The project's commands: python manage.py COMMAND NAME=value …; `help` lists them.

The commands are in the tools' wheel in vendor/; this file checks the wheels and starts them.
"""

import hashlib
import re
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
VENDOR = PROJECT / "vendor"


def main() -> int:
    """Put the wheels on the path and run the command; return its exit status."""
    if sys.version_info < (3, 10):  # noqa: UP036  # whoever runs this may have an older one
        sys.exit("manage.py needs Python 3.10 or later, for example: python3.12 manage.py help")
    if not (VENDOR / "README.md").exists() or not list(VENDOR.glob("*_tools-*.whl")):
        sys.exit(
            "vendor/ lacks README.md or the wheel of the tools. Restore: git checkout -- vendor"
        )
    readme = (VENDOR / "README.md").read_text(encoding="utf-8")
    hashes = {name: sha256 for sha256, name in re.findall(r"\b([0-9a-f]{64})  (\S+)", readme)}
    for wheel in sorted(VENDOR.glob("cookiecutter_model_service_*.whl")):
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != hashes.get(wheel.name):
            sys.exit(
                f"vendor/{wheel.name} is not the file that vendor/README.md lists (its SHA-256 "
                "differs). Restore it: git checkout -- vendor"
            )
        sys.path.insert(1, str(wheel))  # after this folder, where an ejected engine is
    from workbench.__main__ import main as run  # from the wheel

    return run(sys.argv[1:], PROJECT)


if __name__ == "__main__":
    sys.exit(main())
