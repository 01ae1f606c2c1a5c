"""Install what the tests need of the machine beside Python: servers and other programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

# By command; the packages are Debian's.
PACKAGES = {
    "curl": "curl",
    "java": "default-jre-headless",
    "node": "nodejs",
    "openssl": "openssl",
    "pg_ctlcluster": "postgresql",  # the servers' own programs are not on PATH
    "redis-server": "redis-server",
    "wrk": "wrk",
}


def missing() -> list[str]:
    """Return the packages of the commands that are not there."""
    return [package for command, package in PACKAGES.items() if shutil.which(command) is None]


def main() -> str | None:
    """Install what is missing; return what is left to do, or None."""
    if missing() and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"The tests need {', '.join(missing())}; installing …", flush=True)
        install = ["apt-get", "install", "--yes", "-qq", "--no-install-recommends", *missing()]
        for command in (["apt-get", "update", "-qq"], install):
            if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode:
                break
    if left := missing():
        return f"The tests need {', '.join(left)} (Debian's names); install them and try again."
    return None


if __name__ == "__main__":
    sys.exit(main())
