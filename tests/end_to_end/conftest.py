import subprocess
import sys
from collections.abc import Iterator

import pytest

from local_stack.artifacts import DELTA
from local_stack.spare import SpareStack, spare_environment, spare_stack
from readings.config import ROOT
from tests.end_to_end import spark_classes
from tests.end_to_end.whole_stack import WholeStack


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
