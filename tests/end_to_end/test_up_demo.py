"""``bash run.sh demo`` beside a stack that runs: its story comes to its end, and nothing of it is left."""

import pytest
from kafka.admin import KafkaAdminClient

from local_stack.demo import PLACE
from readings.connections import connect_elasticsearch, connect_mongodb, kafka_options
from tests.end_to_end.whole_stack import WholeStack

pytestmark = pytest.mark.timeout(900)


def test_the_demo_tells_its_story_to_the_end_and_leaves_nothing(whole_stack: WholeStack) -> None:
    parts = {part["name"]: part["pid"] for part in whole_stack.status()["parts"]}
    demo = whole_stack.run("demo")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    story = (f"{PLACE} is held back", "readings arrive: ", "none is lost", "removing the demo's", "the end: each alert")
    told = [demo.stdout.find(part) for part in story]
    assert -1 not in told, demo.stdout
    assert told == sorted(told)
    settings = whole_stack.settings
    admin = KafkaAdminClient(**kafka_options(settings))
    assert [topic for topic in admin.list_topics() if topic.startswith("skywatt_demo-")] == []
    admin.close()
    assert connect_mongodb(settings).client["skywatt_skywatt_demo"].list_collection_names() == []
    assert connect_elasticsearch(settings).indices.get(index="skywatt_demo-*").body == {}
    assert {part["name"]: part["pid"] for part in whole_stack.status()["parts"]} == parts
