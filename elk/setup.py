"""``python -m elk.setup``: puts index templates, and where asked users and topics, in place, as often as one likes.

A template says how indices are made. Those that are there get the fields that it has and they have not, for the month
may go on for weeks, and what a newer version writes is refused where a field is not known.
"""

import argparse
import sys
import time
from typing import Any

from elasticsearch import (
    ApiError,
    AuthenticationException,
    AuthorizationException,
    BadRequestError,
    Elasticsearch,
    TransportError,
)
from kafka.errors import KafkaError

from elk.security import put_security
from elk.templates import templates
from readings.connections import connect_elasticsearch, make_topics
from readings.errors import ConfigError
from readings.settings import load_settings
from readings.stream import load_streams

RETRY_S = 2


def main() -> int:
    """Gives 0 when every template is in place, 1 when Elasticsearch was not there in time, 2 on a wrong setting."""
    parser = argparse.ArgumentParser(
        prog="python -m elk.setup", description="Puts Skywatt's index templates into Elasticsearch; safe to repeat."
    )
    parser.add_argument("--deadline", type=float, default=120, metavar="S", help="how long to wait for Elasticsearch")
    parser.add_argument("--security", action="store_true", help="roles and users too; needs a user that may do that")
    parser.add_argument("--topics", action="store_true", help="Kafka's topics too")
    arguments = parser.parse_args()
    deadline = time.monotonic() + arguments.deadline
    try:
        settings = load_settings()
        streams = load_streams(settings)
        client = connect_elasticsearch(settings)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    while True:
        try:
            users = put_security(client, settings) if arguments.security else []
            bodies = templates(settings.prefix, streams)
            names = put_templates(client, bodies)
            refused = add_fields(client, bodies)
            if arguments.topics:
                make_topics(settings, streams)
        except ConfigError as error:
            print(error, file=sys.stderr)
            return 2
        except (AuthenticationException, AuthorizationException) as error:
            print(
                f"Elasticsearch at {settings.elasticsearch_address} refused the user or its rights "
                f"(HTTP {error.meta.status}); set ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD, "
                "or ELASTICSEARCH_API_KEY",
                file=sys.stderr,
            )
            return 2
        except (TransportError, ApiError, KafkaError) as error:
            if time.monotonic() > deadline:
                where = "Kafka" if isinstance(error, KafkaError) else "Elasticsearch"
                address = settings.kafka_address if where == "Kafka" else settings.elasticsearch_address
                print(f"{where} at {address}: {error}", file=sys.stderr)
                return 1
            time.sleep(RETRY_S)
        else:
            print(f"index templates in place: {', '.join(names)}")
            _tell(refused)
            if users:
                print(f"users in place: {', '.join(users)}")
            return 0


def put_templates(client: Elasticsearch, bodies: dict[str, dict[str, Any]]) -> list[str]:
    """Puts the templates, over what is there, and gives their names. Raises what the client raises."""
    for name, body in bodies.items():
        client.perform_request("PUT", f"/_index_template/{name}", headers=_JSON, body=body)
    return list(bodies)


def add_fields(client: Elasticsearch, bodies: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Gives the indices that are there the fields that are new in their templates.

    Gives those that do not take them, as one that has a field otherwise, with Elasticsearch's reason (their pattern
    where the user may not see their names). Raises what else the client raises.
    """
    refused: dict[str, str] = {}
    for body in bodies.values():
        fields = {"properties": body["template"]["mappings"]["properties"]}
        for pattern in body["index_patterns"]:
            if _take(client, pattern, fields) is None:
                continue
            for index in _indices(client, pattern):  # one refuses for all
                if (reason := _take(client, index, fields)) is not None:
                    refused[index] = reason
    return refused


def _take(client: Elasticsearch, indices: str, fields: dict[str, Any]) -> str | None:
    """Gives indices fields; None where they took them, else Elasticsearch's reason."""
    try:
        client.perform_request("PUT", f"/{indices}/_mapping", params=_IF_THERE, headers=_JSON, body=fields)
    except (BadRequestError, AuthorizationException) as error:
        return str(error.body["error"]["reason"])
    return None


def _indices(client: Elasticsearch, pattern: str) -> list[str]:
    """Those that are there; the pattern itself where the user may not see which."""
    try:
        answer = client.perform_request("GET", f"/{pattern}/_settings", params=_IF_THERE, headers=_JSON)
    except AuthorizationException:
        return [pattern]
    return sorted(answer.body)


def _tell(refused: dict[str, str]) -> None:
    for index, reason in refused.items():
        print(
            f"{index} does not take the fields of its template ({reason}): what is written to it may be refused. "
            "A user without the right `manage` of it needs that; else delete it, then `python -m elk.rebuild`",
            file=sys.stderr,
        )


_IF_THERE = {"allow_no_indices": "true", "ignore_unavailable": "true"}
_JSON = {"content-type": "application/json", "accept": "application/json"}


if __name__ == "__main__":
    sys.exit(main())
