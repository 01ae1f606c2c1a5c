"""The browser of the tests: find it, and as a script install it where there is none."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Playwright, sync_playwright

# The newest Playwright drives the Chromium of a distribution too, which gets security updates.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The font is for people who look at screenshots: 日本 are two boxes otherwise.
DEBIAN_PACKAGES = ("chromium", "fonts-droid-fallback")


class NoBrowser(RuntimeError):
    """There is no browser; the message says what to do."""


def find(playwright: Playwright) -> str:
    """Return the path of a Chromium or Chrome. Raises NoBrowser."""
    if given := os.environ.get("CHROMIUM"):
        return given
    own = playwright.chromium.executable_path
    for path in (*map(shutil.which, NAMES), own):
        if path and Path(path).exists():
            return path
    raise NoBrowser(
        "The tests of the pages need Chromium or Chrome, and there is none. Install it "
        f"(Debian: apt-get install {' '.join(DEBIAN_PACKAGES)}), or set CHROMIUM to its path."
    )


def installation() -> list[list[str]]:
    """Return the commands that install a browser on this machine."""
    root = os.geteuid() == 0
    # On Ubuntu the package only fetches a snap, which containers cannot run.
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
            print("The tests of the pages need a browser; installing Chromium …", flush=True)
            for command in installation():
                if subprocess.run(command, check=False).returncode:
                    break
            find(playwright)


if __name__ == "__main__":
    try:
        main()
    except NoBrowser as error:
        sys.exit(str(error))
