"""Brings everything up: looks, fetches, starts, waits until readings flow, and shows what there is."""

import subprocess
import sys
import time
from collections.abc import Sequence

from kafka.errors import KafkaError
from rich.console import Console
from rich.markup import escape

from local_stack import artifacts, changes, doctor, outside, parts, passwords, processes, table
from local_stack.artifacts import Artifact
from local_stack.console import Downloads, say, step
from local_stack.down import stop
from local_stack.errors import NotReadyError, StackError
from local_stack.first_readings import readings_flow
from local_stack.java import find_java
from local_stack.layout import Layout
from local_stack.layout import layout as make_layout
from local_stack.locks import alone
from local_stack.ready import log_end, wait_ready
from local_stack.status import PartStatus, Status, gather
from local_stack.supervisor import Supervisor
from readings import env_file
from readings.config import ROOT
from readings.connections import make_topics
from readings.settings import Settings
from readings.stream import load_streams

READY_S = 300.0
"""A part that ends is told at once; these are for one that is slow on a busy machine, or has much to recover."""
FIRST_READINGS_S = 420.0
_MODULE_S = 180.0
"""More than `elk.setup` waits for Elasticsearch by itself, which tells what was wrong with it."""
_DOWN = ("STOPPED", "EXITED", "FATAL")


def up(console: Console, only: Sequence[str] = ()) -> int:
    """Starts what does not run yet (of the named parts, or of all) and returns 0 when it is well.

    What ran and had to be stopped is started again. Raises StackError where a step could not be done, NotReadyError
    where no readings came in time.
    """
    began = time.monotonic()
    settings, made = passwords.ensure_passwords()
    layout = make_layout(settings)
    layout.make()
    if made:
        say(console, "✓", "passwords made", began, f"in {env_file.path()}, for your eyes only")
    wanted = set(only or parts.PARTS)
    if wanted & parts.outside(settings).keys():
        with step(console, "asking the servers elsewhere"):
            outside.examine(settings, wanted)
    with alone(layout.run / "lock"):  # one `up` of a stack at a time
        supervisor = Supervisor(layout)
        wanted |= _recover(console, supervisor, settings, layout)
        started = _start(
            console, supervisor, settings, layout, [part for part in parts.local_parts(settings) if part in wanted]
        )
        status = None if only else _wait_for_readings(console, settings, layout)
    if not started:
        console.print("Everything runs already; nothing was changed.")
    if status is None:
        return 0
    console.print()
    table.show(console, status, settings, layout)
    console.print(f"\nUp after {time.monotonic() - began:.1f} s. What to try next:")
    for line in _next_steps(settings):
        console.print(line, markup=False, soft_wrap=True)
    return 0


def _recover(console: Console, supervisor: Supervisor, settings: Settings, layout: Layout) -> set[str]:
    """Ends what a supervisor that died left running, and stops what knows other settings (all) or other code (ours).

    Gives the names of the parts that ran and do not any more; of the servers, only where a supervisor knows.
    """
    if supervisor.pid() is None:
        left = processes.of_stack(layout)
        ran = processes.programs(left)
        if left:
            with step(console, "ending what was left over") as current:
                current.say(f"{processes.end(left)} processes without their supervisor")
        return ran
    ran = {state.name for state in supervisor.states().values() if state.state not in _DOWN}
    changed = changes.changed(settings, layout)
    if not changed:
        own = ran.difference(parts.SERVERS)
        if not own or not changes.code_changed(layout):
            return set()
        with step(console, "stopping: this version is another than the one that runs") as current:
            supervisor.stop_programs(own)
            current.say(", ".join(part for part in parts.PARTS if part in own))
        return own
    with step(console, "stopping: settings have changed") as current:
        stop(supervisor, layout)
        current.say(", ".join(changed))
    return ran


