"""What every layer is told of the stack it is built for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pulumi

from kube.ownership import STACK_LABEL

if TYPE_CHECKING:
    from components.upstream import Upstream

Profile = Literal["laptop", "team", "prod"]


@dataclass(frozen=True, kw_only=True)
class Context:
    """The stack's decisions that reach every layer. Built once, in `stacks/platform.py`."""

    stack: str
    profile: Profile
    upstream: Upstream
    kubernetes_version: str = "1.36.3"
    """What charts are rendered for, without the leading v."""
    storage_class: str | None = None
    """Left to the cluster's default when None."""
    monitoring: bool = True
    """Whether the monitoring kinds exist: without them no layer makes a ServiceMonitor."""
    first: tuple[pulumi.Resource, ...] = ()
    """What every object waits for: the guard, which stops an `up` that Kubernetes would refuse half-way."""
    protect: bool = False
    """Whether what cannot be rebuilt (CRDs, what holds volumes, the sealing key) is protected from deletion."""
    retry: list[Any] = field(default_factory=list)
    """Error hooks for every object (`components/retry.py`)."""

    @property
    def labels(self) -> dict[str, str]:
        """The labels that every object of the stack carries."""
        return {"app.kubernetes.io/part-of": "aiga", STACK_LABEL: self.stack}

    @property
    def minor(self) -> int:
        """The Kubernetes minor version: 36 for 1.36.3."""
        return int(self.kubernetes_version.split(".")[1])

    def hooks(self) -> pulumi.ResourceHookBinding | None:
        return pulumi.ResourceHookBinding(on_error=self.retry) if self.retry else None
