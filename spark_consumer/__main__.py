"""``python -m spark_consumer``: see ``--help``."""

import argparse
import sys
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from elasticsearch import ApiError, TransportError
from kafka.errors import KafkaError
from pymongo.errors import PyMongoError
from rich.console import Console

from readings.connections import connect_elasticsearch, connect_mongodb
from readings.errors import ConfigError
from readings.logs import set_up_logs
from readings.settings import Settings, load_settings
from readings.stream import load_streams

EXAMPLES = """examples:
  python -m spark_consumer                                run it
  python -m spark_consumer show meters                    today's totals of every meter
  python -m spark_consumer show meters --day 2026-10-25 --meter home-A --meter home-B
  python -m spark_consumer redrive --reason "power_mw" --dry-run
                                                          what would be sent again, now that the bounds are mended
  python -m spark_consumer read-cassandra --to-mongodb    production from Cassandra, upserted into MongoDB

exit codes: 0 done or asked to end, 1 there is nothing to show or a server did not answer, 2 a setting or an argument is
wrong, 3 Kafka deleted messages before they were read. Addresses and secrets come from .env or the environment."""

IN_A_FILE = 10_000
"""Characters a line where nobody looks at a terminal: all meters stand beside each other."""


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    whole = argparse.ArgumentParser(
        prog="python -m spark_consumer",
        description="Reads all streams from Kafka, checks them, writes them to MongoDB and Elasticsearch, adds up the "
        "meters and has forecasts made. Runs until it is stopped.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = whole.add_subparsers(dest="command", metavar="COMMAND")
    show = commands.add_parser("show", help="print results as tables")
    show.add_argument("what", choices=["meters"])
    show.add_argument("--day", type=date.fromisoformat, metavar="2026-10-25", help="a day (default: today)")
    show.add_argument("--meter", action="append", default=[], metavar="NAME", help="this one only (repeatable)")
    again = commands.add_parser("redrive", help="send dead letters again, each once")
    again.add_argument("--reason", metavar="TEXT", help="those alone whose reason holds the text")
    again.add_argument("--stream", metavar="S", help="those of this stream alone")
    again.add_argument("--dry-run", action="store_true", help="tell what would be sent, and send nothing")
    read = commands.add_parser("read-cassandra", help="show production as Cassandra has it, or bring it to MongoDB")
    read.add_argument("--to-mongodb", action="store_true", help="upsert it into MongoDB, by the same _id")
    return whole


def main() -> int:
    """Runs the command, and without one the consumer: its exit code."""
    arguments = parser().parse_args()
    try:
        settings = load_settings()
        set_up_logs(settings, "consumer")
        match arguments.command:
            case "show":
                return _show(arguments, settings)
            case "redrive":
                return _redrive(arguments, settings)
            case "read-cassandra":
                return _read_cassandra(arguments, settings)
            case _:
                return _run(settings)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except (PyMongoError, ApiError, TransportError, KafkaError) as error:
        if arguments.command is None:
            raise  # it waits for servers; what it does not wait for is a fault of ours
        print(f"ended by: {type(error).__name__}: {str(error)[:300]}", file=sys.stderr)
        return 1


def _read_cassandra(arguments: argparse.Namespace, settings: Settings) -> int:
    from spark_consumer import read_cassandra

    return read_cassandra.run(settings, to_mongodb=arguments.to_mongodb)


def _run(settings: Settings) -> int:
    from spark_consumer.application import Application  # Spark is imported once the settings are right
    from spark_consumer.checkpoint import DataLost

    try:
        Application(settings).run()
    except DataLost as error:
        print(error, file=sys.stderr)
        return 3
    return 0


def _show(arguments: argparse.Namespace, settings: Settings) -> int:
    from spark_consumer.meters import show
    from spark_consumer.meters.tariff import Calendar, tariff_of

    tariff = tariff_of(settings)
    zone = ZoneInfo(tariff.zone)
    wanted = arguments.day or datetime.now(UTC).astimezone(zone).date()
    database = connect_mongodb(settings)
    console = Console()
    if not console.is_terminal:
        console.width = IN_A_FILE
    tables = show.tables(database, Calendar(tariff).day(wanted), zone, arguments.meter, console.width)
    if not tables:
        newest = show.newest_day(database, arguments.meter)
        hint = f"the newest are of {newest}: --day {newest}" if newest else "there are none at all yet"
        of = f"{' and '.join(arguments.meter)} on " if arguments.meter else ""
        console.print(f"No totals of {of}{wanted}; {hint}.", markup=False, highlight=False)
        return 1
    for title, table in tables:
        console.print(title, markup=False, highlight=False, soft_wrap=True)
        console.print(table)
    return 0


def _redrive(arguments: argparse.Namespace, settings: Settings) -> int:
    from spark_consumer.redrive import redrive
    from spark_consumer.sinks.dead_letters import make_producer

    streams = load_streams(settings)
    if arguments.stream not in (None, *streams):
        raise ConfigError(f"--stream: read {arguments.stream!r}, expected one of {', '.join(streams)}")
    sent = redrive(
        connect_elasticsearch(settings),
        connect_mongodb(settings),
        make_producer(settings),
        settings.prefix,
        arguments.reason,
        arguments.stream,
        streams,
        dry_run=arguments.dry_run,
    )
    for reason, number in sent.most_common():
        print(f"{number:>8,}  {reason}")
    print(f"{sent.total():,} dead letters {'would be' if arguments.dry_run else 'were'} sent again")
    return 0


if __name__ == "__main__":
    sys.exit(main())
