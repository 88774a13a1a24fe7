"""``python -m alerts``: see ``--help``."""

import argparse
import signal
import sys
import threading
from datetime import UTC, datetime

from pymongo.errors import PyMongoError

from alerts import commands
from alerts.arguments import parser
from alerts.run import run
from alerts.trial import Span, dry_run, replay
from readings.errors import ConfigError
from readings.logs import set_up_logs
from readings.settings import Settings, load_settings


def main() -> int:
    """Gives 0 when done or asked to end, 1 when it failed, 2 on a wrong setting, argument or rule."""
    arguments = parser().parse_args()
    try:
        settings = load_settings()
        set_up_logs(settings, "alerts")
        return _command(arguments, settings)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except PyMongoError as error:
        sys.stderr.write(f"MongoDB could not be used: {type(error).__name__}\n")
        return 1


def _command(arguments: argparse.Namespace, settings: Settings) -> int:
    match arguments.command:
        case "run" if arguments.dry_run:
            return dry_run(settings, arguments.rules, arguments.every, _stop_on_signal(), print)
        case "run":
            return run(settings, arguments.rules, arguments.every, _stop_on_signal())
        case "check":
            return commands.check(settings, arguments.file, print)
        case "replay":
            span = Span(arguments.since, arguments.until or datetime.now(UTC), arguments.every)
            if span.since >= span.until:
                raise ConfigError(f"--from {span.since.isoformat()} is not before --to {span.until.isoformat()}")
            return replay(settings, arguments.rules, span, print)
        case "list":
            return commands.list_alerts(settings, print)
        case "show":
            return commands.show(settings, arguments.text, print)
        case "silence":
            return commands.silence(settings, arguments.matchers, arguments.span, arguments.why, print)
        case "unsilence":
            return commands.unsilence(settings, arguments.id, print)
        case _:
            return commands.test_slack(settings, print)


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    return stop


if __name__ == "__main__":
    sys.exit(main())