def _start(
    console: Console, supervisor: Supervisor, settings: Settings, layout: Layout, wanted: Sequence[str]
) -> list[str]:
    """Starts those of the wanted parts that do not run, and gives back their names when all are well.

    A part that runs and whose command is another by now is started anew.
    """
    states = supervisor.states()
    missing = [name for name in wanted if name not in states or states[name].state in _DOWN]
    if not missing:
        wait_ready(settings, layout, wanted, READY_S)
        return []
    with step(console, "looking at this machine") as current:
        current.say(doctor.examine(missing))
    fetch(console, settings, artifacts.wanted_lock(settings))
    with step(console, "making the parts ready"):
        programs = parts.prepare(settings, layout, find_java())
        if supervisor.pid() is None:
            supervisor.start(programs)
        else:
            missing = [name for name in parts.PARTS if name in {*missing, *supervisor.update(programs)}]
        changes.remember(settings, layout)
    _start_in_order(console, supervisor, settings, layout, missing)
    return missing


def _start_in_order(
    console: Console, supervisor: Supervisor, settings: Settings, layout: Layout, missing: Sequence[str]
) -> None:
    """Servers first, then what must be in place before the first reading is written, then our own parts.

    On two cores this is also sooner than all at once: our parts would take the servers' time to wait for them.
    """
    began = time.monotonic()
    servers = [name for name in missing if name in parts.SERVERS]
    own = [name for name in missing if name not in parts.SERVERS]
    for name in servers:
        supervisor.start_program(name)

    def told(part: PartStatus) -> None:
        say(console, "✓", part.name, began, part.address)

    wait_ready(settings, layout, servers, READY_S, told)
    if not own:
        return
    with step(console, "topics and index templates"):
        try:
            make_topics(settings, load_streams(settings))
        except KafkaError as error:
            raise StackError(f"the topics could not be made: {type(error).__name__}: {error}") from error
        _run_module(console, "elk.setup")
    for name in own:
        supervisor.start_program(name)
    wait_ready(settings, layout, own, READY_S, told)


def fetch(console: Console, settings: Settings, lock: dict[str, list[Artifact]]) -> None:
    """Brings the sets that are not there yet. Raises FetchError."""
    home = settings.skywatt_home.absolute()
    missing = artifacts.missing_sets(home, lock)
    if not missing:
        return
    size = sum(artifact.size for name in missing for artifact in lock[name]) / 1e6
    with step(console, "downloading servers and jars") as current, Downloads(console) as progress:
        artifacts.fetch(home, missing, lock, find_java(), progress)
        current.say(f"{size:.0f} MB, kept in {home}")


def _run_module(console: Console, module: str) -> None:
    """Runs it to its end; what it warns of is shown. Raises StackError where it fails or hangs."""
    command = [sys.executable, "-m", module]
    try:
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_MODULE_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise StackError(
            f"python -m {module} did not end within {_MODULE_S:.0f} s; bash run.sh status tells which part waits"
        ) from error
    if answer.returncode != 0:
        raise StackError(f"python -m {module} failed:\n{(answer.stdout + answer.stderr).strip()[-2000:]}")
    if answer.stderr.strip():
        console.print(f"[yellow]{escape(answer.stderr.strip())}[/]")


def _wait_for_readings(console: Console, settings: Settings, layout: Layout) -> Status:
    """How all is when the first readings and forecasts are there. Raises NotReadyError at the deadline."""
    with step(console, "first readings and forecasts") as current:
        if not readings_flow(settings, FIRST_READINGS_S):
            raise NotReadyError(
                f"no readings or forecasts came within {FIRST_READINGS_S:.0f} s\n"
                f"{log_end(layout, 'producer')}\n{log_end(layout, 'consumer')}"
            )
        status = gather(settings, layout)
        current.say(f"{sum(stream.elasticsearch or 0 for stream in status.streams):,} readings so far")
    return status


def _next_steps(settings: Settings) -> list[str]:
    lines = [
        f"  {settings.dashboard_address}   the dashboard: is everything arriving?",
        "  bash run.sh status          how every part and stream is, at any time",
        "  bash run.sh logs consumer   what a part says",
        "  bash run.sh demo            a place falls silent, and is heard of again: two minutes",
        f"  {settings.forecaster_address}/docs   ask the forecaster",
        "  bash run.sh down            stops everything and keeps the data",
    ]
    if not settings.openweathermap_api_key:
        lines.append(
            "  live weather: put OPENWEATHERMAP_API_KEY into .env, then .venv/bin/python -m producer go-live weather"
            " (the other streams: docs/sources.md)"
        )
    return lines
