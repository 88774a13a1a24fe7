"""Downloads the servers and jars of ``artifacts.json`` into the cache folder, once.

What only some need (``artifacts_optional.json``: Delta's jars, Cassandra) is brought where a setting asks for it, or by
``python -m local_stack fetch NAME``.

The Ivy that pyspark ships fetches them from the registry it knows; each file must have the size and SHA-256 of the
lock. A set counts as there only when all its files were verified and its folder was renamed into place, so that
what was interrupted or came broken is fetched again.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from xml.sax.saxutils import quoteattr

from local_stack.errors import FetchError
from local_stack.java import find_java
from local_stack.locks import alone
from readings.settings import Settings

LOCK_FILE = Path(__file__).with_name("artifacts.json")
OPTIONAL_LOCK_FILE = Path(__file__).with_name("artifacts_optional.json")
DELTA = "spark-delta-4.4.0"
CASSANDRA = "cassandra-5.0.6"
STAMP = ".complete"
"""In a set's folder: the fingerprint of the lock entry it was made from."""

ATTEMPTS = 3
STALL_S = 90.0
"""A download that brings nothing for so long is broken off and tried again."""

Progress = Callable[[str, int, int], None]
"""Told a set's name, the bytes that are there, and how many it has."""


@dataclass(frozen=True)
class Artifact:
    """One file of the registry, by its Maven coordinates."""

    group: str
    name: str
    version: str
    ext: str
    size: int
    sha256: str
    classifier: str = ""
    """Which of several files of one version: ``native``."""

    @property
    def file(self) -> str:
        """Its file name."""
        return f"{self.name}-{self.version}{f'-{self.classifier}' if self.classifier else ''}.{self.ext}"


def load_lock(path: Path = LOCK_FILE) -> dict[str, list[Artifact]]:
    """The sets by name: each is a folder of the cache."""
    return {name: [Artifact(**entry) for entry in entries] for name, entries in json.loads(path.read_text()).items()}


def wanted_lock(settings: Settings) -> dict[str, list[Artifact]]:
    """What a stack with these settings is started from."""
    optional = {DELTA} if settings.delta_path else set()
    return load_lock() | {name: entries for name, entries in load_lock(OPTIONAL_LOCK_FILE).items() if name in optional}


def missing_sets(home: Path, lock: dict[str, list[Artifact]]) -> list[str]:
    """The names of the sets that the cache folder does not hold whole."""
    return [name for name, artifacts in lock.items() if not _is_complete(home / name, artifacts)]


def fetch(home: Path, names: list[str], lock: dict[str, list[Artifact]], java: Path, progress: Progress) -> None:
    """Brings the named sets into the cache folder, at the same time; what is there already is left alone.

    Raises FetchError where the network or a file's content is not what is needed; nothing incomplete stays.
    """
    home.mkdir(parents=True, exist_ok=True)
    with _only_one(home):
        needed = [name for name in names if not _is_complete(home / name, lock[name])]
        with ThreadPoolExecutor(max_workers=max(1, len(needed))) as pool:
            fetches = [pool.submit(_fetch_set, home, name, lock[name], java, progress) for name in needed]
        for done in fetches:
            done.result()


def main() -> int:
    """``python -m local_stack.artifacts FOLDER SET…``: fetches sets into a folder, for an image."""
    home, *names = sys.argv[1:]
    fetch(Path(home), names, load_lock(), find_java(), lambda *_: None)
    return 0


def _fetch_set(home: Path, name: str, artifacts: list[Artifact], java: Path, progress: Progress) -> None:
    work = Path(tempfile.mkdtemp(prefix=f".fetch-{name}-", dir=home))
    try:
        for attempt in range(1, ATTEMPTS + 1):
            problem = _run_ivy(work, name, artifacts, java, progress) or _verify(work / "files", artifacts)
            if not problem:
                break
            if attempt == ATTEMPTS:
                log = home / f"fetch-{name}.log"
                shutil.copyfile(work / "ivy.log", log)
                raise FetchError(f"{name} could not be downloaded: {problem}\nIts log: {log}")
        made = work / "made"
        if artifacts[0].ext == "zip":
            _unpack(work / "files" / artifacts[0].file, made)
        else:
            (work / "files").rename(made)
        (made / STAMP).write_text(_fingerprint(artifacts))
        if (home / name).exists():
            (home / name).rename(work / "old")
        made.rename(home / name)
        total = sum(artifact.size for artifact in artifacts)
        progress(name, total, total)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run_ivy(work: Path, name: str, artifacts: list[Artifact], java: Path, progress: Progress) -> str | None:
    """Runs Ivy once. Returns what went wrong, in the user's words, or None."""
    (work / "settings.xml").write_text(
        f"""\
<ivysettings><settings defaultResolver="registry"/><caches defaultCacheDir={quoteattr(str(work / "cache"))}/>
<resolvers><ibiblio name="registry" m2compatible="true" usepoms="false" useMavenMetadata="false" checksums=""/>
</resolvers></ivysettings>
"""
    )
    (work / "ivy.xml").write_text(_ivy_xml(artifacts))
    ivy = _ivy()
    with (work / "ivy.log").open("ab") as log:
        process = subprocess.Popen(
            [
                *(str(java), "-Xmx256m", "-jar", str(ivy)),
                *("-settings", str(work / "settings.xml"), "-ivy", str(work / "ivy.xml"), "-confs", "default"),
                *("-retrieve", str(work / "files" / "[artifact]-[revision](-[classifier]).[ext]")),
            ],
            stdout=log,
            stderr=log,
        )
        try:
            stalled = not _watch(process, work / "cache", name, sum(a.size for a in artifacts), progress)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
    if stalled:
        return f"nothing came for {STALL_S:.0f} s; is the network slow or closed?"
    if process.returncode == 0:
        return None
    said = (work / "ivy.log").read_text(errors="replace")
    if any(
        sign in said for sign in ("UnknownHostException", "ConnectException", "NoRouteToHost", "Connection refused")
    ):
        return "Maven Central cannot be reached; connect to the network (behind a proxy: set JAVA_TOOL_OPTIONS)"
    return "Maven Central did not give all of it; try again: what is missing is fetched"


