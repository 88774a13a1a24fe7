"""Readings in Delta tables: each message's once, whatever is killed, and whichever commit is lost."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from local_stack.spare import SpareStack
from readings.stream import load_streams
from spark_consumer.offsets import offsets_read
from tests.end_to_end.consumer import Feed, delete_messages, in_mongodb, running_consumer, wait_until
from tests.end_to_end.delta_table import in_table

pytestmark = pytest.mark.timeout(600)
PLACE = ["topic", "partition", "offset"]


@pytest.mark.usefixtures("delta_jars")
def test_each_message_is_appended_once(stack: SpareStack, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    apart = stack.apart("delta", DELTA_PATH=str(tables), DELTA_STREAMS="weather,production")
    checkpoint = Path(apart.settings.skywatt_data) / "checkpoints" / "delta" / "delta"

    def rows() -> int:
        return len(in_table(tables / "weather", PLACE))

    with running_consumer(apart, tmp_path / "log") as consumer:
        feed = Feed(apart)
        for number in range(2000):
            feed.send("first", number)
        feed.send_raw(b"no reading")
        reading = {
            "source": "test",
            "price_area": "NO5",
            "production_group": "hydro",
            "start_time": "2026-11-01T00:00:00Z",
            "quantity_kwh": 5.0,
        }
        feed.producer.send(load_streams(apart.settings)["production"].topic, orjson.dumps(reading))
        feed.flush()
        wait_until(lambda: (tables / "weather" / "_delta_log").exists(), "a first batch", 180)
        consumer.kill()  # maybe between the tables of a batch
        consumer.start()
        wait_until(lambda: rows() == 2000 and len(in_table(tables / "production", PLACE)) == 1, "both tables", 180)
        wait_until(lambda: any((checkpoint / "commits").glob("[0-9]*")), "a commit")
        consumer.kill()
        last = max((path for path in (checkpoint / "commits").glob("[0-9]*")), key=lambda path: int(path.name))
        for path in (last, last.with_name(f".{last.name}.crc")):
            path.unlink(missing_ok=True)
        consumer.start()
        for number in range(500):
            feed.send("second", number)
        feed.flush()
        wait_until(lambda: rows() >= 2500, "what was sent after the lost commit", 180)

    places = in_table(tables / "weather", PLACE)
    assert len(set(places)) == len(places) == 2500
    found = {
        f"{region}|{at.replace(tzinfo=None).isoformat()}Z"
        for region, at in in_table(tables / "weather", ["region", "timestamp"])
    }
    assert found == feed.acknowledged
    ((area, kwh, delay, series),) = in_table(tables / "production", ["price_area", "quantity_kwh", "delay_s", "series"])
    assert (area, kwh, series) == ("NO5", 5.0, "NO5/hydro")
    assert delay > 0
    assert sorted(path.name for path in tables.iterdir()) == ["production", "weather"]


@pytest.mark.usefixtures("delta_jars")
def test_on_again_after_kafka_deleted_messages_it_goes_on_and_so_do_the_readings(
    stack: SpareStack, tmp_path: Path
) -> None:
    tables = tmp_path / "tables"
    without = stack.apart("delta_off")
    on = stack.apart("delta_off", DELTA_PATH=str(tables), DELTA_STREAMS="weather")
    checkpoints = without.settings.skywatt_data / "checkpoints" / "delta_off"
    feed = Feed(without)

    def committed(query: str, number: int) -> Callable[[], bool]:
        return lambda: sum(offsets_read(checkpoints / query).get(feed.stream.topic, {}).values()) == number

    with running_consumer(on, tmp_path / "log") as consumer:
        feed.send("Bergen", 1)
        feed.flush()
        wait_until(committed("delta", 1), "a row")
        consumer.kill()
        consumer.stack = without
        consumer.start()
        for number in range(2, 12):
            feed.send("Bergen", number)
        feed.flush()
        wait_until(committed("ingest", 11), "ten readings without Delta")
        consumer.kill()
        delete_messages(without, feed.stream.topic)
        consumer.stack = on
        consumer.start()
        feed.send("Bergen", 12)
        feed.flush()
        wait_until(lambda: len(in_table(tables / "weather", PLACE)) == 2, "a row of what came after it")
        wait_until(lambda: len(in_mongodb(without)) == 12, "the readings beside it")
        assert consumer.running.poll() is None
        assert "10 messages were deleted" in consumer.text()
