"""Where local mode keeps things under SKYWATT_DATA."""

from dataclasses import dataclass
from pathlib import Path

from readings.settings import Settings


@dataclass(frozen=True)
class Layout:
    """The folders of one stack. ``down --data`` removes them, and `root` where it then holds nothing."""

    root: Path

    @property
    def logs(self) -> Path:
        """One log file a part, rotated by the supervisor."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """The supervisor's configuration, socket and pid."""
        return self.root / "run"

    @property
    def checkpoints(self) -> Path:
        """What the consumer's queries have read, a folder a namespace."""
        return self.root / "checkpoints"

    def server(self, name: str) -> Path:
        """A server's own folder: its configuration and data."""
        return self.root / name

    def log(self, part: str) -> Path:
        """A part's log file."""
        return self.logs / f"{part}.log"

    def make(self) -> None:
        """Makes the folders, for the owner's eyes only."""
        for folder in (self.root, self.logs, self.run):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def layout(settings: Settings) -> Layout:
    """The folders of the stack that these settings describe, as absolute paths."""
    return Layout(settings.skywatt_data.absolute())
