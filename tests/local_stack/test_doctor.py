"""The doctor: says what is missing and how to mend it, with nothing but the standard library."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack import doctor
from local_stack.changes import remember
from local_stack.doctor import UnfitError, examine, look
from local_stack.java import find_java
from local_stack.layout import Layout
from readings.config import ROOT
from readings.settings import Settings


@pytest.fixture
def taken_port(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        monkeypatch.setenv("SKYWATT_MONGODB_PORT", str(port))
        yield port


def fake_java(folder: Path, version: str) -> None:
    java = folder / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2021' >&2\n")
    java.chmod(0o755)


def found(what: str) -> doctor.Finding:
    (finding,) = [finding for finding in look() if finding.what == what]
    return finding


def test_it_needs_no_package() -> None:
    answer = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            "import sys; sys.path.insert(0, '.'); import local_stack.doctor as d; d.main()",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Python" in answer.stdout


@pytest.mark.parametrize(("minor", "well"), [(10, False), (11, True), (13, True), (14, False)])
def test_a_python_that_lacks_a_package_is_a_problem(monkeypatch: pytest.MonkeyPatch, minor: int, well: bool) -> None:
    monkeypatch.setattr(sys, "version_info", (3, minor, 0))
    assert doctor._python().well is well


@pytest.mark.parametrize(("version", "well"), [("17.0.9", True), ("21", True), ("11.0.2", False), ("1.8.0_392", False)])
def test_an_old_java_is_a_problem(
    settings: Settings, fake_bin: Path, monkeypatch: pytest.MonkeyPatch, version: str, well: bool
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    fake_java(fake_bin, version)
    assert found("Java").well is well


def test_the_java_that_a_version_manager_put_on_path_is_found_in_its_own_home(
    settings: Settings, fake_bin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asdf's and jenv's are no links: what lies beside them is no JAVA_HOME."""
    real = find_java()
    (fake_bin / "java").write_text(f'#!/bin/sh\nexec {real} "$@"\n')
    (fake_bin / "java").chmod(0o755)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert find_java() == real


def test_a_wrong_java_home_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    assert "/nowhere" in found("Java").found


def test_a_port_that_is_taken_is_a_problem_with_its_owner_and_the_variable(taken_port: int) -> None:
    finding = found(f"port {taken_port}")
    assert not finding.well
    assert f"pid {os.getpid()}" in finding.found
    assert "SKYWATT_MONGODB_PORT" in finding.mend


def test_a_port_that_our_own_part_has_is_none(taken_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_is_ours", lambda pid, data: pid == os.getpid())
    assert found(f"port {taken_port}").well


def test_an_outside_servers_port_does_not_matter(taken_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://elsewhere")
    assert f"port {taken_port}" not in [finding.what for finding in look()]


def test_ports_are_read_from_the_env_file(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("# SKYWATT_KAFKA_PORT=1\nSKYWATT_KAFKA_PORT='29999' # mine\n")
    assert found("port 29999").what


def test_an_env_file_that_is_not_utf8_is_a_problem_beside_the_others(
    taken_port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "env").write_bytes(b"# caf\xe9\nSKYWATT_KAFKA_PORT=29999\n")
    assert doctor.main() == 1
    said = capsys.readouterr().out
    assert "env: line 1: read the byte 0xe9, expected UTF-8" in said
    assert f"port {taken_port}" in said
    assert "port 29999" in said


@pytest.mark.parametrize("port", ["90920", "0", "-1", "many", "²"])
def test_a_port_that_is_none_is_a_problem_with_its_variable(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    monkeypatch.setenv("SKYWATT_KAFKA_PORT", port)
    finding = found(f"port {port}")
    assert not finding.well
    assert "SKYWATT_KAFKA_PORT" in finding.found
    assert "1 to 65535" in finding.mend


def test_too_little_memory_is_a_problem_unless_the_stack_runs_already(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_available_bytes", lambda: 4 * 2**30)
    assert not found("memory").well
    monkeypatch.setattr(doctor, "_is_running", lambda _: True)
    assert found("memory").well


@pytest.mark.parametrize(
    ("current", "inactive_file", "available"), [(900, 500, 600), (900, 0, 100), (1100, 0, 0), (300, 400, 1000)]
)
def test_files_that_a_container_only_keeps_in_mind_take_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, current: int, inactive_file: int, available: int
) -> None:
    monkeypatch.setattr(doctor, "CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text(f"{current}\n")
    (tmp_path / "memory.stat").write_text(f"anon 1\nfile 2\ninactive_file {inactive_file}\nactive_file 3\n")
    assert doctor._available_bytes() == available
    (tmp_path / "memory.max").write_text("max\n")
    assert doctor._available_bytes() > 1000


def test_too_little_disk_is_a_problem(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_free_bytes", lambda _: 10**9)
    finding = found("disk")
    assert not finding.well
    assert "SKYWATT_DATA" in finding.mend


def test_a_stack_that_ran_before_is_warned_of_what_a_first_start_would_be_refused_for(
    settings: Settings, layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a reboot, too: most of the disk is taken by its own data."""
    free = {"memory": 3 * 2**30, "disk": 10**9}
    monkeypatch.setattr(doctor, "_available_bytes", lambda: free["memory"])
    monkeypatch.setattr(doctor, "_free_bytes", lambda _: free["disk"])
    with pytest.raises(UnfitError, match=r"memory: 3.0 GiB(.|\n)*disk: 1.0 GB"):
        examine(["kafka"])
    remember(settings, layout)
    assert examine(["consumer"]) == "only 3.0 GiB memory free, only 1.0 GB disk free"
    doctor.main()
    assert "warning  disk         1.0 GB disk free\n" in capsys.readouterr().out
    free["disk"] = 4 * 10**8
    assert not found("disk").well
    free["memory"] = 2**30
    assert not found("memory").well


def test_up_is_refused_with_all_that_is_to_be_mended(taken_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_free_bytes", lambda _: 10**9)
    with pytest.raises(UnfitError, match=rf"disk(.|\n)*port {taken_port}"):
        examine(["mongodb"])
    with pytest.raises(UnfitError) as refused:
        examine(["kafka"])
    assert f"port {taken_port}" not in str(refused.value)


def test_it_gives_1_where_something_is_a_problem(taken_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main() == 1
    assert "PROBLEM" in capsys.readouterr().out
