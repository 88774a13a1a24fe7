"""``python -m producer``: see ``--help``."""

import argparse
import signal
import sys

from producer.clock import WallClock
from producer.errors import RecordingError, Stopped
from producer.serve import serve
from readings.errors import ConfigError
from readings.logs import set_up_logs
from readings.settings import load_settings


def main() -> int:
    """Gives 0 when done or asked to end, 1 when it failed, 2 on a wrong setting, argument or file."""
    parser = argparse.ArgumentParser(prog="python -m producer")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve")
    arguments = parser.parse_args()
    clock = WallClock()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: clock.stop())
    try:
        settings = load_settings()
        set_up_logs(settings, "producer")
        if arguments.command == "serve":
            serve(settings, clock)
    except Stopped:
        return 0
    except (ConfigError, RecordingError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
