"""Spark's Python daemon with what our workers need already loaded.

It forks the workers, so they share what it has read: a new worker begins at once instead of after 4 s of processor
time. Spark ends workers that had nothing to do for a minute, so that on quiet streams most batches meet new ones.
"""

import spark_consumer.meters.query
import spark_consumer.writer  # noqa: F401 - loaded for the workers that are forked from here

if __name__ == "__main__":
    from pyspark.daemon import manager

    manager()
