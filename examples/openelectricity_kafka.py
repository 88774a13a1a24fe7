"""The NEM's prices and demand as JSON on a Kafka topic, keyed by region.

    OPENELECTRICITY_API_KEY=… .venv/bin/python -m examples.openelectricity_kafka openelectricity /tmp/openelectricity

Kafka is the one of the settings: ``bash run.sh``'s, or KAFKA_BOOTSTRAP_SERVERS. The topic must be there. Spark's Kafka
sink is at least once: after a crash a batch's messages may be there twice, with the same key and value.
"""

import argparse
from pathlib import Path

from examples.openelectricity import options, register, run
from readings.settings import load_settings
from spark_consumer.kafka_source import spark_kafka_options
from spark_consumer.session import make_session


def main() -> None:
    """Runs until it is stopped (Ctrl-C)."""
    parser = argparse.ArgumentParser(description="The NEM's prices and demand to a Kafka topic.")
    parser.add_argument("topic")
    parser.add_argument("folder", type=Path, help="for the checkpoint and progress.json")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.absolute()
    settings = load_settings()
    spark = make_session(settings, "openelectricity to Kafka")
    register(spark)
    stream = (
        spark.readStream.format("openelectricity_stream")
        .options(
            **options(settings),
            metrics="price,demand",
            primary_grouping="network_region",
            progress_path=str(folder),
        )
        .load()
        .selectExpr("network_region AS key", "to_json(struct(*)) AS value")
    )
    run(
        stream.writeStream.format("kafka")
        .options(**spark_kafka_options(settings))
        .option("topic", arguments.topic)
        .option("checkpointLocation", str(folder / "checkpoint"))
        .trigger(processingTime="30 seconds")
    )


if __name__ == "__main__":
    main()
