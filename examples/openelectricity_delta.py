"""The generation of each fuel in the NEM's regions, appended to a Delta table.

    .venv/bin/python -m local_stack fetch spark-delta-4.4.0
    OPENELECTRICITY_API_KEY=… .venv/bin/python -m examples.openelectricity_delta /tmp/nem

A second run goes on where the first ended: Spark's checkpoint knows, and nothing is appended twice, also after a kill.
Where the checkpoint is removed progress.json knows, which is written at the trigger after a batch: when the first run
was ended before that trigger, its last batch is appended a second time.
"""

import argparse
from pathlib import Path

from examples.openelectricity import options, register, run
from readings.settings import load_settings
from spark_consumer.session import make_session


def main() -> None:
    """Runs until it is stopped (Ctrl-C)."""
    parser = argparse.ArgumentParser(description="The NEM's power and emissions by region and fuel to a Delta table.")
    parser.add_argument("folder", type=Path, help="for the table, its checkpoint and progress.json")
    folder: Path = parser.parse_args().folder.absolute()
    settings = load_settings()
    spark = make_session(settings, "openelectricity to Delta", delta=True)
    register(spark)
    stream = (
        spark.readStream.format("openelectricity_stream")
        .options(
            **options(settings),
            metrics="power,emissions",
            primary_grouping="network_region",
            secondary_grouping="fueltech_group",
            batch_size_hours=6,
            progress_path=str(folder),
        )
        .load()
    )
    run(
        stream.coalesce(1)  # a file a batch
        .writeStream.format("delta")
        .option("checkpointLocation", str(folder / "checkpoint"))
        .option("path", str(folder / "table"))
        .trigger(processingTime="30 seconds")
    )


if __name__ == "__main__":
    main()
