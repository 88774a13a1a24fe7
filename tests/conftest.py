import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# A busy machine is no error: no test is judged by how long an example took.
settings.register_profile("skywatt", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("skywatt")


class SideBySide(LoadScopeScheduling):
    """What a worker of pytest-xdist gets as a whole: a file of unit tests, the alert engine's tests, or all other tests
    on servers. The engine's mostly wait, so they run beside those that keep Spark busy, on servers of their own."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if not file.startswith("tests/end_to_end/"):
            return file
        return "alerts" if file.startswith("tests/end_to_end/test_alert") else "servers"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    """For ``--dist loadscope``, which `run.sh test` asks for."""
    return SideBySide(config, log) if config.getvalue("dist") == "loadscope" else None
