"""Settings from raw configuration, as the engine hands it on."""

from __future__ import annotations

import json
from typing import Any

from stacks import settings
from stacks.settings import Settings


def raw(**keys: Any) -> dict[str, str]:
    """As the engine hands configuration on: strings, and JSON for objects."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in keys.items()}


def wrong(secrets: set[str] | None = None, **keys: Any) -> list[str]:
    found = settings.parse(raw(**keys), "dev", secrets)
    assert isinstance(found, list), f"accepted: {found!r}"
    return [str(mistake) for mistake in found]


def right(secrets: set[str] | None = None, **keys: Any) -> Settings:
    found = settings.parse(raw(**keys), "dev", secrets)
    assert isinstance(found, Settings), "\n".join(map(str, found))
    return found
