"""Templates, rights and retention on a real Elasticsearch."""

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import bcrypt
import pytest
import yaml
from elasticsearch import (
    AuthenticationException,
    AuthorizationException,
    BadRequestError,
    Elasticsearch,
    NotFoundError,
)

from elk.retention import drop_expired
from elk.security import KIBANA_SYSTEM, USERS, put_security, roles
from elk.setup import put_templates
from elk.templates import templates
from local_stack.spare import SpareStack
from readings.config import ROOT
from readings.errors import ConfigError
from readings.settings import Settings
from readings.stream import load_streams

pytestmark = pytest.mark.timeout(300)

PASSWORD = "a-password-of-the-tests"
AT = "2026-11-24T12:00:00Z"
VALUES: dict[str, Any] = {
    "keyword": "x",
    "date": AT,
    "double": 1.5,
    "long": 1,
    "integer": 1,
    "boolean": True,
    "text": "x",
    "geo_point": {"lat": 60.0, "lon": 5.0},
    "flattened": {"any": "x"},
}


def full_document(properties: dict[str, Any]) -> dict[str, Any]:
    """A document with every field of a mapping."""
    return {
        name: full_document(field["properties"]) if "properties" in field else VALUES[field["type"]]
        for name, field in properties.items()
        if field.get("type") != "alias"
    }


@pytest.fixture(scope="module")
def users(stack: SpareStack) -> dict[str, Elasticsearch]:
    """A client for each user, and for ``admin``, who may do everything.

    This server cannot keep users in an index, so they and the roles of the JSON files go into its files, which it
    reads again by itself.
    """
    config = stack.layout.server("elasticsearch") / "config"
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds=4, prefix=b"2a")).decode()
    held = {"admin": "superuser"} | {user: role for user, (role, _) in USERS.items() if user != "skywatt"}
    held["person"] = USERS["skywatt"][0]  # the local server has a skywatt already
    with (config / "roles.yml").open("a") as file:
        file.write(yaml.safe_dump(roles()))
    with (config / "users").open("a") as names, (config / "users_roles").open("a") as users_roles:
        names.writelines(f"{user}:{hashed}\n" for user in held)
        users_roles.writelines(f"{role}:{user}\n" for user, role in held.items())
    clients = {user: Elasticsearch(stack.settings.elasticsearch_address, basic_auth=(user, PASSWORD)) for user in held}
    deadline = time.monotonic() + 60
    for user, client in clients.items():
        while not _knows(client, held[user]):
            assert time.monotonic() < deadline, f"Elasticsearch does not know {user}"
            time.sleep(0.5)
    clients["skywatt"] = clients.pop("person")
    return clients


def _knows(client: Elasticsearch, role: str) -> bool:
    try:
        known = client.security.authenticate()["roles"] == [role]
        client.search(index="arrivals-*", ignore_unavailable=True)
    except AuthenticationException:
        return False
    except AuthorizationException as refused:
        return known and ("skywatt_logstash" in str(refused) or "skywatt_keeper" in str(refused))
    return known


@pytest.fixture(scope="module")
def superuser(users: dict[str, Elasticsearch]) -> Elasticsearch:
    return users["admin"]


@pytest.fixture(scope="module")
def bodies(stack: SpareStack, superuser: Elasticsearch) -> dict[str, dict[str, Any]]:
    made = templates("", load_streams(stack.settings))
    put_templates(superuser, made)
    put_templates(superuser, made)  # again: it changes nothing
    return made


def test_every_template_takes_its_fields_and_no_other(
    superuser: Elasticsearch, bodies: dict[str, dict[str, Any]]
) -> None:
    for name, body in bodies.items():
        document = full_document(body["template"]["mappings"]["properties"])
        index = body["index_patterns"][0].replace("*", "2026.11")
        superuser.index(index=index, id="1", document=document, refresh=True)
        with pytest.raises(BadRequestError, match="strict_dynamic_mapping"):
            superuser.index(index=index, id="2", document={**document, "unknown": 1})
        assert superuser.count(index=index)["count"] == 1, name


