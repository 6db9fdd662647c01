"""What changes when a file is written, found without reading any: names, sizes, times."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from aiga.store.digest import files_of


def mark(found: Path | dict[str, Path]) -> str:
    """Of a file, a folder, or files by name. Empty where something of it is gone."""
    try:
        files = found if isinstance(found, dict) else files_of(found) if found.is_dir() else {found.name: found}
        state = [(name, path.stat().st_size, path.stat().st_mtime_ns) for name, path in sorted(files.items())]
    except OSError:
        return ""
    return sha256(json.dumps(state).encode()).hexdigest()
