"""The reader against a stand-in of the API: what it gives, how far it goes, what it does when the API is not well."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.cloudpickle import dumps, loads

from apis.errors import ApiError, BadAnswer, Unreachable
from spark_consumer.openelectricity_stream import OpenElectricityStreamDataSource, intervals
from spark_consumer.openelectricity_stream.options import Options
from spark_consumer.openelectricity_stream.reader import OpenElectricityStreamReader
from tests.apis.misbehaving_server import Answer, MisbehavingServer, answer
from tests.apis.openelectricity_stand_in import KEY, OpenElectricityStandIn, value_of

SCHEMA = OpenElectricityStreamDataSource({"api_key": KEY}).schema()
STEP = timedelta(minutes=5)
FULL = "2026-11-20T00:00:00+00:00"


@pytest.fixture
def api() -> OpenElectricityStandIn:
    return OpenElectricityStandIn()


@pytest.fixture
def server(api: OpenElectricityStandIn) -> Iterator[MisbehavingServer]:
    with MisbehavingServer(choose=api) as server:
        yield server


def reader(server: MisbehavingServer, **options: str) -> OpenElectricityStreamReader:
    given = {"api_key": KEY, "base_url": server.url, "retries": "0", "poll_seconds": "0", **options}
    return OpenElectricityStreamReader(Options.read(given))


def read(one: OpenElectricityStreamReader, since: str) -> tuple[list[dict[str, Any]], dict[str, str]]:
    rows, end = one.read({"timestamp": since})
    return [dict(zip(SCHEMA.names, row, strict=True)) for row in rows], end


def floored(instant: datetime) -> datetime:
    return intervals.beginning(instant, "5m", "NEM")


def test_a_batch_is_an_hour_of_rows_each_with_its_own_metric(server: MisbehavingServer) -> None:
    since = floored(datetime.now(UTC) - timedelta(days=3))
    rows, end = read(
        reader(
            server,
            metrics="power,price",
            primary_grouping="network_region",
            secondary_grouping="fueltech_group",
        ),
        since.isoformat(),
    )
    assert end["timestamp"] == (since + timedelta(hours=1)).astimezone(UTC).isoformat()
    assert len(rows) == 12 * (2 * 2 + 2)
    assert {row["interval"] for row in rows} == {since + number * STEP for number in range(12)}
    one = next(row for row in rows if row["network_region"] == "QLD1" and row["fueltech_group"] == "wind")
    assert one == dict.fromkeys(SCHEMA.names) | {
        "interval": since,
        "network_code": "NEM",
        "metric": "power",
        "unit": "MW",
        "fueltech_group": "wind",
        "network_region": "QLD1",
        "power": value_of("power", "QLD1/wind", since),
    }
    price = next(row for row in rows if row["metric"] == "price" and row["network_region"] == "NSW1")
    assert (price["price"], price["unit"], price["power"]) == (value_of("price", "NSW1", since), "$/MWh", None)


@pytest.mark.parametrize(
    ("secondary", "found"),
    [("fueltech", {"coal_black", "wind"}), ("status", {"operating"}), ("renewable", {"true", "false"})],
)
def test_the_secondary_groups_value_is_in_fueltech_group(
    server: MisbehavingServer, secondary: str, found: set[str]
) -> None:
    rows, _ = read(reader(server, secondary_grouping=secondary), FULL)
    assert {row["fueltech_group"] for row in rows} == found


def test_batches_follow_one_another_and_end_before_now(server: MisbehavingServer) -> None:
    since = floored(datetime.now(UTC) - timedelta(hours=3, minutes=20))
    one, seen, offset = reader(server), [], {"timestamp": since.isoformat()}
    while True:
        rows, end = one.read(offset)
        if end is offset:
            break
        seen += [row[0] for row in rows]
        assert end["since"] == datetime.fromisoformat(offset["timestamp"]).astimezone(UTC).isoformat()
        offset = end
    last = floored(datetime.now(UTC))
    assert seen == [since + number * STEP for number in range(len(seen))]
    assert last - STEP <= datetime.fromisoformat(offset["timestamp"]) <= last


def test_an_api_that_gives_the_end_of_a_span_too_gives_no_value_twice(
    server: MisbehavingServer, api: OpenElectricityStandIn
) -> None:
    api.end_included = True
    since = floored(datetime.now(UTC) - timedelta(days=3))
    rows, _ = read(reader(server), since.isoformat())
    assert {row["interval"] for row in rows} == {since + number * STEP for number in range(12)}
    again = reader(server).readBetweenOffsets(
        {"timestamp": since.isoformat()}, {"timestamp": (since + STEP).isoformat()}
    )
    assert [row[0] for row in again] == [since]


def test_the_offset_ends_where_the_api_does_and_the_rest_comes_later(
    server: MisbehavingServer, api: OpenElectricityStandIn
) -> None:
    since = floored(datetime.now(UTC) - timedelta(minutes=40))
    one = reader(server, metrics="power,price")
    api.known_until = {"power": since + 4 * STEP, "price": since + 2 * STEP}
    rows, end = read(one, since.isoformat())
    assert datetime.fromisoformat(end["timestamp"]) == since + 2 * STEP
    assert {row["interval"] for row in rows} == {since, since + STEP}
    assert read(one, end["timestamp"]) == ([], {"timestamp": end["timestamp"]}), "the price is waited for"
    api.known_until = None
    rows, _ = read(one, end["timestamp"])
    assert min(row["interval"] for row in rows) == since + 2 * STEP
    assert {row["metric"] for row in rows} == {"power", "price"}


@pytest.mark.parametrize("hours", [1, 25])
def test_a_region_that_lags_is_waited_for_and_none_of_it_is_lost(server: MisbehavingServer, hours: int) -> None:
    """It has values when the batch begins, or had some just before; for so long as `wait_hours` says."""
    since = floored(datetime.now(UTC) - timedelta(hours=hours))
    known_until = {"NSW1": since + 12 * STEP, "QLD1": since + 3 * STEP}

    def choose(query: dict[str, str]) -> Answer:
        begin, end = (
            datetime.fromisoformat(query[name]).replace(tzinfo=since.tzinfo) for name in ("date_start", "date_end")
        )
        results = [
            {
                "columns": {"region": region},
                "data": [[(begin + n * STEP).isoformat(), 1.5] for n in range((min(end, until) - begin) // STEP)],
            }
            for region, until in known_until.items()
        ]
        return answer(200, {"data": [{"metric": "power", "results": results}]})

    server.choose = choose
    one = reader(server, primary_grouping="network_region", batch_size_hours="1")
    rows, end = read(one, since.isoformat())
    if hours > 24:
        assert datetime.fromisoformat(end["timestamp"]) == since + 12 * STEP
        return
    assert datetime.fromisoformat(end["timestamp"]) == since + 3 * STEP
    assert read(one, end["timestamp"])[0] == [], "still behind"
    known_until["QLD1"] = since + 5 * STEP
    more, end = read(reader(server, primary_grouping="network_region"), end["timestamp"])
    assert datetime.fromisoformat(end["timestamp"]) == since + 5 * STEP
    times = {
        region: [one["interval"] for one in rows + more if one["network_region"] == region] for region in known_until
    }
    expected = [since + number * STEP for number in range(5)]
    assert times == {"NSW1": expected, "QLD1": expected}


def test_a_null_is_no_row_and_is_waited_for(server: MisbehavingServer) -> None:
    since = floored(datetime.now(UTC) - timedelta(minutes=40))
    values = [[(since + number * STEP).isoformat(), 1.5 if number == 0 else None] for number in range(6)]
    server.choose = lambda _: answer(200, {"data": [{"metric": "power", "results": [{"columns": {}, "data": values}]}]})
    rows, end = read(reader(server), since.isoformat())
    assert [row["power"] for row in rows] == [1.5]
    assert datetime.fromisoformat(end["timestamp"]) == since + STEP


def test_a_gap_between_two_values_is_waited_for_and_read_when_it_is_filled(server: MisbehavingServer) -> None:
    since = floored(datetime.now(UTC) - timedelta(minutes=40))
    values: list[list[Any]] = [[(since + number * STEP).isoformat(), 5.0 + number] for number in range(6)]
    values[1][1] = None

    def choose(query: dict[str, str]) -> Answer:
        begin = datetime.fromisoformat(query["date_start"]).replace(tzinfo=since.tzinfo).isoformat()
        data = [one for one in values if one[0] >= begin]
        return answer(200, {"data": [{"metric": "power", "results": [{"columns": {}, "data": data}]}]})

    server.choose = choose
    rows, end = read(reader(server), since.isoformat())
    assert [row["power"] for row in rows] == [5.0]
    assert datetime.fromisoformat(end["timestamp"]) == since + STEP
    assert read(reader(server), end["timestamp"])[0] == [], "it is waited for"
    values[1][1] = 6.0
    rows, end = read(reader(server), end["timestamp"])
    assert [row["power"] for row in rows] == [6.0, 7.0, 8.0, 9.0, 10.0]


def test_what_is_missing_for_a_day_is_gone_past(server: MisbehavingServer, api: OpenElectricityStandIn) -> None:
    old, young = (floored(datetime.now(UTC) - timedelta(hours=hours)) for hours in (26, 23))
    api.known_until = old
    assert read(reader(server), old.isoformat())[1]["timestamp"] > old.astimezone(UTC).isoformat()
    assert read(reader(server), young.isoformat())[1] == {"timestamp": young.isoformat()}


def test_hours_and_days_are_those_of_the_network_and_full(server: MisbehavingServer) -> None:
    one = reader(server, interval="1d", network_code="WEM", batch_size_hours="1")
    begin = datetime.fromisoformat(one.initialOffset()["timestamp"])
    assert (begin.hour, begin.minute, begin.utcoffset()) == (16, 0, timedelta(0)), "a Perth midnight"
    two_days_ago = (begin - timedelta(days=2)).isoformat()
    rows, end = read(one, two_days_ago)
    assert [row["interval"].astimezone(UTC).isoformat() for row in rows] == [two_days_ago]
    assert end["timestamp"] == (begin - timedelta(days=1)).isoformat()
    assert server.requests[-1]["date_start"].endswith("T00:00:00")


def test_a_batch_of_months_is_asked_for_in_pieces_that_the_api_gives(server: MisbehavingServer) -> None:
    since = floored(datetime.now(UTC) - timedelta(days=40))
    rows, _ = read(reader(server, batch_size_hours=str(24 * 20)), since.isoformat())
    assert len(server.requests) == 3
    assert len(rows) == len({row["interval"] for row in rows}) == 20 * 288


def test_without_progress_it_begins_a_batch_before_now(server: MisbehavingServer, tmp_path: Path) -> None:
    before = floored(datetime.now(UTC) - timedelta(hours=2))
    begin = reader(server, batch_size_hours="2", progress_path=str(tmp_path)).initialOffset()
    assert before <= datetime.fromisoformat(begin["timestamp"]) <= floored(datetime.now(UTC) - timedelta(hours=2))
    assert begin["timestamp"].endswith("+00:00")


@pytest.mark.parametrize("text", ["2026-11-20T03:00:00", "2026-11-20T03:00:00+00:00", "2026-11-20T13:00:00+10:00"])
def test_progress_begins_a_new_checkpoint_and_naive_is_utc(
    server: MisbehavingServer, tmp_path: Path, text: str
) -> None:
    (tmp_path / "progress.json").write_text(json.dumps({"timestamp": text}))
    begin = reader(server, progress_path=str(tmp_path)).initialOffset()
    assert begin["timestamp"] == "2026-11-20T03:00:00+00:00"


def test_commit_writes_progress_as_a_whole(server: MisbehavingServer, tmp_path: Path) -> None:
    one = reader(server, progress_path=str(tmp_path / "new"))
    one.commit({"timestamp": FULL, "since": FULL})
    assert json.loads((tmp_path / "new" / "progress.json").read_text()) == {"timestamp": FULL}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["progress.json"]
    assert one.initialOffset()["timestamp"] == FULL


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"timestamp": 5}', '{"timestamp": "yesterday"}', '{"timest'])
def test_bad_progress_is_told_and_not_begun_anew_without_a_word(
    server: MisbehavingServer, tmp_path: Path, text: str
) -> None:
    (tmp_path / "progress.json").write_text(text)
    with pytest.raises(ValueError, match=r"progress\.json"):
        reader(server, progress_path=str(tmp_path)).initialOffset()


def test_an_error_is_tried_again_and_then_raised_without_the_key(
    server: MisbehavingServer, api: OpenElectricityStandIn
) -> None:
    server.choose = None
    server.answers = [answer(503), answer(503, b"", Retry_After="0")]
    with pytest.raises(Unreachable):
        read(reader(server, retries="1"), FULL)
    assert len(server.requests) == 2
    server.choose = api
    with pytest.raises(ApiError, match="401") as raised:
        read(reader(server, api_key="wr0ng-k3y"), FULL)
    assert "wr0ng-k3y" not in str(raised.value)


@pytest.mark.parametrize(
    "body",
    [
        {"data": None},
        {"data": [{"metric": "power", "results": [{"columns": {}, "data": [[FULL, "5"]]}]}]},
        {"data": [{"metric": "power", "results": [{"columns": {}, "data": [[FULL, True]]}]}]},
        {"data": [{"metric": "power", "results": [{"columns": {}, "data": [["now", 5]]}]}]},
        {"data": [{"metric": "power", "results": [{"columns": None, "data": []}]}]},
        {"data": [{"metric": "steam", "results": [{"columns": {}, "data": [[FULL, 5]]}]}]},
        {"data": [{"metric": "power", "results": [{"columns": {}, "data": [[FULL, 5], [FULL, 6]]}]}]},
    ],
)
def test_an_answer_of_another_form_fails_and_is_never_rows_of_nulls(server: MisbehavingServer, body: object) -> None:
    server.choose = lambda _: answer(200, body)
    with pytest.raises(BadAnswer):
        read(reader(server), FULL)


def test_a_refusal_that_is_not_of_missing_values_fails(server: MisbehavingServer) -> None:
    server.choose = lambda _: answer(404, {"detail": "Not Found"})
    with pytest.raises(ApiError, match="404"):
        read(reader(server), FULL)


def test_what_came_twice_is_one_row(server: MisbehavingServer) -> None:
    body = {"data": [{"metric": "power", "results": [{"columns": {}, "data": [[FULL, 5], [FULL, 5]]}]}]}
    server.choose = lambda _: answer(200, body)
    assert len(read(reader(server), FULL)[0]) == 1


def test_a_batch_is_read_again_from_where_it_began(server: MisbehavingServer) -> None:
    one = loads(dumps(reader(server)))  # as Spark sends it to a worker
    since = floored(datetime.now(UTC) - timedelta(days=2))
    rows, end = one.read({"timestamp": since.isoformat()})
    later = {"timestamp": (since + STEP).isoformat(), "since": (since + STEP).isoformat()}
    assert list(one.readBetweenOffsets(later, end)) == list(rows)
    assert {row[0] for row in one.readBetweenOffsets(later, {"timestamp": end["timestamp"]})} == {
        since + number * STEP for number in range(1, 12)
    }, "an offset of another version has no beginning"


def test_the_api_is_not_asked_again_at_once_for_what_it_does_not_have(
    server: MisbehavingServer, api: OpenElectricityStandIn
) -> None:
    api.known_until = since = floored(datetime.now(UTC) - timedelta(hours=1))
    one = reader(server, poll_seconds="3600")
    for _ in range(3):
        assert read(one, since.isoformat())[0] == []
    assert len(server.requests) == 1


def test_it_logs_under_the_modules_name(server: MisbehavingServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "spark_consumer.openelectricity_stream"):
        read(reader(server), FULL)
    assert {record.name for record in caplog.records} >= {"spark_consumer.openelectricity_stream"}
    assert f"read {FULL}" in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("interval", "inside", "begun", "ended"),
    [
        ("5m", "2026-11-24T00:07:31+00:00", "2026-11-24T10:05:00+10:00", "2026-11-24T10:10:00+10:00"),
        ("1d", "2026-11-24T15:00:00+00:00", "2026-11-25T00:00:00+10:00", "2026-11-26T00:00:00+10:00"),
        ("7d", "2026-11-24T00:00:00+00:00", "2026-11-22T00:00:00+10:00", "2026-11-29T00:00:00+10:00"),
        ("1M", "2026-01-31T20:00:00+00:00", "2026-02-01T00:00:00+10:00", "2026-03-01T00:00:00+10:00"),
        ("3M", "2026-12-24T00:00:00+00:00", "2026-10-01T00:00:00+10:00", "2027-01-01T00:00:00+10:00"),
        ("1y", "2024-12-31T13:59:59+00:00", "2024-01-01T00:00:00+10:00", "2025-01-01T00:00:00+10:00"),
    ],
)
def test_intervals_of_the_nem(interval: str, inside: str, begun: str, ended: str) -> None:
    began = intervals.beginning(datetime.fromisoformat(inside), interval, "NEM")
    assert began.isoformat() == begun
    assert intervals.end(began, interval, "NEM").isoformat() == ended
