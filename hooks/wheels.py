"""Build the engine's and the tools' wheels with the standard library, and vendor/README.md.

    python hooks/wheels.py VENDOR

The same sources give the same bytes on every Python and every system: members are sorted and
stored uncompressed, line ends are normalised, times and modes are fixed. The version carries a
hash of the content, because pip keeps an installed wheel of the same version.
"""

from __future__ import annotations

import base64
import hashlib
import io
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent
VERSION = "1.0.0"
SKIPPED_FOLDERS = {"__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
SKIPPED_SUFFIXES = {".pyc", ".pyo"}
EARLIEST = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold
MODE = 0o100644 << 16
UNIX = 3


@dataclass(frozen=True)
class Package:
    """One distribution: its name on an index, the package in src/, and what it is for."""

    distribution: str
    module: str
    summary: str

    @property
    def file_stem(self) -> str:
        """Return the distribution's name as wheels spell it."""
        return self.distribution.replace("-", "_")


ENGINE = Package(
    "cookiecutter-model-service-engine", "model_service", "Serves one fitted model over HTTP."
)
TOOLS = Package(
    "cookiecutter-model-service-tools", "workbench", "Adopts, verifies and examines a model."
)

README = """\
# Vendored wheels

`requirements.txt` lists the engine and `requirements-test.txt` the tools, as `./vendor/….whl`.
Nothing in them is specific to this project, and neither is on a package index.

- **cookiecutter_model_service_engine** (package `model_service`) runs on the dyno.
- **cookiecutter_model_service_tools** (package `workbench`) runs on your machine and in CI:
  `manage.py` starts it straight from the wheel.

`manage.py` and `make doctor` compare both files with these hashes:

    {hashes}

Read a wheel: it is a zip file of Python sources. Replace both: `make upgrade FROM=…`, a clone or
git URL of the template. Own the engine's source instead: `make eject`.
"""


def build(template: Path, vendor: Path) -> tuple[Path, ...]:
    """Build both wheels into a folder, in the place of older ones, and return their paths."""
    vendor.mkdir(parents=True, exist_ok=True)
    licence = _normalised((template / "LICENSE").read_bytes())
    contents = {
        ENGINE: dict(_sources(template / "src" / ENGINE.module, ENGINE.module)),
        TOOLS: {
            **dict(_sources(template / "src" / TOOLS.module, TOOLS.module)),
            **dict(_sources(template / "docs", f"{TOOLS.module}/docs", suffix=".md")),
        },
    }
    wheels = {name: data for p, c in contents.items() for name, data in [_wheel(p, c, licence)]}
    for old in vendor.glob("*.whl"):
        if old.name not in wheels:
            old.unlink()
    for name, data in wheels.items():
        (vendor / name).write_bytes(data)
    (vendor / "README.md").write_bytes(_readme(wheels).encode())
    return tuple(vendor / name for name in wheels)


def _readme(wheels: Mapping[str, bytes]) -> str:
    hashes = (f"{hashlib.sha256(data).hexdigest()}  {name}" for name, data in wheels.items())
    return README.format(hashes="\n    ".join(hashes))


def _sources(folder: Path, prefix: str, suffix: str = "") -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if (
            path.is_file()
            and path.suffix not in SKIPPED_SUFFIXES
            and path.name.endswith(suffix)
            and not SKIPPED_FOLDERS.intersection(name.parts)
            and not any(part.startswith(".") for part in name.parts)
        ):
            yield f"{prefix}/{name.as_posix()}", _normalised(path.read_bytes())


def _normalised(content: bytes) -> bytes:
    """Return a text with the line ends of Unix, whatever git made of them."""
    return content.replace(b"\r\n", b"\n")


def _wheel(package: Package, files: Mapping[str, bytes], licence: bytes) -> tuple[str, bytes]:
    """Return the file name and the bytes of a wheel.

    https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    """
    digest = hashlib.sha256()
    for name, content in sorted({**files, "LICENSE": licence}.items()):
        digest.update(f"{name}\n{len(content)}\n".encode() + content)
    version = f"{VERSION}+{digest.hexdigest()[:8]}"
    info = f"{package.file_stem}-{version}.dist-info"
    metadata = (
        f"Metadata-Version: 2.1\nName: {package.distribution}\nVersion: {version}\n"
        f"Summary: {package.summary}\nRequires-Python: >=3.10\n"
        "License: MIT\n"
    )
    wheel = (
        "Wheel-Version: 1.0\nGenerator: cookiecutter-model-service\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n"
    )
    members = {
        **dict(sorted(files.items())),
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": wheel.encode(),
        f"{info}/LICENSE": licence,
    }
    record = "".join(f"{name},{_record_hash(data)},{len(data)}\n" for name, data in members.items())
    members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    return f"{package.file_stem}-{version}-py3-none-any.whl", _zip(members)


def _record_hash(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"


def _zip(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            member = zipfile.ZipInfo(name, EARLIEST)
            member.create_system, member.external_attr = UNIX, MODE
            archive.writestr(member, data)
    return buffer.getvalue()


if __name__ == "__main__":
    for built in build(TEMPLATE, Path(sys.argv[1])):
        print(built.name)
