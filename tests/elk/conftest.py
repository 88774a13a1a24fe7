import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from elk import dictionary
from local_stack import artifacts
from local_stack.java import find_java
from readings.config import ROOT
from readings.settings import Settings

STAND_IN = Path(__file__).with_name("ruby") / "logstash_stand_in.rb"
SCRIPTS = ROOT / "elk" / "logstash" / "scripts"

Lines = list[dict[str, Any]]
Arrivals = Callable[[Lines], list[Lines]]


@pytest.fixture(scope="session")
def ruby() -> list[str]:
    """The command of the JRuby that Logstash 8.19 ships, fetched once into the cache folder as the servers are."""
    home = Settings(_env_file=None).skywatt_home
    lock = artifacts.load_lock(Path(__file__).with_name("artifacts.json"))
    ((name, (jar,)),) = lock.items()
    java = find_java()
    artifacts.fetch(home, [name], lock, java, lambda *_: None)
    return [str(java), "-Xmx256m", "-XX:TieredStopAtLevel=1", "-jar", str(home / name / jar.file), str(STAND_IN)]


@pytest.fixture(scope="session")
def arrivals(ruby: list[str]) -> Iterator[Arrivals]:
    """What ``arrivals.rb`` makes of events: for each a list of ``{"fields", "metadata"}``."""
    parameters = json.dumps({"streams": str(dictionary.FILE)})
    command = [*ruby, "filter", str(SCRIPTS / "arrivals.rb"), parameters]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def made_of(events: Lines) -> list[Lines]:
            made = []
            for event in events:
                process.stdin.write(json.dumps(event) + "\n")
                made.append(json.loads(process.stdout.readline()))
            return made

        yield made_of
        process.stdin.close()
