"""Find the browser of the tests; as a script, install it if there is none."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Playwright, sync_playwright

# A distribution's Chromium, which gets security updates, works with Playwright too.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The font is for screenshots, which show 日本 as two boxes without it.
DEBIAN_PACKAGES = ("chromium", "fonts-droid-fallback")


class NoBrowser(RuntimeError):
    """No browser was found; the message says how to install one."""


def find(playwright: Playwright) -> str:
    """Return the path of a Chromium or Chrome. Raises NoBrowser."""
    if path := os.environ.get("CHROMIUM"):
        return path
    bundled = playwright.chromium.executable_path
    for candidate in (*map(shutil.which, NAMES), bundled):
        if candidate and Path(candidate).exists():
            return candidate
    raise NoBrowser(
        "The browser tests need Chromium or Chrome, which was not found. Install it "
        f"(Debian: apt-get install {' '.join(DEBIAN_PACKAGES)}), or set CHROMIUM to its path."
    )


def installation() -> list[list[str]]:
    """Return the commands that install a browser on this machine."""
    root = os.geteuid() == 0
    # On Ubuntu the package installs a snap, which does not run in containers.
    if root and sys.platform == "linux" and platform.freedesktop_os_release()["ID"] == "debian":
        install = ["apt-get", "install", "--yes", "-qq", "--no-install-recommends"]
        return [["apt-get", "update", "-qq"], [*install, *DEBIAN_PACKAGES]]
    libraries = ["--with-deps"] if root and sys.platform == "linux" else []
    return [[sys.executable, "-m", "playwright", "install", *libraries, "chromium"]]


def main() -> None:
    with sync_playwright() as playwright:
        try:
            find(playwright)
        except NoBrowser:
            print("The browser tests need Chromium; installing it …", flush=True)
            for command in installation():
                if subprocess.run(command, check=False).returncode:
                    break
            find(playwright)


if __name__ == "__main__":
    try:
        main()
    except NoBrowser as error:
        sys.exit(str(error))
