"""``python -m producer``: see ``--help``."""

import argparse
import signal
import sys

from elasticsearch import ApiError, TransportError
from pymongo.errors import PyMongoError

from producer import commands
from producer.arguments import parser
from producer.clock import WallClock
from producer.errors import NotRead, RecordingError, Stopped, Superseded
from producer.serve import serve
from readings.errors import ConfigError
from readings.logs import set_up_logs
from readings.settings import Settings, load_settings


def main() -> int:
    """Gives 0 when done or asked to end, 1 when it failed, 2 on a wrong setting, argument or file."""
    arguments = parser().parse_args()
    clock = WallClock()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: clock.stop())
    try:
        settings = load_settings()
        set_up_logs(settings, "producer")
        return _command(arguments, settings, clock)
    except Stopped:
        return 0
    except (ConfigError, RecordingError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (NotRead, Superseded) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (PyMongoError, TransportError, ApiError) as error:
        sys.stderr.write(f"a store could not be used: {type(error).__name__}: {str(error)[:300]}\n")
        return 1


def _command(arguments: argparse.Namespace, settings: Settings, clock: WallClock) -> int:
    match arguments.command:
        case "run":
            return commands.run(arguments, settings, clock)
        case "replay":
            return commands.replay(arguments, settings, clock)
        case "backfill":
            return commands.backfill(arguments, settings, clock)
        case "extract":
            return commands.extract(arguments, settings, clock)
        case "publish-mqtt":
            return commands.publish_mqtt(arguments, settings, clock)
        case "go-live":
            return commands.go_live(arguments, settings, clock)
        case _:
            serve(settings, clock)
            return 0


if __name__ == "__main__":
    sys.exit(main())
