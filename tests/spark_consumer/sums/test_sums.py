"""A round of sums says whether others wait, so that the next follows at once or with the next readings; and sums begin
anew where their stream goes live.
"""

from datetime import UTC, datetime
from typing import Any

from readings import anew
from readings.settings import Settings
from readings.stream import load_streams
from spark_consumer.sums import due
from spark_consumer.sums.sums import MOST_AT_ONCE, Sums
from tests.spark_consumer.stand_in import View, database

BEGIN = datetime(2026, 7, 1, tzinfo=UTC)


def test_more_are_due_until_a_round_has_taken_less_than_it_can() -> None:
    of: Any = database()
    view: Any = View()
    for number in range(MOST_AT_ONCE + 3):
        at = BEGIN + number * due.STEP
        reading = {"_id": f"SA1|{at}", "timestamp": at, "network_region": "SA1", "price_per_mwh": 50.0}
        of["market"].documents[reading["_id"]] = reading
        name = due.five_minutes(at)
        note = {"_id": f"market|{name}", "stream": "market", "name": name, "noted": "1"}
        of[due.COLLECTION].documents[note["_id"]] = note
    sums = Sums("", load_streams(Settings(_env_file=None)), of, view)

    rounds = [sums.make_due(), sums.make_due(), sums.make_due()]

    assert [one.more for one in rounds] == [True, False, False]
    assert [one.written for one in rounds] == [MOST_AT_ONCE, 3, 0]
    assert len(of["market_sums"].documents) == MOST_AT_ONCE + 3


def test_what_is_noted_while_its_sum_is_worked_out_stays_due() -> None:
    of = database()
    reading = {"timestamp": BEGIN}
    due.note(of, "market", [reading])
    worked_out = due.noted(of, "market", MOST_AT_ONCE)
    due.note(of, "market", [reading])

    due.strike_off(of, worked_out)
    stays = due.noted(of, "market", MOST_AT_ONCE)
    assert [one.name for one in stays] == [due.five_minutes(BEGIN)]

    due.strike_off(of, stays)
    assert due.noted(of, "market", MOST_AT_ONCE) == []


def test_where_a_stream_went_live_its_sums_are_those_of_what_is_stored() -> None:
    of: Any = database()
    view: Any = View()
    sums = Sums("", load_streams(Settings(_env_file=None)), of, view)
    mark = {"timestamp": BEGIN, "network_region": "SA1"}
    readings = {
        "market": {**mark, "price_per_mwh": 50.0},
        "facility": {**mark, "facility_code": "A", "fuel_group": "wind", "power_mw": 5.0},
    }
    for stream, reading in readings.items():
        for number in range(3):
            at = BEGIN + number * due.STEP
            of[stream].documents[f"{number}"] = {**reading, "_id": f"{number}", "timestamp": at}
        due.note(of, stream, of[stream].find())
    sums.make_due()
    before = dict(view.documents)
    for number in ("0", "1"):  # what go-live removes
        del of["market"].documents[number]
    anew.note(of, "market", ["SA1"])
    anew.ask(of, "market", ["replay"], BEGIN)

    sums.begin_anew()

    assert {one.get("fuel_group") for one in of["market_sums"].find()} == {"wind"}
    assert sums.make_due().written == 1
    price = f"SA1|price|{(BEGIN + 2 * due.STEP).isoformat()}"
    assert view.documents == {at: one for at, one in before.items() if "|wind|" in at[1] or at[1] == price}
    assert {one["_id"] for one in of["market_sums"].find()} == {_id for _, _id in view.documents}
    of["market_sums"].documents.clear()
    sums.begin_anew()
    assert sums.make_due().written == 0, "once"
