"""The command line of ``python -m producer``."""

import argparse
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from producer.disorder import Disorder
from producer.replay import Holding
from producer.sources import LIVE
from readings.durations import parse_duration

EXAMPLES = """
examples:
  python -m producer serve                          all streams of skywatt.yml: live where keys are set, else recordings
  python -m producer run weather --once             one round of live weather, needs OPENWEATHERMAP_API_KEY
  python -m producer run openelectricity --dry-run --limit 20
                                                    prints the first 20 readings of facilities and the market
  python -m producer run meters --filename energy.csv --topic energy --speedup 60
                                                    an hour of the file each minute
  python -m producer backfill elhub --from 2021-01-01 --to 2021-12-31
                                                    a whole year, month by month; goes on where it was broken off
  python -m producer extract openelectricity --days 7 --out consolidate.csv
                                                    a compact cache of the last week
  python -m producer publish-mqtt consolidate.csv --shift-to-now
                                                    plays the cache to MQTT, ten events a second, again and again
  python -m producer replay recordings/weather --shift-to-now --every 60s
                                                    recorded weather as if it happened now, 28 days before it at once
  python -m producer replay my.csv --topic openweathermap --speedup 3600
                                                    an hour of my.csv each second, with its own times
  python -m producer replay recordings/weather --shift-to-now --every 5s --hold-back Bergen=40s --hold-back-after 30s
                                                    the same, but Bergen falls silent after 30 s and comes late
  python -m producer replay my.csv --speedup 60 --drop 0.02 --duplicate 0.1 --shuffle 30s
                                                    a bad network: some are lost, some come twice, most out of order
  python -m producer go-live weather                removes what the replay wrote and changes over to the live source

exit codes: 0 done or asked to end, 1 failed, 2 a setting, an argument or a file is wrong.
Addresses and secrets come from .env or the environment, never from the command line.
"""


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    plain = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(
        prog="python -m producer",
        description="Brings readings from their sources to Kafka.",
        epilog=EXAMPLES,
        formatter_class=plain,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    commands.add_parser(
        "serve",
        help="feed every stream of skywatt.yml until stopped",
        description="Feeds every stream of skywatt.yml: live where its source's variables are set, else from its "
        "recording. Waits while Kafka or MongoDB is down. Runs until it is stopped.",
    )

    run = commands.add_parser(
        "run",
        help="feed the streams of one source, or one stream from its live source",
        description="Feeds the streams of a live source, or one stream from the first of its sources that is set, "
        "until stopped.",
    )
    run.add_argument("name", help=f"a source ({', '.join(LIVE)}) or a stream of skywatt.yml, e.g. weather")
    run.add_argument("--once", action="store_true", help="what there is by now (a single round), then end")
    _add_common(run)
    run.add_argument("--filename", type=Path, metavar="FILE", help="meters only: play this CSV once, then end")
    run.add_argument("--topic", help="with --filename: a topic, without the namespace (default: the meters' own)")
    run.add_argument(
        "--speedup",
        type=_positive(float, "a factor like 60"),
        metavar="N",
        help="with --filename: divide the gaps between the file's times by N (default 1)",
    )

    backfill = commands.add_parser(
        "backfill",
        help="send the readings of chosen days",
        description="Asks a source for the readings of chosen days, piece by piece, and sends them with mode backfill. "
        "Called again with the same days it goes on where it was broken off.",
    )
    backfill.add_argument("source", choices=sorted(name for name, live in LIVE.items() if live.spans), metavar="SOURCE")
    backfill.add_argument("--from", dest="first", type=_day, required=True, metavar="2021-01-01")
    backfill.add_argument("--to", dest="last", type=_day, required=True, metavar="2021-12-31")
    _add_common(backfill)

    extract = commands.add_parser(
        "extract",
        help="write the compact cache of facilities and the market",
        description="Asks OpenElectricity for the last days of all facilities and regions of skywatt.yml and writes "
        "them as one CSV: a row a timestamp, a column a facility or region and metric.",
    )
    extract.add_argument("source", choices=["openelectricity"], metavar="openelectricity")
    extract.add_argument("--days", type=_positive(int, "a number of days"), default=7, metavar="7")
    extract.add_argument("--out", type=Path, required=True, metavar="consolidate.csv")
    _add_common(extract, "print the readings instead of writing the file")

    publish = commands.add_parser(
        "publish-mqtt",
        help="play a compact cache to the MQTT broker",
        description="Sends the events of a compact cache (see extract) to MQTT_TOPIC of the broker of MQTT_URL at "
        "QoS 1, pauses, and starts again.",
    )
    publish.add_argument("path", type=Path, metavar="consolidate.csv")
    publish.add_argument(
        "--delay", type=_pause, default=timedelta(seconds=0.1), metavar="0.1s", help="between two events"
    )
    publish.add_argument(
        "--cooldown", type=_pause, default=timedelta(seconds=60), metavar="60s", help="before the next cycle"
    )
    publish.add_argument(
        "--shift-to-now", action="store_true", help="move timestamps by whole days so that the last one is before now"
    )
    publish.add_argument("--once", action="store_true", help="one cycle, then end")
    publish.add_argument("--limit", type=_positive(int, "a number"), metavar="N", help="end after N events")
    publish.add_argument("--dry-run", action="store_true", help="print the events instead of sending them")

    replay = commands.add_parser(
        "replay",
        help="play a recording",
        description="Plays a recording (recordings/README.md says of which form) to its stream's topic.",
        epilog=EXAMPLES,
        formatter_class=plain,
    )
    replay.add_argument("path", type=Path, metavar="FILE_OR_DIR", help="a CSV, a .csv.gz, or a folder of them")
    replay.add_argument("--topic", help="a topic, without the namespace (default: that of the stream it records)")
    replay.add_argument(
        "--shift-to-now",
        action="store_true",
        help="move event times by whole days to now: 28 days before now go out at once, the rest when its time comes; "
        "a restart goes on where it was. With --speedup: move them so that the recording ends before now",
    )
    replay.add_argument(
        "--speedup",
        type=_positive(float, "a factor like 60"),
        metavar="N",
        help="keep the recorded event times and divide the gaps between them by N (default 1 without --shift-to-now)",
    )
    replay.add_argument("--every", type=_duration, metavar="60s", help="fill the time between readings, linearly")
    replay.add_argument(
        "--hold-back",
        type=_series_duration,
        action="append",
        default=[],
        metavar="SERIES=20m",
        help="hold a series' readings back for so long, then send them; later ones go out in time (repeatable)",
    )
    replay.add_argument(
        "--hold-back-after",
        type=_duration,
        default=timedelta(),
        metavar="30s",
        help="begin to hold back so long after the replay begins (default: at once)",
    )
    replay.add_argument(
        "--drop", type=_share, default=0.0, metavar="0.05", help="lose this share of the readings, at random"
    )
    replay.add_argument(
        "--duplicate", type=_share, default=0.0, metavar="0.05", help="send this share of the readings twice"
    )
    replay.add_argument(
        "--shuffle",
        type=_duration,
        default=timedelta(),
        metavar="5m",
        help="send each reading up to so much later than it should be, at random: so they come out of order",
    )
    replay.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the chances of --drop, --duplicate and --shuffle"
    )
    replay.add_argument("--once", action="store_true", help="with --shift-to-now: send what is due now, then end")
    _add_common(replay)

    go_live = commands.add_parser(
        "go-live",
        help="change a replayed stream over to its live source",
        description="Removes the readings that the replay wrote, and the forecasts made from them, from MongoDB and "
        "Elasticsearch, after asking; then the live source feeds the stream.",
    )
    go_live.add_argument("stream", help="a stream of skywatt.yml, e.g. weather")
    go_live.add_argument("--yes", action="store_true", help="do not ask")
    return top


