"""The kernel's sandbox, by native code in a real child: Python's guard takes no part in these."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest
from conftest import SRC

from workbench.verify.sandbox import missing_sandbox

Child = Callable[[str], tuple[dict[str, bool], dict[str, int]]]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this sandbox")

# Leaves what its first argument names, then tries each action; prints the error number of each, 0
# if it succeeds. All of them go through the C library, as native code of a model would.
CHILD = """
import ctypes, json, os, struct, sys
from pathlib import Path

from workbench.verify.sandbox import leave_files, leave_network

what, folder, port, paths = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
home, outside, program, library = (path.encode() for path in paths)
libc = ctypes.CDLL(None, use_errno=True)
libc.fopen.restype = ctypes.c_void_p
libc.fclose.argtypes = [ctypes.c_void_p]

def opened(path, flags):
    descriptor = libc.open(path, flags, 0o600)
    return 0 if descriptor >= 0 and os.close(descriptor) is None else ctypes.get_errno()

def written(path):
    file = libc.fopen(path, b"w")
    return 0 if file and libc.fclose(file) == 0 else ctypes.get_errno()

def started(path):
    child = os.fork()
    if child == 0:
        libc.execve(path, (ctypes.c_char_p * 2)(path, None), (ctypes.c_char_p * 1)(None))
        os._exit(ctypes.get_errno())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def connected():
    number = libc.socket(2, 1, 0)  # AF_INET, SOCK_STREAM
    address = struct.pack("=H", 2) + struct.pack(">H4s8x", port, bytes([127, 0, 0, 1]))
    return 0 if libc.connect(number, address, len(address)) == 0 else ctypes.get_errno()

in_force = {}
if what in ("network", "both"):
    in_force["network"] = leave_network()
if what in ("files", "both"):
    in_force["files"] = leave_files(folder)
print(json.dumps({
    "in force": in_force,
    "open /etc/passwd": opened(b"/etc/passwd", os.O_RDONLY),
    "open a file in the home": opened(home, os.O_RDONLY),
    "write outside": written(outside),
    "start a program": started(program),
    "connect": connected(),
    "open Python's library": opened(library, os.O_RDONLY),
    "write Python's library": opened(library, os.O_WRONLY),
    "write in the folder": written(os.fsencode(folder / "file")),
}))
"""
ACTIONS = (
    *("open /etc/passwd", "open a file in the home", "write outside", "start a program"),
    *("write Python's library",),
)


@pytest.fixture
def landlock() -> int:
    """The version of the kernel's Landlock."""
    system_call = ctypes.CDLL(None, use_errno=True).syscall
    version = int(system_call(444, None, 0, 1))  # landlock_create_ruleset, its version
    if version < 1:
        pytest.skip(f"this kernel has no Landlock: {os.strerror(ctypes.get_errno())}")
    return version


@pytest.fixture
def namespaces() -> None:
    """Skip on a system that gives this user no network namespace."""
    flags = 0x40000000 | (0 if os.geteuid() == 0 else 0x10000000)
    code = f"import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare({flags}) != 0)"
    if subprocess.run([sys.executable, "-c", code], check=False).returncode:
        pytest.skip("this system gives this user no network namespace")


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def home_file() -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(dir=Path.home(), prefix=".test-sandbox-") as file:
        yield Path(file.name)


@pytest.fixture
def library_file(tmp_path: Path) -> Path:
    """A file in a folder of Python's path, in the place of an installed library."""
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "library.py").write_text("")
    return folder / "library.py"


@pytest.fixture
def child(listener: int, tmp_path: Path, home_file: Path, library_file: Path) -> Child:
    """Run a child that leaves what is named; what is in force, and each action's error number."""
    return partial(run_child, listener, tmp_path, home_file, library_file)


def run_child(
    port: int, tmp_path: Path, home: Path, library: Path, what: str
) -> tuple[dict[str, bool], dict[str, int]]:
    folder, program = tmp_path / "folder", shutil.which("true")
    folder.mkdir()
    assert program is not None
    output = subprocess.check_output(
        [
            *(sys.executable, "-c", CHILD, what, folder, str(port)),
            *(home, tmp_path / "outside", program, library),
        ],
        env={"PYTHONPATH": f"{SRC}{os.pathsep}{library.parent}"},
        text=True,
    )
    numbers = json.loads(output)
    return numbers.pop("in force"), numbers


def test_without_a_sandbox_all_of_it_succeeds(child: Child) -> None:
    _, numbers = child("nothing")
    assert set(numbers.values()) == {0}


@pytest.mark.usefixtures("landlock")
def test_the_kernel_refuses_files_and_programs(child: Child, tmp_path: Path) -> None:
    in_force, numbers = child("files")
    assert in_force == {"files": True}
    assert {action: numbers[action] for action in ACTIONS} == dict.fromkeys(ACTIONS, errno.EACCES)
    assert numbers["open Python's library"] == numbers["write in the folder"] == 0
    assert not (tmp_path / "outside").exists()


@pytest.mark.usefixtures("namespaces")
def test_the_kernel_refuses_the_network(child: Child) -> None:
    in_force, numbers = child("network")
    assert in_force == {"network": True}
    assert numbers["connect"] == errno.ENETUNREACH


def test_landlock_refuses_tcp_without_a_namespace(landlock: int, child: Child) -> None:
    if landlock < 4:
        pytest.skip(f"Landlock {landlock} knows no network")
    _, numbers = child("files")
    assert numbers["connect"] == errno.EACCES


@pytest.mark.usefixtures("landlock", "namespaces")
def test_both_are_in_force_together(child: Child) -> None:
    in_force, numbers = child("both")
    assert in_force == {"network": True, "files": True}
    refused = {action for action, number in numbers.items() if number}
    assert refused == {*ACTIONS, "connect"}


# What is in force, and the words of the note
NOTES: Mapping[str, tuple[bool, bool, str]] = {
    "neither": (False, False, "has no kernel sandbox (Landlock, network namespaces), so only"),
    "no files": (True, False, "has no Landlock for the sandbox, so native code of the model could"),
    "no network": (False, True, "has no network namespace for the sandbox, so native code"),
}


@pytest.mark.parametrize("case", NOTES)
def test_what_is_not_in_force_is_in_the_report(case: str, tmp_path: Path) -> None:
    """A report that fails has its own message, which a note would hide."""
    network, kept, words = NOTES[case]
    (tmp_path / "sitecustomize.py").write_text(
        "from workbench.verify import sandbox\n"
        f"sandbox.leave_network = lambda: {network}\n"
        f"sandbox.leave_files = lambda folder: {kept}\n"
    )
    (tmp_path / "proof.py").write_text("import sys\nprint('proven')\nsys.exit(None)\n")
    (tmp_path / "failing.py").write_text("import sys\nsys.exit('failed')\n")
    report, note = run_limited("proof", tmp_path).stdout.splitlines()
    assert (report, note[:5]) == ("proven", "Note:")
    assert words in note
    failed = run_limited("failing", tmp_path)
    assert (failed.returncode, failed.stdout, failed.stderr) == (1, "", "failed\n")


def run_limited(module: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workbench.verify.resource_limits", "1024", module],
        cwd=folder,
        env={"PYTHONPATH": f"{folder}{os.pathsep}{SRC}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_is_noted_if_both_are_in_force() -> None:
    assert missing_sandbox(network=True, files=True) is None
