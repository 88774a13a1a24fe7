from collections.abc import Iterator

import pytest

from tests.alerts.slack import Slack, slack_stand_in


@pytest.fixture
def slack() -> Iterator[Slack]:
    with slack_stand_in() as stand_in:
        yield stand_in
