"""``python -m elk.kibana``: see ``--help``."""

import argparse
import json
import ssl
import sys
import time
from pathlib import Path
from typing import Any

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

    Raises ConfigError without an address and where Kibana's certificate is not trusted, TimeoutError where it is not up
    in time, ValueError on what it refuses.
    """
    if not settings.kibana_url:
        raise ConfigError("KIBANA_URL: not set, expected http://host:5601")
    url = f"{settings.kibana_url.rstrip('/')}/api/saved_objects/_import?overwrite=true"
    options = _options(settings)
    deadline = time.monotonic() + deadline_s
    while True:
        try:
            answer = requests.post(
                url,
                files={"file": (file.name, file.read_bytes(), "application/ndjson")},
                timeout=60,
                **options,
            )
            why = f"HTTP {answer.status_code}"
            if answer.ok or 400 <= answer.status_code < 500:
                break
        except requests.RequestException as error:
            if (mistrust := _mistrust(error)) is not None:
                raise ConfigError(
                    f"KIBANA_URL: no TLS with {settings.kibana_url}: {mistrust}\n"
                    "  → where a CA of your own signed its certificate, that CA's file (PEM) into ELASTICSEARCH_CA_FILE"
                ) from error
            why = type(error).__name__
        if time.monotonic() > deadline:
            raise TimeoutError(f"Kibana at {settings.kibana_url} is not up: {why}")
        time.sleep(RETRY_S)
    said = answer.json() if answer.ok else {}
    if not said.get("success"):
        raise ValueError(f"Kibana at {settings.kibana_url} refused the dashboards ({why}): {answer.text[:2000]}")
    return f"{said['successCount']} objects"


def _options(settings: Settings) -> dict[str, Any]:
    """Kibana knows users, keys and often the CA of its Elasticsearch: those of the settings, as requests takes them."""
    options: dict[str, Any] = {"headers": {"kbn-xsrf": "skywatt"}}
    user, password = settings.elasticsearch_username, settings.elasticsearch_password
    if settings.elasticsearch_api_key:
        options["headers"]["Authorization"] = f"ApiKey {settings.elasticsearch_api_key.get_secret_value()}"
    elif user and password:
        options["auth"] = (user, password.get_secret_value())
    if ca_file := settings.elasticsearch_ca_file:
        if not ca_file.is_file():
            raise ConfigError(f"ELASTICSEARCH_CA_FILE: read {ca_file}, expected a file of certificates (PEM)")
        options["verify"] = str(ca_file)
    return options


def _mistrust(error: requests.RequestException) -> ssl.SSLCertVerificationError | None:
    """What OpenSSL says of the certificate; other trouble with TLS may pass while Kibana starts."""
    reason = getattr(error.args[0], "reason", None) if error.args else None  # around it requests tells of tries
    said = reason.args[0] if isinstance(reason, Exception) and reason.args else None
    return said if isinstance(said, ssl.SSLCertVerificationError) else None


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
        "import",
        help="put it into the Kibana of KIBANA_URL, with ELASTICSEARCH_API_KEY or as ELASTICSEARCH_USERNAME; "
        "safe to repeat",
    )
    command.add_argument("--deadline", type=float, default=300, metavar="S", help="how long to wait for Kibana")
    return parser


if __name__ == "__main__":
    sys.exit(main())
