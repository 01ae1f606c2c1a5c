"""Refuse what no model has to do while it is loaded or predicts: files, network, processes.

The static inspection refuses files that would; this is the second lock. It is an audit hook
(https://peps.python.org/pep-0578/): it sees what goes through Python, native code is not seen. It
holds for threads that load or run the model and for threads that these start, never for the
service's own files, database or Redis.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import sysconfig
import threading
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from importlib.machinery import all_suffixes
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from joblib import cpu_count

logger = logging.getLogger(__name__)

MUST_ONLY_COMPUTE = "A model may only compute; adopt one that does: make adopt MODEL=…"
MAX_CHARACTERS = 200  # of a path or command in a message
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# What libraries read of the system: time zones, and how many processors they may use.
_SYSTEM_FILES = (
    *("/dev/null", "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat"),
    *("/proc/self/cgroup", "/proc/self/maps", "/proc/self/mountinfo", "/sys/fs/cgroup"),
    *("/sys/devices/system/cpu", "/usr/share/zoneinfo"),
)
_SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/System/Library")
_CODE = tuple(all_suffixes())
_CODE_FOLDER = f"{os.sep}model{os.sep}custom_code"
_IMPORTS = "<frozen importlib._bootstrap_external>"
_FINDS_LIBRARIES = f"{os.sep}ctypes{os.sep}util.py"
# Audit events by what a person calls them; https://docs.python.org/3/library/audit_events.html
_READS = frozenset({"open", "os.listdir", "os.scandir", "ctypes.dlopen"})
_STARTS_A_THREAD = frozenset({"_thread.start_new_thread", "_thread.start_joinable_thread"})
_REFUSED: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"),
            *("os.startfile", "pty.spawn", "subprocess.Popen", "_winapi.CreateProcess"),
        ),
        "start a process",
    ),
    **dict.fromkeys(("os.kill", "os.killpg", "signal.pthread_kill"), "send a signal"),
    **dict.fromkeys(
        (
            *("os.chdir", "os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename"),
            *("os.rmdir", "os.setxattr", "os.removexattr", "os.symlink", "os.truncate"),
            *("os.utime", "sqlite3.connect", "tempfile.mkdtemp", "tempfile.mkstemp"),
        ),
        "change files",
    ),
    **dict.fromkeys(
        (
            *("socket.bind", "socket.connect", "socket.sendmsg", "socket.sendto"),
            *("socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname"),
            "socket.getnameinfo",
        ),
        "use the network",
    ),
}
_TO_ADDRESS = frozenset({"socket.bind", "socket.connect", "socket.sendmsg", "socket.sendto"})
_WATCHED = _READS | _STARTS_A_THREAD | _REFUSED.keys()


class ModelActed(BaseException):
    """The model tried what it must not do. The message names it, and is for the log only.

    Not an Exception: what takes those for rows that the model cannot predict must not take this.
    """

    def __init__(self, act: str, doing: str) -> None:
        super().__init__(f"The model tried to {act} while {doing}")
        self.act = act


class _ThisThread(threading.local):
    """How many guards this thread has entered, and what the model tried in the outermost one."""

    depth: int = 0
    acts: list[str]
    folder: tuple[str, ...]
    frame: FrameType | None = None  # where it was entered


_this_thread = _ThisThread()


class Guard:
    """While it is entered, the model's code in this thread can only compute, and read `folder`.

    What it tries fails with a PermissionError. Leaving raises ModelActed if there was such an
    attempt, even if the model's code has caught the error. Entering again changes nothing.
    """

    def __init__(self, doing: str, folder: Path | None = None) -> None:
        _install()
        self._doing = doing
        self._folder = () if folder is None else (os.path.realpath(folder),)

    def __enter__(self) -> None:
        if not _this_thread.depth:
            _this_thread.acts, _this_thread.folder = [], self._folder
            _this_thread.frame = sys._getframe(1)
        _this_thread.depth += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _this_thread.depth -= 1
        if _this_thread.depth:
            return
        _this_thread.frame = None
        if _this_thread.acts:
            raise ModelActed(_this_thread.acts[0], self._doing) from error


@cache
def _install() -> None:
    _count_cores()
    sys.addaudithook(_check)
    if sys.version_info < (3, 12):  # where threads start without an audit event
        start = _guarding(threading.Thread.start)
        threading.Thread.start = start  # type: ignore[assignment,method-assign]


def _count_cores() -> None:
    """Let loky count the cores now: it starts lscpu for it, and keeps the number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where there is no lscpu, loky says so
        cpu_count(only_physical_cores=True)


