"""Saved objects, as Kibana exports and imports them: one a line of NDJSON."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple


class Reference(NamedTuple):
    """What an object needs of another: the name it is called by, and the other's type and id."""

    name: str
    type: str
    id: str

    def as_json(self) -> dict[str, str]:
        """As Kibana spells it."""
        return {"id": self.id, "name": self.name, "type": self.type}


@dataclass(frozen=True)
class SavedObject:
    """One object. `migrated` is the version of its shape: a Kibana refuses objects newer than itself."""

    type: str
    id: str
    migrated: str
    attributes: dict[str, Any]
    references: tuple[Reference, ...]

    def line(self) -> str:
        """Its line."""
        saved = {
            "attributes": self.attributes,
            "coreMigrationVersion": "8.8.0",
            "id": self.id,
            "managed": False,
            "references": [reference.as_json() for reference in self.references],
            "type": self.type,
            "typeMigrationVersion": self.migrated,
        }
        return json.dumps(saved, ensure_ascii=False, sort_keys=True)


def ndjson(objects: Iterable[SavedObject]) -> str:
    """The file of several objects."""
    return "".join(f"{one.line()}\n" for one in objects)
