"""The NEM and the WEM in one stream, written as JSON files.

    OPENELECTRICITY_API_KEY=… .venv/bin/python -m examples.openelectricity_union /tmp/networks

Each network has a progress of its own.
"""

import argparse
from functools import reduce
from pathlib import Path

from pyspark.sql import DataFrame

from examples.openelectricity import options, register, run
from readings.settings import load_settings
from spark_consumer.session import make_session


def main() -> None:
    """Runs until it is stopped (Ctrl-C)."""
    parser = argparse.ArgumentParser(description="The power of the NEM and the WEM by fuel, as JSON files.")
    parser.add_argument("folder", type=Path, help="for the files, the checkpoint and the progress of each network")
    folder: Path = parser.parse_args().folder.absolute()
    settings = load_settings()
    spark = make_session(settings, "openelectricity of two networks")
    register(spark)
    streams = [
        spark.readStream.format("openelectricity_stream")
        .options(
            **options(settings),
            network_code=network,
            metrics="power",
            secondary_grouping="fueltech_group",
            progress_path=str(folder / network),
        )
        .load()
        for network in ("NEM", "WEM")
    ]
    run(
        reduce(DataFrame.union, streams)
        .writeStream.format("json")
        .option("checkpointLocation", str(folder / "checkpoint"))
        .option("path", str(folder / "rows"))
        .trigger(processingTime="30 seconds")
    )


if __name__ == "__main__":
    main()
