"""What Spark is given: the source's name, its schema and its reader."""

from pyspark.sql.datasource import DataSource, SimpleDataSourceStreamReader
from pyspark.sql.types import DoubleType, StringType, StructField, StructType, TimestampType

from apis.openelectricity import DATA_METRICS, MARKET_METRICS
from spark_consumer.openelectricity_stream.options import Options
from spark_consumer.openelectricity_stream.reader import COLUMNS, OpenElectricityStreamReader


class OpenElectricityStreamDataSource(DataSource):
    """Streams the data and market metrics of a network: one row an interval, group and metric.

    Raises ValueError naming the option where one is wrong; no text of it holds the key.
    """

    @classmethod
    def name(cls) -> str:
        """What it is called in ``spark.readStream.format(…)``."""
        return "openelectricity_stream"

    def schema(self) -> StructType:
        """``interval``, then six strings, then one double a metric, of which a row fills its own."""
        Options.read(self.options)  # a wrong option is told at load(), not by a query that has started
        strings = [StructField(name, StringType()) for name in COLUMNS]
        doubles = [StructField(name, DoubleType()) for name in (*DATA_METRICS, *MARKET_METRICS)]
        return StructType([StructField("interval", TimestampType()), *strings, *doubles])

    def simpleStreamReader(self, schema: StructType) -> SimpleDataSourceStreamReader:  # noqa: ARG002 - always all columns
        """The reader. What it fetched in planning goes to the batch: the API is asked once, and the offset follows."""
        return OpenElectricityStreamReader(Options.read(self.options))
