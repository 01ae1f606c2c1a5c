"""Read what the proof wrote into its folder, where the model's code can put links instead.

The reader has rights over all files of the user; the sandbox of the proof has none.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

from workbench.errors import UserError


def read_result(folder: Path, path: Path) -> bytes | None:
    """Return the content of a file of the proof, None if there is none.

    Raises UserError if the file, or a folder that it is in, is a link or anything else.
    """
    try:
        with open(_open_without_links(folder, path), "rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file.read()
    except FileNotFoundError:
        return None
    except OSError:
        pass  # what a link is refused with differs between systems
    raise UserError(
        f"The model's code has replaced {path} by a link, or by something else that is no plain "
        "file, while it was tried. No model needs that: do not use it, unless you trust its author "
        "and have that code removed."
    )


def read_json_result(folder: Path, path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file of the proof, None if there is none. Raises UserError."""
    content = read_result(folder, path)
    try:
        document = json.loads(content) if content is not None else None
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _open_without_links(folder: Path, path: Path) -> int:
    """Open a file beneath a folder part by part, so that no part can become a link meanwhile."""
    if sys.platform == "win32":  # there, making a link needs the rights of an administrator
        return os.open(folder / path, os.O_RDONLY | os.O_BINARY)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # opening a pipe would wait for ever
    holder = os.open(folder, flags)
    for part in path.parts:
        try:
            inner = os.open(part, flags, dir_fd=holder)
        finally:
            os.close(holder)
        holder = inner
    return holder
