"""What the examples of ``openelectricity_stream`` share: they register it, read the key, and run the query."""

import signal
from types import FrameType

from pyspark.sql import SparkSession
from pyspark.sql.streaming.readwriter import DataStreamWriter

from readings.settings import Settings
from spark_consumer.openelectricity_stream import OpenElectricityStreamDataSource


def register(spark: SparkSession) -> None:
    """Makes ``spark.readStream.format("openelectricity_stream")`` known."""
    spark.dataSource.register(OpenElectricityStreamDataSource)


def options(settings: Settings) -> dict[str, str]:
    """The key and the address, from OPENELECTRICITY_API_KEY and OPENELECTRICITY_BASE_URL."""
    key = settings.openelectricity_api_key
    if key is None:
        raise SystemExit("OPENELECTRICITY_API_KEY: expected the key of OpenElectricity's API")
    return {
        "api_key": key.get_secret_value(),
        "base_url": settings.openelectricity_base_url,
        "log_level": settings.skywatt_log_level,
    }


def run(writer: DataStreamWriter) -> None:
    """Runs the query until SIGTERM or SIGINT, or until it fails."""
    query = writer.start()
    stopped = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    while not stopped and not query.awaitTermination(1):
        continue
    query.stop()
