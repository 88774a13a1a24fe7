"""What the supervisor is to run: one program a part."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Program:
    """A part as a process. Its command holds no secret: each process reads those from files only the owner can read."""

    name: str
    command: tuple[str, ...]
    directory: Path
    port: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the inherited environment, or all there is of it where `clean` is set."""
    clean: bool = False
    """Whether the process inherits nothing of our environment, as a server that other people wrote should not."""
    stop_wait_s: int = 20
    """How long it may take to end by itself before it is killed."""
    stops_its_children: bool = False
    """Whether it ends its child processes itself, and is asked alone: Spark's driver needs its JVM to end in peace."""
