"""The command line of ``python -m alerts``."""

import argparse
from datetime import timedelta
from pathlib import Path

from alerts.rules_file import DEFAULT_FILE
from readings.config import ROOT
from readings.durations import parse_duration

SHORTEST = timedelta(milliseconds=100)
LONGEST = timedelta(hours=1)
EPILOG = """
examples:
  python -m alerts run                       the rules of alerts/rules.yml, a round each second
  python -m alerts run --rules my.yml --every 5s
  python -m alerts check my.yml              what is wrong in my.yml, by key
  python -m alerts list                      what is pending, firing or recovering now
  python -m alerts test-slack                one message, to see that messages arrive

Messages go to Slack by SLACK_BOT_TOKEN and SLACK_CHANNEL (scopes chat:write and channels:history), or by
SLACK_WEBHOOK_URL; with none of them they go to the log. The variables come from .env or the environment.

exit codes: 0 done or asked to end, 1 failed, 2 a setting, an argument or a rule is wrong.
"""


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    plain = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(
        prog="python -m alerts",
        description="Tells Slack, once, when readings are late or a series is silent, and again when it is well.",
        epilog=EPILOG,
        formatter_class=plain,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser(
        "run",
        help="evaluate the rules until stopped",
        description="Evaluates the rules until stopped. Waits while Elasticsearch, MongoDB or Slack is down; "
        "what fires, and what is still to be told, is kept in MongoDB.",
    )
    run.add_argument(
        "--rules",
        type=Path,
        default=DEFAULT_FILE,
        metavar="FILE",
        help=f"the rules (default: {DEFAULT_FILE.relative_to(ROOT)})",
    )
    run.add_argument(
        "--every",
        type=_every,
        default=timedelta(seconds=1),
        metavar="TIME",
        help="from the beginning of one round to the next: 1s, 30s, 5min (default: 1s)",
    )

    check = commands.add_parser(
        "check",
        help="say what is wrong in a rules file",
        description="Checks a rules file against skywatt.yml and says what is wrong, by key.",
    )
    check.add_argument("file", type=Path, nargs="?", default=DEFAULT_FILE, metavar="FILE", help="the rules")

    commands.add_parser(
        "list",
        help="show what is pending, firing or recovering",
        description="Shows the alerts that are pending, firing or recovering, and messages not sent yet.",
    )
    commands.add_parser(
        "test-slack",
        help="send one message",
        description="Sends one message the way alerts go, and says what Slack answered.",
    )
    return top


def _every(text: str) -> timedelta:
    try:
        every = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not SHORTEST <= every <= LONGEST:
        raise argparse.ArgumentTypeError(f"read {text!r}, expected 0.1s to 1h")
    return every
