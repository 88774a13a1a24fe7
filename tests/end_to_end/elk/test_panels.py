"""What is behind every panel, asked of a real Elasticsearch filled with the recordings."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from elasticsearch import Elasticsearch

from elk.kibana.__main__ import FILE
from elk.setup import put_templates
from elk.templates import templates
from local_stack.spare import SpareStack
from readings.connections import connect_elasticsearch
from readings.stream import load_streams
from tests.elk.conftest import Arrivals
from tests.elk.filling import documents, operations
from tests.elk.panels import Source, objects, request, sources, values

pytestmark = pytest.mark.timeout(300)

SOURCES = list(sources(objects(FILE.read_text())))


@pytest.fixture(scope="module")
def filled(stack: SpareStack, arrivals: Arrivals) -> Iterator[tuple[Elasticsearch, datetime]]:
    """Elasticsearch with everything that the dashboards show, and nothing else, up to an instant."""
    now = datetime.now(UTC).replace(microsecond=0)  # Kafka's times have milliseconds: none is rounded beyond it
    streams = load_streams(stack.settings)
    view = connect_elasticsearch(stack.settings)
    bodies = templates("", streams)
    patterns = ",".join(body["index_patterns"][0] for body in bodies.values())
    for index in view.indices.get_alias(index=patterns):  # of the other tests
        view.indices.delete(index=index)
    put_templates(view, bodies)
    for body in operations(documents(streams, now, arrivals)):
        answer = view.perform_request(
            "POST",
            "/_bulk?filter_path=errors,items.*.error",
            headers={"content-type": "application/x-ndjson", "accept": "application/json"},
            body=body,
        )
        assert not answer["errors"], answer["items"][:3]
    view.indices.refresh(index=patterns)
    yield view, now
    for index in view.indices.get_alias(index=patterns):
        view.indices.delete(index=index)


@pytest.mark.parametrize("source", SOURCES, ids=lambda one: f"{one.dashboard['id']}: {one.title}")
def test_a_panel_has_something_to_show(filled: tuple[Elasticsearch, datetime], source: Source) -> None:
    view, now = filled
    answer = view.search(index=source.data_view["title"], **request(source, now)).body
    assert answer["_shards"]["failed"] == 0
    if not source.columns:
        assert len(answer["aggregations"]["series"]["buckets"]) > 1
        return
    for name, numbers in values(source, answer).items():
        assert any(numbers), f"{name}: read {numbers[:5]}"