def _ivy() -> Path:
    """The Ivy that pyspark ships. Its package is not imported: that takes longer than all else here."""
    found = find_spec("pyspark")
    if found is None or found.origin is None:
        raise FetchError("pyspark is not installed; bash run.sh makes the Python environment")
    return next(Path(found.origin).with_name("jars").glob("ivy-*.jar"))


def _watch(process: "subprocess.Popen[bytes]", cache: Path, name: str, total: int, progress: Progress) -> bool:
    """Reports the bytes that have come until the process ends; False when they stop coming."""
    seen, since = -1, time.monotonic()
    while True:
        try:
            process.wait(0.25)
            return True
        except subprocess.TimeoutExpired:
            here = min(total, _bytes_below(cache))
        if here != seen:
            seen, since = here, time.monotonic()
            progress(name, here, total)
        elif time.monotonic() - since > STALL_S:
            return False


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        if path.name.endswith((".jar", ".zip", ".part")):
            try:
                total += path.stat().st_size
            except FileNotFoundError:  # renamed from .part in this moment: counted the next time
                continue
    return total


def _ivy_xml(artifacts: list[Artifact]) -> str:
    modules: dict[tuple[str, str, str], list[Artifact]] = {}
    for artifact in artifacts:
        modules.setdefault((artifact.group, artifact.name, artifact.version), []).append(artifact)
    dependencies = "\n".join(
        f"<dependency org={quoteattr(group)} name={quoteattr(name)} rev={quoteattr(version)} "
        f'transitive="false" conf="default->default">{"".join(map(_ivy_artifact, files))}</dependency>'
        for (group, name, version), files in modules.items()
    )
    return (
        '<ivy-module version="2.0" xmlns:m="http://ant.apache.org/ivy/maven">'
        '<info organisation="skywatt" module="local-stack"/>'
        f'<configurations><conf name="default"/></configurations><dependencies>\n{dependencies}\n'
        "</dependencies></ivy-module>\n"
    )


def _ivy_artifact(one: Artifact) -> str:
    classifier = f" m:classifier={quoteattr(one.classifier)}" if one.classifier else ""
    return f'<artifact name={quoteattr(one.name)} type="{one.ext}" ext="{one.ext}"{classifier}/>'


def _verify(folder: Path, artifacts: list[Artifact]) -> str | None:
    for artifact in artifacts:
        path = folder / artifact.file
        if not path.exists():
            return f"{artifact.file} did not come"
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != artifact.sha256:
            return (
                f"{artifact.file} has SHA-256 {found} and {path.stat().st_size} bytes, "
                f"expected {artifact.sha256} and {artifact.size} bytes (local_stack/artifacts.json)"
            )
    return None


def _unpack(archive: Path, into: Path) -> None:
    """Unpacks a zip that holds one folder, as that folder."""
    unpacked = into.with_name("unpacked")
    with zipfile.ZipFile(archive) as file:
        file.extractall(unpacked)
        (top,) = unpacked.iterdir()
    top.rename(into)


def _is_complete(folder: Path, artifacts: list[Artifact]) -> bool:
    try:
        if (folder / STAMP).read_text() != _fingerprint(artifacts):
            return False
        return all((folder / a.file).stat().st_size == a.size for a in artifacts if a.ext != "zip")
    except FileNotFoundError:
        return False


def _fingerprint(artifacts: list[Artifact]) -> str:
    return hashlib.sha256("".join(sorted(artifact.sha256 for artifact in artifacts)).encode()).hexdigest()


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Lets one process fetch at a time, and clears what an interrupted one left."""
    with alone(home / ".lock"):
        for left in home.glob(".fetch-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


if __name__ == "__main__":
    sys.exit(main())
