"""The project's commands, which manage.py starts: python manage.py COMMAND NAME=value …

Exit status: 0 done; 1 refused or failed, as the message says; 2 no such command or option; 3 a
verification that could not be tried here, as opposed to one that failed, or files that are scored
but for some rejected rows.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import CannotVerify, UserError

USAGE_ERROR = 2
CANNOT_VERIFY = 3

Options = Mapping[str, str]


@dataclass(frozen=True)
class Command:
    """One command: what it does for a person, the options that it takes, and its code."""

    summary: str
    run: Callable[[Path, Options], int | None]
    options: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


# Each function imports the modules of its command: modules in a wheel have no bytecode, and to
# compile all of them takes half a second.
# ruff: noqa: PLC0415


def _setup(project: Path, _: Options) -> None:
    from workbench.verify import verify

    verify.setup(project)
    print(".venv is made from the requirements files.")


def _run(project: Path, options: Options) -> None:
    from workbench import processes

    processes.serve(project, _port(options))


def _test(project: Path, _: Options) -> int:
    from workbench import processes

    return processes.test(project)


def _adopt(project: Path, options: Options) -> None:
    from workbench.adopt import retrain

    print(retrain.adopt(project, retrain.read_options(options)))


def _rollback(project: Path, _: Options) -> None:
    from workbench import rollback

    print(rollback.rollback(project))


def _lock(project: Path, _: Options) -> None:
    from workbench.lock import lock

    lock.lock(project)
    print("requirements.txt and requirements-test.txt are locked with hashes.")


def _verify(project: Path, options: Options) -> None:
    from workbench.verify import verify
    from workbench.verify.resource_limits import Limits

    limits = Limits.from_environment({**os.environ, **options})
    chosen = verify.VerifyOptions(options.get("SAMPLE", ""), options.get("ACCEPT", ""))
    print(verify.verify(project, limits, chosen))


def _check(project: Path, _: Options) -> int:
    from workbench import processes

    return processes.check(project)


def _doctor(project: Path, options: Options) -> int:
    from workbench.doctor import doctor

    report = doctor.examine(project, options.get("PLATFORM"))
    print(report.to_json() if options.get("JSON") else doctor.show(report))
    return int(report.failed)


def _platform(project: Path, options: Options) -> None:
    from workbench.platforms import command

    name, overwrite = options["NAME"], "OVERWRITE" in options
    jobs = options.get("JOBS", "off")
    if jobs not in ("on", "off"):
        raise UserError(
            f"JOBS={jobs!r} is neither on nor off",
            ("With a worker for jobs:", f"make platform NAME={name} JOBS=on"),
        )
    print(command.platform(project, name, jobs=jobs == "on", overwrite=overwrite))


def _score(project: Path, options: Options) -> int:
    from workbench.score import command

    return command.score(project, options)


def _plan(project: Path, options: Options) -> None:
    from workbench.plan import command

    key = options.get("API_KEY") or os.environ.get("API_KEY")
    report = command.plan(project, options, key)
    print(report.to_json() if options.get("JSON") else report.text())


def _smoke(project: Path, options: Options) -> None:
    from workbench import smoke

    print(smoke.smoke(project, options["URL"], options.get("API_KEY") or os.environ.get("API_KEY")))


def _curl(project: Path, options: Options) -> None:
    from workbench import smoke

    address = f"http://localhost:{_port(options)}"
    print(smoke.curl(project, address, key=bool(os.environ.get("API_KEYS"))))


def _key(_: Path, __: Options) -> None:
    from workbench import key

    print(key.new_key())


def _docs(_: Path, options: Options) -> None:
    from workbench import documentation

    print(documentation.show(options.get("TOPIC", "")))


def _sbom(project: Path, _: Options) -> None:
    from workbench import sbom

    print(sbom.sbom(project))


def _eject(project: Path, _: Options) -> None:
    from workbench import eject

    print(eject.eject(project))


def _override(project: Path, options: Options) -> None:
    from workbench import override

    print(override.override(project, options["PAGE"]))


def _convert(project: Path, options: Options) -> None:
    from workbench import convert

    print(convert.convert(project, Path(options["FILE"]), Path(options["OUT"])))


def _upgrade(project: Path, options: Options) -> None:
    from workbench import upgrade

    print(upgrade.upgrade(project, options["FROM"]))


def _port(options: Options) -> str:
    return options.get("PORT") or os.environ.get("PORT") or "8000"


ADOPT_OPTIONS = ("MODEL", "FEATURES", "SAMPLE", "TRANSFORMERS", "CODE", "TRUST", "ACCEPT")
PLAN_OPTIONS = ("RPS", "P95", "PEAK", "HOURS", "ROWS", "JOBS", "URL", "API_KEY", "JSON")
VERIFY_OPTIONS = ("ACCEPT", "SAMPLE", "PROOF_SECONDS", "PROOF_MEGABYTES")
SCORE_OPTIONS = ("INPUT", "OUTPUT", "JOBS", "ON_ERROR", "COLUMNS", "ENGINE", "EXPLAIN")
COMMANDS: dict[str, Command] = {
    "setup": Command("make .venv from both requirements files", _setup),
    "run": Command("serve as the dyno does, on PORT (default 8000)", _run, ("PORT",)),
    "test": Command("run your tests and the tools' own for any model", _test),
    "adopt": Command("take another model file in", _adopt, ADOPT_OPTIONS, ("MODEL",)),
    "rollback": Command("back to the model before", _rollback),
    "lock": Command("lock both requirements files with hashes", _lock),
    "verify": Command(
        "lock if needed, install, load, predict, compare, test", _verify, VERIFY_OPTIONS
    ),
    "check": Command("what the service checks when it starts", _check),
    "doctor": Command(
        "what the platform would report after the push", _doctor, ("JSON", "PLATFORM")
    ),
    "plan": Command(
        "dynos and dollars a month for a load, measured with your model",
        _plan,
        PLAN_OPTIONS,
        ("RPS", "P95"),
    ),
    "platform": Command(
        "write the file that another platform than Heroku wants",
        _platform,
        ("NAME", "JOBS", "OVERWRITE"),
        ("NAME",),
    ),
    "score": Command(
        "predict files of any size: CSV, TSV, Parquet, folders and globs",
        _score,
        SCORE_OPTIONS,
        ("INPUT", "OUTPUT"),
    ),
    "smoke": Command(
        "compare a deployed service with the golden predictions",
        _smoke,
        ("URL", "API_KEY"),
        ("URL",),
    ),
    "curl": Command("print a request with an example row", _curl, ("PORT",)),
    "key": Command("a new API key, and the line that sets its hash", _key),
    "docs": Command("the documentation, or what it says on a topic", _docs, ("TOPIC",)),
    "sbom": Command("what the service consists of, as CycloneDX JSON", _sbom),
    "eject": Command("put the engine's source beside app.py", _eject),
    "override": Command("copy the engine's page to templates/", _override, ("PAGE",), ("PAGE",)),
    "convert": Command(
        "save a model file of an old scikit-learn again",
        _convert,
        ("FILE", "OUT"),
        ("FILE", "OUT"),
    ),
    "upgrade": Command(
        "newer wheels from a template's clone or URL", _upgrade, ("FROM",), ("FROM",)
    ),
}


def main(arguments: Sequence[str], project: Path) -> int:
    """Run one command and return its exit status."""
    if not arguments or arguments[0] in ("help", "-h", "--help"):
        print(usage())
        return 0
    name, *rest = arguments
    try:
        options = _options(name, rest)
    except UserError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return USAGE_ERROR
    try:
        return COMMANDS[name].run(project, options) or 0
    except CannotVerify as error:
        heading = "Not verified" if name in ("verify", "adopt") else f"make {name}"
        print(f"{heading}:\n{error.shown}", file=sys.stderr)
        return CANNOT_VERIFY
    except UserError as error:
        print(f"make {name}:\n{error.shown}", file=sys.stderr)
        return 1


def usage() -> str:
    """Return all commands with their options, one a line."""
    width = max(map(len, COMMANDS))
    lines = [
        f"  {name:<{width}}  {command.summary}{_shown(command)}"
        for name, command in COMMANDS.items()
    ]
    return "\n".join(
        ["python manage.py COMMAND NAME=value …   (or: make COMMAND NAME=value …)", "", *lines]
    )


def _shown(command: Command) -> str:
    shown = [f"{n}=…" if n in command.required else f"[{n}=…]" for n in command.options]
    return f"; {' '.join(shown)}" if shown else ""


def _options(name: str, arguments: Sequence[str]) -> dict[str, str]:
    """Read NAME=value arguments; an empty value is none. Raises UserError."""
    if name not in COMMANDS:
        raise UserError(f"There is no command {name!r}{_nearest(name, COMMANDS)}\n\n{usage()}")
    command, options = COMMANDS[name], {}
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if option not in command.options or not equals:
            known = f"it takes {', '.join(command.options) or 'none'}"
            nearest = _nearest(option, command.options)
            raise UserError(f"{name} has no option {argument!r}{nearest} ({known})")
        if value:
            options[option] = value
    if missing := [option for option in command.required if option not in options]:
        raise UserError(
            f"{name} needs {' and '.join(f'{option}=…' for option in missing)}; for example: "
            f"make {name} {' '.join(f'{option}=…' for option in command.required)}"
        )
    return options


def _nearest(word: str, known: Mapping[str, object] | Sequence[str]) -> str:
    found = difflib.get_close_matches(word.upper(), [name.upper() for name in known], 1)
    match = next((name for name in known if found and name.upper() == found[0]), None)
    return f"; did you mean {match}?" if match else "."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd()))
