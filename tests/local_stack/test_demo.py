"""What ``run.sh demo`` is told to do; that it does it is tests/end_to_end/test_up_demo.py's."""

from alerts.rules_file import load_rules
from readings.config import ROOT
from readings.settings import Settings
from readings.stream import load_streams


def test_its_configuration_and_its_rules_are_read() -> None:
    streams = load_streams(Settings(_env_file=None, skywatt_config=ROOT / "local_stack" / "demo.yml"))
    assert list(streams) == ["weather"]
    assert {rule.kind for rule in load_rules(ROOT / "alerts" / "demo-rules.yml", streams).rules} == {"late", "silent"}
