"""The command line of ``python -m alerts``."""

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alerts.rules_file import DEFAULT_FILE
from readings.config import ROOT
from readings.durations import parse_duration

SHORTEST = timedelta(milliseconds=100)
LONGEST = timedelta(hours=1)
LONGEST_SILENCE = timedelta(days=365)
EPILOG = """
examples:
  python -m alerts run                       the rules of alerts/rules.yml, a round each second
  python -m alerts run --rules my.yml --every 5s
  python -m alerts run --dry-run             prints what would be sent, and sends nothing
  python -m alerts check my.yml              what is wrong in my.yml, by line
  python -m alerts replay --from 24h         what would have been sent since yesterday
  python -m alerts list                      what is pending, firing or recovering now, and silences
  python -m alerts silence 'region=Bergen' 2h
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
    _add_rules(run)
    run.add_argument("--dry-run", action="store_true", help="print what would be sent; send nothing, keep nothing")
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
        description="Checks a rules file against skywatt.yml and says what is wrong, by line and key.",
    )
    check.add_argument("file", type=Path, nargs="?", default=DEFAULT_FILE, metavar="FILE", help="the rules")

    replay = commands.add_parser(
        "replay",
        help="say what would have been sent",
        description="Runs the rules over what is stored, on the clock of then, and prints what would have been sent.",
    )
    _add_rules(replay)
    replay.add_argument(
        "--from",
        dest="since",
        type=_moment,
        required=True,
        metavar="WHEN",
        help="the first round: 2026-11-24T03:00Z, or how long ago: 24h",
    )
    replay.add_argument("--to", dest="until", type=_moment, metavar="WHEN", help="the last round (default: now)")
    replay.add_argument(
        "--every",
        type=_every,
        default=timedelta(minutes=1),
        metavar="TIME",
        help="from one round to the next: 1s, 1min (default: 1min)",
    )

    commands.add_parser(
        "list",
        help="show what is pending, firing or recovering",
        description="Shows the alerts that are pending, firing or recovering, silences, and messages not sent yet.",
    )
    show = commands.add_parser(
        "show",
        help="show all of some alerts",
        description="Shows the whole life of the alerts whose rule, stream or series holds a text.",
    )
    show.add_argument("text", metavar="TEXT", help="Bergen, or late|weather")
    silence = commands.add_parser(
        "silence",
        help="do not tell of something for a while",
        description="Does not tell of what fits for a while. What fires still after that is told then.",
    )
    silence.add_argument(
        "matchers",
        metavar="WHAT",
        help="label=text with commas between, * for any text: 'region=Bergen', 'kind=late,price_area=NO*'; "
        "labels: rule, kind, stream, series, severity, and the fields that name a series",
    )
    silence.add_argument("span", type=_span, metavar="TIME", help="for how long: 30min, 2h, 3d")
    silence.add_argument("--why", default="", metavar="TEXT", help="for whoever reads the list")
    unsilence = commands.add_parser("unsilence", help="end a silence", description="Ends a silence.")
    unsilence.add_argument("id", metavar="ID", help="as `list` shows it")
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


def _add_rules(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--rules",
        type=Path,
        default=DEFAULT_FILE,
        metavar="FILE",
        help=f"the rules (default: {DEFAULT_FILE.relative_to(ROOT)})",
    )


def _span(text: str) -> timedelta:
    try:
        span = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not timedelta(0) < span <= LONGEST_SILENCE:
        raise argparse.ArgumentTypeError(f"read {text!r}, expected up to {LONGEST_SILENCE.days}d")
    return span


def _moment(text: str) -> datetime:
    """An instant, or how long ago."""
    try:
        return datetime.now(UTC) - parse_duration(text)
    except OverflowError as error:
        raise argparse.ArgumentTypeError(f"read {text!r}, which is before the year 1") from error
    except ValueError:
        pass
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"read {text!r}, expected 2026-11-24T03:00Z or 24h") from error
    if instant.tzinfo is None:
        raise argparse.ArgumentTypeError(f"read {text!r} without an offset, expected e.g. {text}Z or {text}+01:00")
    return instant.astimezone(UTC)
