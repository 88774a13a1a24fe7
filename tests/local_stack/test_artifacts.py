"""Downloads: only what is whole and is what the lock says ever counts."""

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from local_stack import artifacts
from local_stack.artifacts import Artifact, fetch, load_lock, missing_sets
from local_stack.errors import FetchError
from readings.settings import Settings

JAR = b"a jar" * 1000


def artifact(name: str, content: bytes, ext: str = "jar") -> Artifact:
    return Artifact("some.group", name, "1.0", ext, len(content), hashlib.sha256(content).hexdigest())


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("server-1.0/bin/server", "#!/bin/bash\n")
    return buffer.getvalue()


class Registry:
    """Stands in for Java running Ivy: copies what it serves to where Ivy would put it."""

    def __init__(self, folder: Path) -> None:
        self.served = folder / "served"
        self.served.mkdir()
        self.runs = folder / "runs"
        self.runs.touch()
        self.java = folder / "java"
        self.java.write_text(
            "#!/bin/bash\n"
            f"echo run >> {self.runs}\n"
            'while [ $# -gt 0 ]; do case "$1" in -retrieve) shift; into=$(dirname "$1");; esac; shift; done\n'
            f'mkdir -p "$into" && cp {self.served}/* "$into"/\n'
            f"[ ! -e {folder}/broken ] || {{ cat {folder}/broken; exit 1; }}\n"
        )
        self.java.chmod(0o755)
        self.broken = folder / "broken"

    def serve(self, name: str, content: bytes) -> None:
        (self.served / name).write_bytes(content)

    @property
    def times_asked(self) -> int:
        return len(self.runs.read_text().splitlines())


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    folder = tmp_path / "registry"
    folder.mkdir()
    return Registry(folder)


def quiet(_name: str, _here: int, _total: int) -> None:
    pass


def test_a_set_is_fetched_once(registry: Registry, tmp_path: Path) -> None:
    lock = {"tools-1": [artifact("one", JAR)]}
    registry.serve("one-1.0.jar", JAR)
    home = tmp_path / "home"
    fetch(home, ["tools-1"], lock, registry.java, quiet)
    assert (home / "tools-1" / "one-1.0.jar").read_bytes() == JAR
    assert missing_sets(home, lock) == []
    fetch(home, ["tools-1"], lock, registry.java, quiet)
    assert registry.times_asked == 1


def test_a_zip_is_unpacked_as_the_folder_in_it(registry: Registry, tmp_path: Path) -> None:
    lock = {"server-1.0": [artifact("server", zipped(), "zip")]}
    registry.serve("server-1.0.zip", zipped())
    fetch(tmp_path / "home", ["server-1.0"], lock, registry.java, quiet)
    assert (tmp_path / "home" / "server-1.0" / "bin" / "server").exists()


def test_what_is_not_what_the_lock_says_never_counts(registry: Registry, tmp_path: Path) -> None:
    lock = {"tools-1": [artifact("one", JAR)]}
    registry.serve("one-1.0.jar", JAR[:-1] + b"!")
    home = tmp_path / "home"
    with pytest.raises(FetchError, match=r"one-1\.0\.jar has SHA-256 .* expected"):
        fetch(home, ["tools-1"], lock, registry.java, quiet)
    assert missing_sets(home, lock) == ["tools-1"]
    assert not (home / "tools-1").exists()
    assert not list(home.glob(".fetch-*"))


def test_a_file_that_did_not_come_is_named(registry: Registry, tmp_path: Path) -> None:
    lock = {"tools-1": [artifact("one", JAR), artifact("two", JAR)]}
    registry.serve("one-1.0.jar", JAR)
    with pytest.raises(FetchError, match=r"two-1\.0\.jar did not come"):
        fetch(tmp_path / "home", ["tools-1"], lock, registry.java, quiet)


