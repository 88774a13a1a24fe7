"""``python -m readings.health PART``: whether a part is heard of, for a container's health check."""

import argparse
import sys
from datetime import UTC, datetime

from pymongo.errors import PyMongoError

from readings.connections import connect_mongodb
from readings.errors import ConfigError
from readings.parts import COLLECTION, is_alive
from readings.settings import load_settings


def main() -> int:
    """Gives 0 where the part told of itself lately and has not failed, 1 where not, 2 on a wrong setting."""
    parser = argparse.ArgumentParser(
        prog="python -m readings.health", description="Ends with 0 where a part is well, by its heartbeat in MongoDB."
    )
    parser.add_argument("part", help="consumer, producer or alerts")
    part = parser.parse_args().part
    try:
        told = connect_mongodb(load_settings(), timeout_s=3)[COLLECTION].find_one({"_id": part})
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except PyMongoError as error:
        print(f"mongodb: {type(error).__name__}", file=sys.stderr)
        return 1
    if told is None or not is_alive(told, datetime.now(UTC)):
        print(f"{part}: {'never heard of' if told is None else 'not heard of since ' + told['at'].isoformat()}")
        return 1
    print(f"{part}: {told['state']} {told['waiting_for'] or ''}".rstrip())
    return 1 if told["state"] == "failed" else 0


if __name__ == "__main__":
    sys.exit(main())
