"""``python -m alerts``: see ``--help``."""

import argparse
import signal
import sys
import threading

from pymongo.errors import PyMongoError

from alerts import commands
from alerts.arguments import parser
from alerts.run import run
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
        case "run":
            stop = threading.Event()
            for name in (signal.SIGTERM, signal.SIGINT):
                signal.signal(name, lambda *_: stop.set())
            return run(settings, arguments.rules, arguments.every, stop)
        case "check":
            return commands.check(settings, arguments.file, print)
        case "list":
            return commands.list_alerts(settings, print)
        case _:
            return commands.test_slack(settings, print)


if __name__ == "__main__":
    sys.exit(main())
