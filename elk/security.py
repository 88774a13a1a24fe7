"""Roles and users of an Elasticsearch that keeps them itself: one user a kind of work, with the least rights each.

The roles are the files of ``elk/elasticsearch/roles``, in the shape of ``PUT _security/role``.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch
from pydantic import SecretStr

from readings.errors import ConfigError
from readings.settings import Settings

ROLES = Path(__file__).parent / "elasticsearch" / "roles"

USERS: Mapping[str, tuple[str, str]] = {
    "skywatt_writer": ("skywatt_writer", "docker_writer_password"),
    "skywatt_reader": ("skywatt_reader", "docker_reader_password"),
    "skywatt_logstash": ("skywatt_logstash", "docker_logstash_password"),
    "skywatt_keeper": ("skywatt_keeper", "docker_keeper_password"),
    "skywatt": ("skywatt_kibana", "local_elasticsearch_password"),
}
"""By user: its role, and the setting that holds its password. ``skywatt`` is the person, at
Kibana and on this machine."""

KIBANA_SYSTEM = ("kibana_system", "docker_kibana_system_password")
"""Elasticsearch's own user for the Kibana server, with rights of its own."""

_JSON = {"content-type": "application/json", "accept": "application/json"}


def roles() -> dict[str, dict[str, Any]]:
    """The roles by name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(ROLES.glob("*.json"))}


def put_security(client: Elasticsearch, settings: Settings) -> list[str]:
    """Puts roles and users, over what is there, and gives the users' names.

    Raises ConfigError where a password is not set, before anything is put, and what the client raises.
    """
    passwords = {user: _password(settings, name) for user, (_, name) in USERS.items()}
    kibana_system, name = KIBANA_SYSTEM
    kibana_password = _password(settings, name)
    for role, body in roles().items():
        client.perform_request("PUT", f"/_security/role/{role}", headers=_JSON, body=body)
    for user, (role, _) in USERS.items():
        body = {"password": passwords[user].get_secret_value(), "roles": [role]}
        client.perform_request("PUT", f"/_security/user/{user}", headers=_JSON, body=body)
    body = {"password": kibana_password.get_secret_value()}
    client.perform_request("PUT", f"/_security/user/{kibana_system}/_password", headers=_JSON, body=body)
    return [*USERS, kibana_system]


def _password(settings: Settings, name: str) -> SecretStr:
    password: SecretStr = getattr(settings, name)
    if len(password.get_secret_value()) < 8:
        raise ConfigError(f"{name.upper()}: expected 8 or more characters (what was read is not shown)")
    return password
