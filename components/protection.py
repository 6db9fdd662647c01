"""What holds data: where a stack protects (`aiga:protect`), the engine refuses to delete or replace it."""

from __future__ import annotations

from typing import Any

Manifest = dict[str, Any]


def holds_data(o: Manifest) -> bool:
    """Whether volumes go, or lose the one that uses them, with this object."""
    spec = o.get("spec") or {}
    match o["kind"]:
        case "PersistentVolumeClaim":
            return True
        case "StatefulSet":
            return bool(spec.get("volumeClaimTemplates"))
        case "Prometheus" | "Alertmanager":
            return "volumeClaimTemplate" in (spec.get("storage") or {})
    return False
