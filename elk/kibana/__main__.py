"""``python -m elk.kibana``: see ``--help``."""

import argparse
import json
import sys
import time
from pathlib import Path

import requests

from elk.kibana.boards import DASHBOARDS
from elk.kibana.data_views import DATA_VIEWS
from elk.kibana.saved import ndjson
from readings.errors import ConfigError
from readings.settings import Settings, load_settings

FILE = Path(__file__).with_name("dashboards.ndjson")
RETRY_S = 3


def made() -> str:
    """What `FILE` holds: the data views, then the dashboards that read them."""
    return ndjson([*(view.saved() for view in DATA_VIEWS), *(dashboard.saved() for dashboard in DASHBOARDS)])


def import_into_kibana(settings: Settings, file: Path, deadline_s: float) -> str:
    """Puts the file's objects into KIBANA_URL, over what is there, and gives what Kibana said.

    Raises ConfigError without an address, TimeoutError where Kibana is not up in time, ValueError on what it refuses.
    """
    if not settings.kibana_url:
        raise ConfigError("KIBANA_URL: not set, expected http://host:5601")
    url = f"{settings.kibana_url.rstrip('/')}/api/saved_objects/_import?overwrite=true"
    user, password = settings.elasticsearch_username, settings.elasticsearch_password
    credentials = (user, password.get_secret_value()) if user and password else None
    deadline = time.monotonic() + deadline_s
    while True:
        try:
            answer = requests.post(
                url,
                headers={"kbn-xsrf": "skywatt"},
                files={"file": (file.name, file.read_bytes(), "application/ndjson")},
                auth=credentials,
                timeout=60,
            )
            why = f"HTTP {answer.status_code}"
            if answer.ok or 400 <= answer.status_code < 500:
                break
        except requests.RequestException as error:
            why = type(error).__name__
        if time.monotonic() > deadline:
            raise TimeoutError(f"Kibana at {settings.kibana_url} is not up: {why}")
        time.sleep(RETRY_S)
    said = answer.json() if answer.ok else {}
    if not said.get("success"):
        raise ValueError(f"Kibana at {settings.kibana_url} refused the dashboards ({why}): {answer.text[:2000]}")
    return f"{said['successCount']} objects"


def main() -> int:
    """Gives 0 when done, 1 where Kibana was not there in time or refused, 2 on a wrong setting."""
    arguments = _parser().parse_args()
    if arguments.command == "write":
        FILE.write_text(made())
        print(f"{FILE} written: {len(made().splitlines())} objects")
        return 0
    try:
        print(f"in Kibana: {import_into_kibana(load_settings(), FILE, arguments.deadline)}")
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except (TimeoutError, ValueError, json.JSONDecodeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m elk.kibana", description="Skywatt's Kibana dashboards.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("write", help=f"make {FILE.name} of elk/kibana/boards")
    command = commands.add_parser(
        "import", help="put it into the Kibana of KIBANA_URL, as ELASTICSEARCH_USERNAME; safe to repeat"
    )
    command.add_argument("--deadline", type=float, default=300, metavar="S", help="how long to wait for Kibana")
    return parser


if __name__ == "__main__":
    sys.exit(main())
