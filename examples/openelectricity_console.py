"""Power and price of the NEM's regions on the console, asked for every 30 s.

OPENELECTRICITY_API_KEY=… .venv/bin/python -m examples.openelectricity_console
"""

from examples.openelectricity import options, register, run
from readings.settings import load_settings
from spark_consumer.session import make_session


def main() -> None:
    """Runs until it is stopped (Ctrl-C)."""
    settings = load_settings()
    spark = make_session(settings, "openelectricity to the console")
    register(spark)
    stream = (
        spark.readStream.format("openelectricity_stream")
        .options(**options(settings), metrics="power,price", primary_grouping="network_region")
        .load()
        .select("interval", "network_region", "metric", "unit", "power", "price")
    )
    run(stream.writeStream.format("console").option("truncate", False).trigger(processingTime="30 seconds"))


if __name__ == "__main__":
    main()