def test_indices_that_are_there_take_a_newer_templates_fields(
    stack: SpareStack, superuser: Elasticsearch, bodies: dict[str, dict[str, Any]]
) -> None:
    older = {
        "totals-meter-2026.08": {"sensor_id": {"type": "text"}},
        "totals-meter-2026.09": {"sensor_id": {"type": "keyword"}},
        "alerts-2026.09": {"rule": {"type": "keyword"}},
    }
    for index, properties in older.items():
        template = {"dynamic": "strict", "properties": properties}
        superuser.perform_request("PUT", f"/_index_template/{index}", headers=JSON, body=_of_one(index, template))
        superuser.indices.create(index=index)
        superuser.indices.delete_index_template(name=index)
    total = full_document(bodies["totals-meter"]["template"]["mappings"]["properties"])
    with pytest.raises(BadRequestError, match="strict_dynamic_mapping"):
        superuser.index(index="totals-meter-2026.09", document=total)
    superuser.indices.put_settings(index="alerts-2026.09", settings={"index.blocks.read_only": True})
    answer = subprocess.run(
        [sys.executable, "-m", "elk.setup"],
        cwd=ROOT,
        env=stack.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0
    otherwise, archived = answer.stderr.splitlines()
    assert otherwise.startswith(
        "totals-meter-2026.08 does not take the fields of its template (mapper [sensor_id] cannot"
    )
    assert archived.startswith(
        "alerts-2026.09 does not take the fields of its template (index [alerts-2026.09] blocked"
    )
    superuser.index(index="totals-meter-2026.09", document=total)
    superuser.indices.put_settings(index="alerts-2026.09", settings={"index.blocks.read_only": False})
    superuser.indices.delete(index=list(older))


JSON = {"content-type": "application/json", "accept": "application/json"}


def _of_one(index: str, mappings: dict[str, Any]) -> dict[str, Any]:
    """A template that goes before ours."""
    return {"index_patterns": [index], "priority": 300, "template": {"mappings": mappings}}


def test_every_streams_readings_have_an_event_time(superuser: Elasticsearch, bodies: dict[str, Any]) -> None:
    for stream in load_streams(Settings(_env_file=None)).values():
        answer = superuser.search(
            index=f"readings-{stream.name}-*", size=0, aggs={"newest": {"max": {"field": "event_time"}}}
        )
        assert answer["aggregations"]["newest"]["value_as_string"] == "2026-11-24T12:00:00.000Z"
    assert bodies


ALLOWED = {
    "skywatt_writer": {
        *("write readings", "write alerts", "delete readings"),
        *("read readings", "read arrivals", "read service logs"),
    },
    "skywatt_reader": {"read readings", "read arrivals", "read service logs"},
    "skywatt_logstash": {"write arrivals"},
    "skywatt_keeper": {"drop arrivals"},
    "skywatt": {"read readings", "read arrivals", "read service logs"},
}


@pytest.mark.parametrize("user", USERS)
def test_a_user_may_do_its_work_and_nothing_else(users: dict[str, Elasticsearch], bodies: dict, user: str) -> None:
    client = users[user]
    arrival = full_document(bodies["arrivals"]["template"]["mappings"]["properties"])
    alert = full_document(bodies["alerts"]["template"]["mappings"]["properties"])
    reading = full_document(bodies["readings-meter"]["template"]["mappings"]["properties"])
    attempts = {
        "write readings": lambda: client.index(index="readings-meter-2026.10", id="9", document=reading),
        "write arrivals": lambda: client.index(index="arrivals-2026.10", id="9", document=arrival),
        "write alerts": lambda: client.index(index="alerts-2026.10", id="9", document=alert),
        "read readings": lambda: client.search(index="readings-meter-2026.11"),
        "read arrivals": lambda: client.search(index="arrivals-2026.11"),
        "read service logs": lambda: client.search(index="service-logs-2026.11"),
        "delete readings": lambda: client.delete(index="readings-meter-2026.10", id="9"),
        "drop arrivals": lambda: client.indices.delete(index="arrivals-2026.11"),
        "put templates": lambda: put_templates(client, bodies),
        "change users": lambda: client.perform_request(
            "GET", "/_security/user", headers={"accept": "application/json"}
        ),
    }
    done = set()
    for what, attempt in attempts.items():
        try:
            attempt()
        except AuthorizationException:
            continue
        except NotFoundError:  # it may, and there is nothing
            pass
        done.add(what)
    assert done == ALLOWED[user]


class Recorder:
    """Stands in for a client: what was put."""

    def __init__(self) -> None:
        self.put: list[tuple[str, dict[str, Any]]] = []

    def perform_request(self, method: str, path: str, headers: dict[str, str], body: dict[str, Any]) -> None:
        assert method == "PUT"
        assert headers
        self.put.append((path, body))


def test_roles_come_before_their_users_and_each_user_gets_its_password() -> None:
    names = [*(name for _, name in USERS.values()), KIBANA_SYSTEM[1]]
    recorder = Recorder()
    put_security(recorder, Settings(_env_file=None, **{name: f"{name}-1" for name in names}))
    paths = [path for path, _ in recorder.put]
    assert paths == [
        *(f"/_security/role/{role}" for role in roles()),
        *(f"/_security/user/{user}" for user in USERS),
        "/_security/user/kibana_system/_password",
    ]
    assert dict(recorder.put)["/_security/user/skywatt_logstash"] == {
        "password": "docker_logstash_password-1",
        "roles": ["skywatt_logstash"],
    }


def test_without_a_password_nothing_is_put() -> None:
    recorder = Recorder()
    with pytest.raises(ConfigError, match="DOCKER_WRITER_PASSWORD"):
        put_security(recorder, Settings(_env_file=None))
    assert recorder.put == []


def test_there_is_a_role_for_each_user_and_no_other() -> None:
    assert set(roles()) == {role for role, _ in USERS.values()}
    for role in roles().values():
        assert not {"all", "manage", "superuser"} & set(role["cluster"])
        assert not any("*" in index["names"] or "all" in index["privileges"] for index in role["indices"])


def test_retention_drops_the_months_that_are_over_and_keeps_the_others(
    stack: SpareStack, users: dict[str, Elasticsearch], superuser: Elasticsearch, bodies: dict[str, Any]
) -> None:
    streams = load_streams(stack.settings)
    document = full_document(bodies["service-logs"]["template"]["mappings"]["properties"])
    for month in ("2026.08", "2026.09", "2026.10"):
        superuser.index(index=f"service-logs-{month}", document=document)
    fetched_later = "readings-production-2021.06"
    superuser.index(
        index=fetched_later, document=full_document(bodies["readings-production"]["template"]["mappings"]["properties"])
    )
    keeper = users["skywatt_keeper"]
    now = datetime(2026, 10, 31, 1, tzinfo=UTC)
    expected = ["service-logs-2026.08", "service-logs-2026.09"]
    assert drop_expired(keeper, stack.settings, streams, now, dry_run=True) == expected
    assert superuser.indices.exists(index="service-logs-2026.08")
    assert drop_expired(keeper, stack.settings, streams, now, dry_run=False) == expected
    assert not superuser.indices.exists(index="service-logs-2026.09")
    assert superuser.indices.exists(index="service-logs-2026.10")
    assert drop_expired(keeper, stack.settings, streams, now, dry_run=False) == []
    over = datetime.now(UTC) + timedelta(days=streams["production"].config.mongodb_days + 1)
    assert fetched_later in drop_expired(keeper, stack.settings, streams, over, dry_run=True)
    superuser.indices.delete(index=fetched_later)


def test_the_command_runs_with_the_local_users_rights(stack: SpareStack) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "elk.retention", "--dry-run"],
        cwd=ROOT,
        env=stack.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
