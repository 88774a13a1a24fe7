import fnmatch

import pytest

from elk.security import roles
from elk.templates import templates
from readings.settings import Settings
from readings.stream import load_streams


def bodies(prefix: str = "") -> dict:
    settings = Settings(_env_file=None, skywatt_namespace=prefix)
    return templates(settings.prefix, load_streams(settings))


def properties(name: str) -> dict:
    return bodies()[name]["template"]["mappings"]["properties"]


def test_types_and_units_come_from_the_model() -> None:
    weather = properties("readings-weather")
    assert weather["temperature_c"] == {"type": "double", "meta": {"unit": "°C"}}
    assert weather["rain_mm"] == {"type": "double", "meta": {"unit": "mm"}}
    assert weather["region"] == {"type": "keyword"}
    assert weather["timestamp"] == weather["sunrise"] == {"type": "date"}
    assert weather["location"] == {"type": "geo_point"}
    assert weather["mode"] == {"type": "keyword"}


def test_no_template_lets_a_field_in_that_it_does_not_name() -> None:
    assert {body["template"]["mappings"]["dynamic"] for body in bodies().values()} == {"strict"}


def test_a_dead_letters_message_is_kept_and_not_indexed() -> None:
    assert properties("dead-letters")["message"] == {"type": "keyword", "index": False, "doc_values": False}
    assert properties("dead-letters")["partition"] == {"type": "long"}


def test_a_namespace_sets_names_and_patterns_apart() -> None:
    for name, body in bodies("demo").items():
        assert name.startswith("demo-")
        assert all(pattern.startswith("demo-") for pattern in body["index_patterns"])


@pytest.mark.parametrize("role", ["skywatt_writer", "skywatt_reader", "skywatt_kibana"])
def test_whoever_asks_may_read_every_index(role: str) -> None:
    """The alert engine is the writer: a rule may ask for any index."""
    granted = [one for one in roles()[role]["indices"] if {"read", "view_index_metadata"} <= set(one["privileges"])]
    names = [name for one in granted for name in one["names"]]
    for body in bodies().values():
        (pattern,) = body["index_patterns"]
        assert any(fnmatch.fnmatch(pattern, name) for name in names), pattern
