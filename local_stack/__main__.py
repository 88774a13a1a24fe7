"""``python -m local_stack``: see ``--help``. ``run.sh`` makes the Python environment and calls this."""

import argparse
import json
import logging
import subprocess
import sys
from collections.abc import Sequence

from rich.console import Console

from local_stack import docker, doctor, table
from local_stack.artifacts import OPTIONAL_LOCK_FILE, load_lock
from local_stack.checks import SUITES, check
from local_stack.console import make_console
from local_stack.doctor import UnfitError
from local_stack.down import down
from local_stack.engine import chosen_mode
from local_stack.errors import StackError
from local_stack.java import JavaNotFoundError
from local_stack.layout import layout as make_layout
from local_stack.parts import PARTS, SERVERS, why_not_here
from local_stack.status import LOW_DISK, gather, processes_of
from local_stack.unread import unread_lines
from local_stack.up import fetch, up
from readings.errors import ConfigError
from readings.settings import Settings, load_settings, load_what_is_right

_LOGGED = tuple(dict.fromkeys(("supervisord", *PARTS, *docker.SERVICES)))


def main(words: Sequence[str] | None = None) -> int:
    """Gives 0 where all is well, 1 where something is not, 2 on a wrong setting or argument, 130 when broken off."""
    arguments, rest = _parser().parse_known_args(words)
    if rest and arguments.command != "test":
        _parser().error(f"unrecognized arguments: {' '.join(rest)}")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # while a server starts, its client's complaints are no news
    try:
        return _run(arguments, rest)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except (StackError, UnfitError, JavaNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        if arguments.command == "logs":  # Ctrl-C is how one that follows is ended
            return 130
        print("broken off; bash run.sh up goes on, bash run.sh down stops what runs", file=sys.stderr)
        return 130


def _run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    console = make_console()
    _tell_unread(console, arguments.command)
    if arguments.command in ("up", "down", "status", "logs", "doctor", "demo") and chosen_mode() == "docker":
        return _run_on_docker(console, arguments)
    match arguments.command:
        case "doctor":
            return doctor.main()
        case "up":
            return up(console, SERVERS if arguments.servers else ())
        case "down":
            return down(console, _settings_that_are_right(), data=arguments.data)
        case "status":
            return _status(console, as_json=arguments.json)
        case "logs":
            return _logs(arguments.part, arguments.lines, follow=arguments.follow)
        case "fetch":
            fetch(console, load_settings(), {arguments.name: load_lock(OPTIONAL_LOCK_FILE)[arguments.name]})
            return 0
        case "test":
            return check(console, arguments.suite, rest)
        case _:
            from local_stack.demo import demo  # the story needs more than any other command

            return demo(console, load_settings())


def _tell_unread(console: Console, command: str) -> None:
    for line in unread_lines() if command in ("up", "doctor") else ():
        console.print(f"warning  .env         {line}", markup=False, soft_wrap=True)


def _run_on_docker(console: Console, arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "up":
            return docker.up(console)
        case "down":
            _settings_that_are_right()
            return docker.down(console, data=arguments.data)
        case "status":
            return docker.status(console, as_json=arguments.json)
        case "logs":
            _settings_that_are_right()
            return docker.logs(arguments.part, arguments.lines, follow=arguments.follow)
        case "doctor":
            return docker.doctor(console)
        case _:
            raise StackError("the demo is a local one: SKYWATT_MODE=local bash run.sh demo")


def _settings_that_are_right() -> Settings:
    """For what ends a stack or shows its logs; the others are told, and left for ``up`` to refuse."""
    settings, wrong = load_what_is_right()
    for problem in wrong.values():
        print(f"{problem} (bash run.sh up refuses it)", file=sys.stderr)
    return settings


def _status(console: Console, *, as_json: bool) -> int:
    layout = make_layout(load_what_is_right()[0])
    try:
        settings = load_settings()
        status = gather(settings, layout)
    except ConfigError:
        table.show_parts(console, processes_of(layout), as_json=as_json)
        raise
    if as_json:
        print(json.dumps(status.as_json()))
        if status.disk_free < LOW_DISK:
            print(table.disk_warning(status.disk_free, layout), file=sys.stderr)
    else:
        table.show(console, status, settings, layout)
    return 0 if status.all_running else 1


def _logs(part: str | None, lines: int, *, follow: bool) -> int:
    settings = _settings_that_are_right()
    layout = make_layout(settings)
    names = [part] if part else ["supervisord", *PARTS]
    files = [str(layout.log(name)) for name in names if layout.log(name).exists()]
    if part and not files and (why := why_not_here(part, settings)):
        raise StackError(f"{part} does not run here and has no log: {why}")
    if not files:
        raise StackError(f"there are no logs in {layout.logs} yet; bash run.sh up starts the parts")
    command = ["tail", "-n", str(lines), *(["-F"] if follow else []), *files]
    return subprocess.run(command, check=False).returncode


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bash run.sh",
        description="Runs Skywatt on this machine: on Docker where an engine answers, else as plain processes.",
        epilog="Settings are in .env (see .env.example); SKYWATT_MODE=local|docker decides how it runs.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    command = commands.add_parser("up", help="start everything that does not run yet (what run.sh does by itself)")
    command.add_argument("--servers", action="store_true", help="only Kafka, MongoDB and Elasticsearch")
    command = commands.add_parser("down", help="stop everything; the data stays")
    command.add_argument("--data", action="store_true", help="remove the data and the local passwords as well")
    command = commands.add_parser("status", help="how every part and stream is; 1 where a part does not run")
    command.add_argument("--json", action="store_true", help="one line for machines")
    command = commands.add_parser("logs", help="the last lines of all logs, or of a part's")
    command.add_argument("part", nargs="?", choices=_LOGGED, metavar="part", help=", ".join(PARTS))
    command.add_argument("-f", "--follow", action="store_true", help="go on showing what is added")
    command.add_argument("-n", "--lines", type=int, default=20, help="how many lines (20)")
    commands.add_parser("doctor", help="whether this machine can run it, and how to mend what is missing")
    command = commands.add_parser("fetch", help="bring what only some need into the cache folder")
    command.add_argument("name", choices=tuple(load_lock(OPTIONAL_LOCK_FILE)), metavar="name", help="%(choices)s")
    commands.add_parser("demo", help="the story in two minutes")
    command = commands.add_parser("test", help="linters and tests; further arguments go to pytest")
    command.add_argument("suite", nargs="?", choices=tuple(SUITES), default="all", help="unit: no servers; long: all")
    return parser


if __name__ == "__main__":
    sys.exit(main())
