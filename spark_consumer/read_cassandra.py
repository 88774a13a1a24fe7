"""``python -m spark_consumer read-cassandra [--to-mongodb]``: production as Cassandra holds it, and back to MongoDB.

A Spark job: one task a table, so one a year.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pyarrow as pa
from bson import json_util
from pymongo.collection import Collection
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import col, count
from pyspark.sql.functions import max as newest
from pyspark.sql.functions import min as oldest
from pyspark.sql.functions import sum as total

from readings.connections import connect_mongodb
from readings.errors import ConfigError
from readings.settings import Settings, load_settings
from readings.stream import Stream, load_streams
from spark_consumer.documents import Document, make_document
from spark_consumer.session import make_session
from spark_consumer.sinks import mongodb
from spark_consumer.sinks.cassandra import Cassandra
from spark_consumer.sums import due
from spark_consumer.waiting import until_answered
from spark_consumer.writer import CASSANDRA_STREAM, connect_cassandra

CHUNK_ROWS = 1000
COLUMNS = ("price_area", "production_group", "start_time", "quantity_kwh")
SCHEMA = pa.schema(
    [
        ("price_area", pa.string()),
        ("production_group", pa.string()),
        ("start_time", pa.timestamp("us", "UTC")),
        ("quantity_kwh", pa.float64()),
        ("document", pa.string()),
    ]
)
AWARE = json_util.JSONOptions(tz_aware=True, tzinfo=UTC)
NO_MESSAGE = -1
"""The partition and offset of a document that no message of Kafka's brought."""


def run(settings: Settings, *, to_mongodb: bool) -> int:
    """Shows what there is of each series, or upserts it into MongoDB. Gives 0, or 1 where Cassandra holds nothing.

    Raises ConfigError where Cassandra is off.
    """
    if not settings.cassandra_is_on:
        raise ConfigError("CASSANDRA_HOSTS or ASTRA_SECURE_BUNDLE_PATH: expected one of them; Cassandra is off")
    cassandra = Cassandra(settings)
    tables = cassandra.tables()
    cassandra.close()
    if not tables:
        print(f"the keyspace {settings.cassandra_keyspace_name} has no tables elhub_production_…")
        return 1
    session = make_session(settings, "read Cassandra")
    try:
        rows = read(session, tables)
        if to_mongodb:
            print(f"{upsert(rows)} readings of production are in MongoDB as Cassandra has them; their sums are due")
            print("Elasticsearch gets them by: python -m elk.rebuild --stream production")
        else:
            _show(rows.select(*COLUMNS).cache())
    finally:
        session.stop()
    return 0


def read(session: SparkSession, tables: list[str]) -> DataFrame:
    """The rows of the tables, with the columns of `SCHEMA`."""
    names = session.createDataFrame([(table,) for table in tables], "table string").repartition(len(tables), "table")
    return names.mapInArrow(_read_tables, _spark_schema(SCHEMA))


def upsert(rows: DataFrame) -> int:
    """Upserts the rows into MongoDB's collection of production, by the same ``_id``; gives how many there were.

    Their sums are noted as due: a running consumer works them out.
    """
    counts = rows.mapInArrow(_upsert_rows, "rows long").collect()
    return sum(row.rows for row in counts)


def _show(rows: DataFrame) -> None:
    rows.orderBy(*COLUMNS[:3]).show(10, truncate=False)
    (
        rows.groupBy("price_area", "production_group")
        .agg(
            count("*").alias("hours"),
            oldest("start_time").alias("first"),
            newest("start_time").alias("last"),
            total("quantity_kwh").alias("quantity_kwh"),
        )
        .orderBy(col("price_area"), col("production_group"))
        .show(1000, truncate=False)
    )


def _spark_schema(schema: pa.Schema) -> Any:
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema)


def _read_tables(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    cassandra = connect_cassandra(load_settings())
    try:
        for batch in batches:
            for table in batch.column("table").to_pylist():
                rows = cassandra.read(table)
                while chunk := list(islice(rows, CHUNK_ROWS)):
                    records = [{**row._asdict(), "start_time": row.start_time.replace(tzinfo=UTC)} for row in chunk]
                    yield pa.RecordBatch.from_pylist(records, schema=SCHEMA)
    finally:
        cassandra.close()


def _upsert_rows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    settings = load_settings()
    stream, database = load_streams(settings)[CASSANDRA_STREAM], connect_mongodb(settings)
    written = 0
    for batch in batches:
        documents = [document_of(row, stream) for row in batch.to_pylist()]
        until_answered(put)(database[stream.collection], documents)
        now = {"arrived_at": datetime.now(UTC), "partition": NO_MESSAGE, "offset": NO_MESSAGE}
        until_answered(due.note)(database, stream.name, [{**document, "kafka": now} for document in documents])
        written += len(documents)
    yield pa.RecordBatch.from_pydict({"rows": [written]})


def put(collection: "Collection[Document]", documents: Iterable[Document]) -> None:
    """Inserts the documents that are not there, and replaces those that are older: one that is later stays."""
    by_id = {document["_id"]: document for document in documents}
    known = mongodb.insert_new(collection, list(by_id.values()))
    if known:
        mongodb.replace_revised(collection, {_id: [by_id[_id]] for _id in known})


def document_of(row: dict[str, Any], stream: Stream) -> Document:
    """The document as it was written; of a row that another program wrote or changed, one that arrives now."""
    start_time = row["start_time"].astimezone(UTC)
    if row["document"]:
        document: Document = json_util.loads(row["document"], json_options=AWARE)
        if document["quantity_kwh"] == row["quantity_kwh"]:
            return document
    values = {**{name: row[name] for name in COLUMNS}, "start_time": start_time}
    reading = stream.model.model_validate({**values, "source": "cassandra", "mode": "backfill"})
    return make_document(stream, reading, datetime.now(UTC), NO_MESSAGE, NO_MESSAGE)
