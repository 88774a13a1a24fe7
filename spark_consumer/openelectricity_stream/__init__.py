"""``openelectricity_stream``: OpenElectricity's networks as a PySpark streaming source.

    from spark_consumer.openelectricity_stream import OpenElectricityStreamDataSource

    spark.dataSource.register(OpenElectricityStreamDataSource)
    stream = spark.readStream.format("openelectricity_stream").options(api_key=key, metrics=["power", "price"]).load()

`options` has what can be set, `reader` what a row is and how far a batch reads; ``examples/`` runs it.
"""

from spark_consumer.openelectricity_stream.data_source import OpenElectricityStreamDataSource

__all__ = ["OpenElectricityStreamDataSource"]