def test_without_a_network_the_error_says_so(registry: Registry, tmp_path: Path) -> None:
    registry.broken.write_text("Server access error: java.net.UnknownHostException: some.host\n")
    with pytest.raises(FetchError, match="cannot be reached"):
        fetch(tmp_path / "home", ["tools-1"], {"tools-1": [artifact("one", JAR)]}, registry.java, quiet)
    assert registry.times_asked == artifacts.ATTEMPTS


def test_a_download_that_stands_still_is_broken_off(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "STALL_S", 0.5)
    monkeypatch.setattr(artifacts, "ATTEMPTS", 1)
    registry.java.write_text("#!/bin/bash\nexec tail -f /dev/null\n")
    with pytest.raises(FetchError, match="nothing came"):
        fetch(tmp_path / "home", ["tools-1"], {"tools-1": [artifact("one", JAR)]}, registry.java, quiet)


def test_a_set_is_fetched_again_when_the_lock_has_changed(registry: Registry, tmp_path: Path) -> None:
    home = tmp_path / "home"
    registry.serve("one-1.0.jar", JAR)
    fetch(home, ["tools-1"], {"tools-1": [artifact("one", JAR)]}, registry.java, quiet)
    registry.serve("two-1.0.jar", JAR)
    lock = {"tools-1": [artifact("one", JAR), artifact("two", JAR)]}
    assert missing_sets(home, lock) == ["tools-1"]
    fetch(home, ["tools-1"], lock, registry.java, quiet)
    assert (home / "tools-1" / "two-1.0.jar").exists()


def test_a_jar_that_was_cut_short_later_is_missing(registry: Registry, tmp_path: Path) -> None:
    lock = {"tools-1": [artifact("one", JAR)]}
    registry.serve("one-1.0.jar", JAR)
    fetch(tmp_path / "home", ["tools-1"], lock, registry.java, quiet)
    (tmp_path / "home" / "tools-1" / "one-1.0.jar").write_bytes(JAR[:100])
    assert missing_sets(tmp_path / "home", lock) == ["tools-1"]


def test_what_an_interrupted_download_left_is_cleared_away(registry: Registry, tmp_path: Path) -> None:
    left = tmp_path / "home" / ".fetch-tools-1-x"
    left.mkdir(parents=True)
    registry.serve("one-1.0.jar", JAR)
    fetch(tmp_path / "home", ["tools-1"], {"tools-1": [artifact("one", JAR)]}, registry.java, quiet)
    assert not left.exists()


def test_progress_ends_with_all_bytes(registry: Registry, tmp_path: Path) -> None:
    registry.serve("one-1.0.jar", JAR)
    told: list[tuple[str, int, int]] = []
    lock = {"tools-1": [artifact("one", JAR)]}
    fetch(tmp_path / "home", ["tools-1"], lock, registry.java, lambda *progress: told.append(progress))
    assert told[-1] == ("tools-1", len(JAR), len(JAR))


def test_the_lock_names_what_each_server_is_started_from() -> None:
    from local_stack import elasticsearch, kafka

    lock = load_lock()
    assert set(lock) == {kafka.JARS, elasticsearch.DISTRIBUTION, "spark-kafka-4.2.0"}
    assert "kafka-clients-3.9.2.jar" in {one.file for one in lock["spark-kafka-4.2.0"]}
    assert any(one.name == "log4j-slf4j-impl" for one in lock[kafka.JARS]), "without it Kafka's log stays silent"
    optional = load_lock(artifacts.OPTIONAL_LOCK_FILE)
    assert set(optional) == {artifacts.DELTA, artifacts.CASSANDRA}
    every = [*lock.values(), *optional.values()]
    assert all(len(one.sha256) == 64 and one.size > 0 for entries in every for one in entries)
    assert all(len({one.file for one in entries}) == len(entries) for entries in every)


def test_deltas_jars_are_brought_where_delta_is_set_and_cassandra_never() -> None:
    without, with_delta = (Settings(_env_file=None, delta_path=path) for path in (None, "/tables"))
    assert artifacts.wanted_lock(without) == load_lock()
    assert set(artifacts.wanted_lock(with_delta)) == {*load_lock(), artifacts.DELTA}
