import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from pymongo.database import Database

from local_stack.artifacts import DELTA
from local_stack.spare import SpareStack, spare_environment, spare_stack
from readings.config import ROOT
from readings.connections import Document, connect_mongodb
from readings.settings import Settings
from tests.end_to_end import spark_classes
from tests.end_to_end.browser import Reader, chromium, reader
from tests.end_to_end.consumer import wait_until
from tests.end_to_end.whole_stack import WholeStack

SHOWN = ("weather", "production", "meter", "facility", "market", "predictions", "meter_totals", "market_sums")
"""The collections without which some page of the dashboard is empty."""


@pytest.fixture(scope="session")
def delta_jars() -> None:
    """Delta's jars are in the cache folder, brought the way that the error message names."""
    subprocess.run([sys.executable, "-m", "local_stack", "fetch", DELTA], cwd=ROOT, check=True, capture_output=True)


@pytest.fixture(scope="session")
def classes() -> None:
    """Spark's drivers start quickly."""
    spark_classes.use()


@pytest.fixture(scope="session")
def stack(classes: None) -> Iterator[SpareStack]:
    """Kafka, a MongoDB-wire server and Elasticsearch on free ports with data of their own, for the whole test session.

    ``stack.settings``              reach the servers from the test: ``connect_mongodb(stack.settings)``
    ``stack.environment``           for processes: ``Popen([sys.executable, "-m", "spark_consumer"], env=…, cwd=ROOT)``
    ``stack.apart("my_test", …)``   the same servers with topics, database, indices and checkpoints of one's own:
                                    tests use this, so that they do not see one another's readings
    ``stack.kill("kafka")``         kill -9 of a server, at once; the supervisor starts it again
    ``stack.wait_ready("kafka")``   until it answers with its password
    ``stack.kill_and_wait(name)``   both
    ``with stack.away("kafka")``    kill -9, and it stays away for the block
    ``stack.layout.log("kafka")``   a server's log file

    Topics and index templates are not made: call ``make_topics`` and ``put_index_templates`` with what ``stack.apart``
    gave. Everything is taken down at the end, also when the session is interrupted.
    """
    with spare_stack() as servers:
        yield servers


@pytest.fixture(scope="session")
def whole_stack(classes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeStack]:
    """Every part with its recordings, brought up once for `test_up*.py`; the last of these takes it down."""
    stack = WholeStack(spare_environment(tmp_path_factory.mktemp("up")))
    try:
        up = stack.run("up")
        assert up.returncode == 0, up.stdout + up.stderr
        stack.told = up.stdout
        yield stack
    finally:
        stack.run("down", "--data")


@pytest.fixture(scope="session")
def settings(whole_stack: WholeStack) -> Settings:
    """Of the whole stack."""
    return whole_stack.settings


@pytest.fixture(scope="session")
def database(settings: Settings) -> "Database[Document]":
    """The whole stack's, with something of all that the dashboard's pages show."""
    database = connect_mongodb(settings)
    wait_until(lambda: all(database[name].find_one() for name in SHOWN), "something in each collection", 600)
    return database


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium without windows."""
    with chromium() as started:
        yield started


@pytest.fixture
def visitor(browser: Browser, settings: Settings, database: "Database[Document]") -> Iterator[Reader]:
    """A reader of the whole stack's dashboard, whose console must stay quiet."""
    with reader(browser, settings.dashboard_address) as one:
        yield one
        assert one.complaints == []
