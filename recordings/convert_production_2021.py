"""Makes recordings/production_2021 from the two collected copies of Elhub's production of 2021.

``python recordings/convert_production_2021.py elhub_production_2021-01_NO1_NO4.csv.gz \\
elhub_production_2021_NO1hydro_NO2wind_NO5hydro.csv.gz``
"""

import csv
import gzip
import sys
from datetime import UTC, datetime
from pathlib import Path

OUT = Path(__file__).parent / "production_2021" / "norway_elhub_2021.csv.gz"

Key = tuple[str, str, str]


def main(collected: list[Path]) -> None:
    """Writes what is in either; an hour that is in both must be the same."""
    hours: dict[Key, str] = {}
    for path in collected:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                start = datetime.fromisoformat(row["startTime"]).astimezone(UTC)
                key = row["priceArea"], row["productionGroup"], start.strftime("%Y-%m-%dT%H:%M:%SZ")
                if float(hours.setdefault(key, row["quantityKwh"])) != float(row["quantityKwh"]):
                    sys.exit(f"{key}: read {row['quantityKwh']}, expected {hours[key]}")
    OUT.parent.mkdir(exist_ok=True)
    with OUT.open("wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed:
        lines = [",".join((*key, energy)) for key, energy in sorted(hours.items())]
        packed.write("\n".join(["price_area,production_group,start_time,quantity_kwh", *lines, ""]).encode())
    sys.stdout.write(f"{OUT}: {len(hours)} readings\n")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