def _guarding(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    """Return `Thread.start` for all threads: those that a guarded thread starts are guarded."""

    def start_guarded(thread: threading.Thread) -> None:
        if _this_thread.depth:
            _guard_too(thread)
        start(thread)

    return start_guarded


def _check(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise PermissionError if this thread runs the model and does what it must not do."""
    if event not in _WATCHED or not _this_thread.depth:
        return
    if sys._getframe(1).f_code.co_filename == _IMPORTS:
        return  # Python imports a module, and keeps its bytecode for the next start
    depth, _this_thread.depth = _this_thread.depth, 0  # what follows here is not the model's
    try:
        act = _act(event, arguments)
    finally:
        _this_thread.depth = depth
    if act is None or _is_chosen_by_a_library():
        return
    _this_thread.acts.append(act)
    raise PermissionError(errno.EACCES, f"a model must not {act}")


def _is_chosen_by_a_library() -> bool:
    """Return whether a library asks about the machine, where the model has nothing to choose.

    It does so while it is imported: numpy.testing, which scikit-learn imports, asks lscpu for what
    the processor can do. Or by ctypes: threadpoolctl has the C library found, by ldconfig.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame is not _this_thread.frame:
        path = frame.f_code.co_filename
        asks = frame.f_code.co_name == "<module>" or path.endswith(_FINDS_LIBRARIES)
        if asks and _is_in(os.path.realpath(path), _libraries()):
            return True
        frame = frame.f_back
    return False


def _act(event: str, arguments: tuple[Any, ...]) -> str | None:
    """Return what an event does that a model must not do, or None."""
    if event in _STARTS_A_THREAD:
        thread = getattr(arguments[0], "__self__", None)
        if not isinstance(thread, threading.Thread):
            return "start a thread that Python does not know"
        _guard_too(thread)
        return None
    subject = arguments[1] if event in _TO_ADDRESS else next(iter(arguments), None)
    if event in _REFUSED and not _is_bytecode_cache(subject):
        return f"{_REFUSED[event]} ({event} {subject!r:.{MAX_CHARACTERS}})"
    if isinstance(subject, int) or subject is None:  # a file that is open, the program itself
        return None
    path = os.path.realpath(os.fsdecode(subject))
    is_writing = event in _REFUSED or (event == "open" and arguments[2] & _WRITING)
    if is_writing and _is_bytecode_cache(path):
        # Of functions that a library compiles when they are called: it goes on without.
        raise PermissionError(errno.EACCES, "a model writes no cache")
    if is_writing:
        return None if path == os.devnull else f"write {path:.{MAX_CHARACTERS}}"
    if event == "ctypes.dlopen" and os.sep not in os.fsdecode(subject):
        return None  # found by the system among its own libraries
    # Not resolved: /proc/self is another folder in each process.
    if _may_read(path) or _is_in(os.path.abspath(os.fsdecode(subject)), _SYSTEM_FILES):  # noqa: PTH100
        return None
    if event == "ctypes.dlopen" and _is_in(path, _SYSTEM_LIBRARIES):
        return None
    return f"open {path:.{MAX_CHARACTERS}}"


def _is_bytecode_cache(path: Any) -> bool:
    return isinstance(path, str) and "__pycache__" in Path(path).parts


def _guard_too(thread: threading.Thread) -> None:
    """Guard a thread that is about to start."""
    run: Callable[[], None] = thread.run
    acts = _this_thread.acts

    def run_guarded() -> None:
        try:
            with Guard("running a thread of its own"):
                run()
        except ModelActed as error:
            # The thread that has started this one raises, unless it has gone on already.
            acts.append(error.act)
            logger.critical("%s", error)

    thread.run = run_guarded  # type: ignore[method-assign]


def _may_read(path: str) -> bool:
    return (
        _is_in(path, _libraries())
        # Modules of the author's and of an ejected engine, and wheels on the path.
        or (path.endswith(_CODE) and _is_in(path, _import_path()))
        or path in _import_path()
        # Data beside the author's modules, such as lists of words.
        or _is_in(path, tuple(p for p in _import_path() if p.endswith(_CODE_FOLDER)))
        or _is_in(path, _this_thread.folder)
    )


def _is_in(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


@cache
def _libraries() -> tuple[str, ...]:
    """Return the folders of Python and of the installed libraries."""
    paths = sysconfig.get_paths()
    folders = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    # Those of an interpreter that a virtual environment builds on, too.
    folders.update(p for p in sys.path if p.endswith(("site-packages", "dist-packages")))
    return tuple(map(os.path.realpath, folders))


def _import_path() -> tuple[str, ...]:
    return tuple(os.path.realpath(entry) for entry in sys.path)
