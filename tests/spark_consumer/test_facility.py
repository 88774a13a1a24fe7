"""What is stored beside a facility's reading."""

from readings.config import Place
from spark_consumer.streams.facility import enrichment

BAYSWATER = Place(
    name="BAYSW",
    title="Bayswater",
    latitude=-32.4,
    longitude=150.9,
    area="NSW1",
    fuel_groups=("coal",),
    capacity_mw=2640.0,
)
FACTS = enrichment([BAYSWATER])


def test_a_facility_is_named_placed_and_rated() -> None:
    assert FACTS({"facility_code": "BAYSW", "power_mw": 1320.0, "emissions_t": 99.0}) == {
        "facility_name": "Bayswater",
        "network_region": "NSW1",
        "location": {"lat": -32.4, "lon": 150.9},
        "fuel_group": "coal",
        "fuel_groups": ["coal"],
        "capacity_mw": 2640.0,
        "capacity_factor": 0.5,
        "intensity_t_per_mwh": 0.9,
    }


def test_of_an_unknown_facility_only_what_follows_from_its_reading_is_said() -> None:
    assert FACTS({"facility_code": "NEW", "power_mw": 12.0, "emissions_t": 0.5}) == {"intensity_t_per_mwh": 0.5}


def test_without_power_there_is_neither_factor_nor_intensity() -> None:
    for reading in ({"emissions_t": 1.0}, {"power_mw": 0.5, "emissions_t": 1.0}):
        assert "intensity_t_per_mwh" not in FACTS({"facility_code": "BAYSW", **reading})
    assert "capacity_factor" not in FACTS({"facility_code": "BAYSW", "emissions_t": 1.0})
