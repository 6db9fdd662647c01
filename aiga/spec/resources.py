"""What a step or a server may use."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aiga.spec.base import Model, Size


class Toleration(Model):
    """A taint of nodes that the pod may be placed on all the same."""

    key: str = Field(description="Key of the taint.")
    operator: Literal["Equal", "Exists"] = Field(default="Exists", description="How value is compared.")
    value: str | None = Field(default=None, description="Value of the taint, for Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="Effect of the taint; any when left out."
    )


class Resources(Model):
    """Limits on this machine; requests and limits of the pod on a cluster."""

    cpu: float | None = Field(default=None, gt=0, description="CPU cores; not limited when left out.")
    memory: Size | None = Field(default=None, description="Memory, such as 2Gi; not limited when left out.")
    gpu: int = Field(default=0, ge=0, description="Number of GPUs.")
    node_selector: dict[str, str] = Field(default={}, description="Labels that a node must carry (cluster only).")
    tolerations: tuple[Toleration, ...] = Field(default=(), description="Taints that are tolerated (cluster only).")
    spot: bool = Field(default=False, description="May run on nodes that can be taken away (cluster only).")
