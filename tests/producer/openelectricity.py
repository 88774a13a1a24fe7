"""OpenElectricity's facilities and market as sources, on a stand-in of the service."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from apis.openelectricity import OpenElectricity
from apis.session import Patience, Session
from producer.cursor import UnkeptCursor
from producer.rounds import Rounds
from producer.sources.openelectricity import FacilitySpans
from producer.span_source import Unreadable
from readings.config import Place, load_config
from readings.stream import MODELS, Stream
from tests.apis.misbehaving_server import MisbehavingServer
from tests.producer import stand_ins
from tests.producer.conftest import ROOT, Heard, Kept, TurnedClock
from tests.producer.stand_ins import KEY

STEP, DAY = timedelta(minutes=5), timedelta(days=1)
WEST = {
    "code": "COLLIE",
    "name": "Collie",
    "network_id": "WEM",
    "network_region": "WEM",
    "units": [{"code": "COLLIE_G1", "fueltech_id": "coal_black", "status_id": "operating"}],
}
STREAMS = load_config(ROOT / "skywatt.yml").streams


def place(name: str, area: str = "NSW1") -> Place:
    return Place(name=name, latitude=0, longitude=0, area=area)


def client(server: MisbehavingServer) -> OpenElectricity:
    headers = {"Authorization": f"Bearer {KEY}"}
    return OpenElectricity(Session(server.url, headers=headers, patience=Patience(attempts=1), sleep=lambda _: None))


def facilities(server: MisbehavingServer, clock: TurnedClock, places: Sequence[Place]) -> FacilitySpans:
    return FacilitySpans(client(server), places, clock)


def rounds(spans: Any, name: str, kept: Kept, clock: TurnedClock, heard: Heard) -> Rounds:
    stream = Stream(name, MODELS[name], STREAMS[name], "")
    return Rounds(spans, stream, kept, UnkeptCursor(), clock, heard, STEP)


def both_networks(query: stand_ins.Query) -> Any:
    return stand_ins.openelectricity(query, [*stand_ins.FACILITIES, WEST])


def many(number: int) -> list[dict[str, Any]]:
    return [
        {
            "code": f"F{index:03}",
            "network_id": "NEM",
            "network_region": "NSW1",
            "units": [{"code": f"F{index:03}_1", "fueltech_id": "wind", "status_id": "operating"}],
        }
        for index in range(number)
    ]


def unread(found: list[Any]) -> list[Unreadable]:
    return [one for one in found if isinstance(one, Unreadable)]