def _add_common(command: argparse.ArgumentParser, dry_run: str = "print the readings instead of sending them") -> None:
    command.add_argument("--limit", type=_positive(int, "a number"), metavar="N", help="end after N readings")
    command.add_argument("--dry-run", action="store_true", help=dry_run)


def holdings(arguments: argparse.Namespace) -> list[Holding]:
    """The wished hold-backs."""
    return [Holding(series, lasts, arguments.hold_back_after) for series, lasts in arguments.hold_back]


def disorder(arguments: argparse.Namespace) -> Disorder:
    """What is to happen to readings on their way."""
    return Disorder(arguments.drop, arguments.duplicate, arguments.shuffle, arguments.seed)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"read {text!r}, expected a share from 0 to 1")
    return share


def _duration(text: str) -> timedelta:
    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if duration <= timedelta():
        raise argparse.ArgumentTypeError(f"read {text!r}, expected more than nothing")
    return duration


def _pause(text: str) -> timedelta:
    """A duration, of which none is one; a number alone is seconds."""
    try:
        return timedelta(seconds=_seconds(text))
    except ValueError:
        return _duration(text)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < 1_000_000_000:
        raise argparse.ArgumentTypeError(f"read {text!r}, expected seconds, none or more")
    return seconds


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"read {text!r}, expected a day like 2021-01-31") from None


def _series_duration(text: str) -> tuple[str, timedelta]:
    series, separator, duration = text.rpartition("=")
    if not separator or not series:
        raise argparse.ArgumentTypeError(f"read {text!r}, expected SERIES=DURATION, e.g. Bergen=20m")
    return series, _duration(duration)


def _positive(kind: Callable[[str], float], expected: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = 0
        if not 0 < number < float("inf"):
            raise argparse.ArgumentTypeError(f"read {text!r}, expected {expected}, more than 0")
        return number

    return read
