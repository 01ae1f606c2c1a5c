"""Take files, network and programs away from this process, for good, where Linux can do it.

Landlock (https://docs.kernel.org/userspace-api/landlock.html) needs no rights and Linux 5.13. What
it refuses is refused to native code too; the engine's own guard sees only what goes through Python.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

# https://man7.org/linux/man-pages/man2/unshare.2.html; os.unshare is there from Python 3.12 only.
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PR_SET_NO_NEW_PRIVS = 38
# The numbers of the system calls are the same on all processors.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG, PATH_BENEATH = 1, 1
# The rights over files, by the version that brought them.
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
READ = READ_FILE | READ_DIR
RIGHTS = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14 | 1 << 15
TCP_RIGHTS, TCP_VERSION = 0b11, 4
# Other processes: abstract Unix sockets and signals.
SCOPES, SCOPES_VERSION = 0b11, 6
# Where systems have their libraries, and what these read of the machine.
SYSTEM = (
    *("/usr", "/lib", "/lib32", "/lib64", "/opt", "/nix/store", "/gnu/store", "/snap"),
    *("/etc/ld.so.cache", "/etc/localtime", "/dev/urandom", "/dev/random", "/dev/zero"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm", "/sys"),
)


def leave_network() -> bool:
    """Disconnect this process from the network; call it before any thread is started.

    Returns whether the kernel does that: some systems let only root make a namespace.
    """
    if sys.platform != "linux":
        return False
    # Root needs no user namespace; inside one it could not write files of other users.
    namespaces = CLONE_NEWNET | (0 if os.geteuid() == 0 else CLONE_NEWUSER)
    try:
        return bool(ctypes.CDLL(None).unshare(namespaces) == 0)
    except AttributeError:  # a C library without it
        return False


def leave_files(folder: Path) -> bool:
    """Keep only Python, its libraries and one folder, which can be written; start no program.

    Returns whether the kernel does that.
    """
    if sys.platform != "linux":
        return False
    system_call = ctypes.CDLL(None, use_errno=True).syscall
    version = system_call(CREATE_RULESET, None, 0, VERSION_FLAG)
    if version < 1:
        return False
    rights = sum(bits for since, bits in RIGHTS.items() if since <= version)
    handled = struct.pack(
        "QQQ",
        rights,
        TCP_RIGHTS if version >= TCP_VERSION else 0,
        SCOPES if version >= SCOPES_VERSION else 0,
    )
    # Earlier kernels know fewer members, and refuse a longer structure unless the rest is zero.
    rules = system_call(CREATE_RULESET, handled, len(handled), 0)
    if rules < 0:
        return False
    try:
        for path in _readable():
            _allow(system_call, rules, path, READ & rights)
        _allow(system_call, rules, Path(os.devnull), rights & ~EXECUTE)
        _allow(system_call, rules, folder, rights & ~EXECUTE)
        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(system_call(RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def missing_sandbox(*, network: bool, files: bool) -> str | None:
    """Return a note on what the kernel does not keep from the model; None if it keeps both."""
    if network and files:
        return None
    if not network and not files:
        return (
            "Note: this system has no kernel sandbox (Landlock, network namespaces), so only "
            "Python's guard watched the model."
        )
    missing, act = (
        ("Landlock", "opened files") if network else ("network namespace", "used the network")
    )
    return (
        f"Note: this system has no {missing} for the sandbox, so native code of the model could "
        f"have {act}; only Python's guard watched that."
    )


def _allow(system_call: Callable[..., int], rules: int, path: Path, rights: int) -> None:
    with contextlib.suppress(OSError):  # not every system has each of them
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            allowed = rights if path.is_dir() else rights & OF_FILES
            rule = struct.pack("=Qi", allowed, descriptor)
            system_call(ADD_RULE, rules, PATH_BENEATH, rule, 0)
        finally:
            os.close(descriptor)


def _readable() -> Iterable[Path]:
    """Return the folders of Python, of what it imports, and of the system's libraries."""
    paths = {sys.prefix, sys.base_prefix, *SYSTEM, *sys.path, *_folders_of_loaded_libraries()}
    return {Path(path).resolve() for path in paths if path}


def _folders_of_loaded_libraries() -> Iterator[str]:
    """Yield where this process's own libraries lie: some systems have them in unusual places."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        _, _, path = line.partition("/")
        if ".so" in path:
            yield str(Path(f"/{path}").parent)
