"""Makes recordings/meter from the collected copy of the Smart-Grid Smart-City trial: times with their offset.

``python recordings/convert_meters.py meters_11_homes_2013-02_halfhourly.csv.gz``
"""

import csv
import gzip
import sys
from pathlib import Path

OUT = Path(__file__).parent / "meter" / "new_south_wales_2013-02.csv.gz"
SUMMER_TIME = "+11:00"
"""New South Wales's in February."""


def main(collected: Path) -> None:
    """Writes 28 days of 11 homes' registers, one reading each half hour."""
    with gzip.open(collected, "rt", encoding="utf-8") as file:
        rows = [
            (f"home-{row['meter_id']}", row["timestamp"] + SUMMER_TIME, row["reading_kwh"])
            for row in csv.DictReader(file)
        ]
    OUT.parent.mkdir(exist_ok=True)
    with OUT.open("wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed:
        lines = ["sensor_id,timestamp,energy_kwh", *(",".join(row) for row in sorted(rows))]
        packed.write(("\n".join(lines) + "\n").encode())
    sys.stdout.write(f"{OUT}: {len(rows)} readings\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
