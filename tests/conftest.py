import os

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# A busy machine is no error: no test is judged by how long an example took.
settings.register_profile("skywatt", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("skywatt")

# Tests start dozens of servers and Spark drivers that live for a minute or two: too short for Java's second compiler
# to pay for itself. An Elasticsearch takes 17 s of processor time to start with the first alone, with both 26 to 37 s.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")


PRODUCER = "test_meters", "test_mqtt", "test_producer", "test_sources"
GROUPS = {"test_alert": "the engine", "test_up": "all parts", **dict.fromkeys(PRODUCER, "the producer")}
"""Files of `tests/end_to_end` by how their names begin; what the others have in common is that they keep Spark busy."""


class SideBySide(LoadScopeScheduling):
    """What a worker of pytest-xdist gets as a whole: a file of unit tests, or a group of tests on servers of its own.

    The engine's and the producer's tests mostly wait, and those of all parts wait for readings: they run beside the
    others.
    """

    def _split_scope(self, nodeid: str) -> str:
        folder, _, file = nodeid.partition("::")[0].rpartition("/")
        if not folder.startswith("tests/end_to_end"):
            return f"{folder}/{file}"
        return next((group for begins, group in GROUPS.items() if file.startswith(begins)), "Spark")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    """For ``--dist loadscope``, which `run.sh test` asks for."""
    return SideBySide(config, log) if config.getvalue("dist") == "loadscope" else None
