"""Makes recordings/production from the collected copy of Elhub's production: whole days (UTC), columns renamed.

``python recordings/convert_production.py elhub_production_2025-09-16_2025-11-21_merged_utc.csv.gz``
"""

import csv
import gzip
import sys
from pathlib import Path

OUT = Path(__file__).parent / "production" / "norway_elhub_2025.csv.gz"
FIRST, AFTER = "2025-09-17", "2025-11-21"


def main(collected: Path) -> None:
    """Writes 65 whole days of 25 series."""
    with gzip.open(collected, "rt", encoding="utf-8") as file:
        rows = [
            (row["priceArea"], row["productionGroup"], row["startTime"].replace("+00:00", "Z"), row["quantityKwh"])
            for row in csv.DictReader(file)
            if FIRST <= row["startTime"] < AFTER
        ]
    OUT.parent.mkdir(exist_ok=True)
    with OUT.open("wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed:
        lines = ["price_area,production_group,start_time,quantity_kwh", *(",".join(row) for row in sorted(rows))]
        packed.write(("\n".join(lines) + "\n").encode())
    sys.stdout.write(f"{OUT}: {len(rows)} readings\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
