"""The JSON Schema of `project.yaml`, for editors, CI and documents; the committed one is kept current by a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aiga.spec.project import Project

DIALECT = "https://json-schema.org/draft/2020-12/schema"
IDENTITY = "https://aiga.dev/v1/project.schema.json"


def schema() -> dict[str, Any]:
    """The schema, by the names that the file uses."""
    found = Project.model_json_schema(by_alias=True)
    for part in (found, *found["$defs"].values()):
        for entry in part.get("properties", {}).values():
            entry.pop("title", None)
            if "patternProperties" in entry:
                entry["additionalProperties"] = False
    return {"$schema": DIALECT, "$id": IDENTITY, **found, "title": "project.yaml"}


def text() -> str:
    """The schema as its file has it: always the same bytes."""
    return json.dumps(schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def write(path: Path) -> None:
    """Writes the schema to a file."""
    path.write_text(text(), encoding="utf-8")


def check(path: Path) -> bool:
    """Whether the file holds the schema as it is now."""
    return path.is_file() and path.read_text(encoding="utf-8") == text()
