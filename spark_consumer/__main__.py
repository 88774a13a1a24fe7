"""``python -m spark_consumer``: see ``--help``."""

import argparse
import sys

from readings.errors import ConfigError
from readings.logs import set_up_logs
from readings.settings import load_settings


def main() -> int:
    """Runs the consumer. Gives 0 after a signal, 2 on a wrong setting, 3 where Kafka lost what was not read yet."""
    parser = argparse.ArgumentParser(
        prog="python -m spark_consumer",
        description="Reads all streams from Kafka, checks them, writes them to MongoDB and Elasticsearch, "
        "and has forecasts made. Runs until it is stopped; addresses and secrets come from .env.",
    )
    parser.parse_args()
    try:
        settings = load_settings()
        set_up_logs(settings, "consumer")
        from spark_consumer.application import Application, DataLost  # Spark is imported once the settings are right

        try:
            Application(settings).run()
        except DataLost as error:
            print(error, file=sys.stderr)
            return 3
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
