"""The cluster a dynamic resource acts on: the one the stack is configured for, never the ambient one."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from kube.cluster import Cluster
from kube.errors import KubeError

P = ParamSpec("P")
R = TypeVar("R")


class ClusterError(Exception):
    """The one line that `pulumi up` prints."""

    # The engine prints the name of the class, with its module, in front of the message.
    __module__ = "builtins"
    __qualname__ = "aiga"


@dataclass(frozen=True)
class Target:
    """Kubeconfig (a path or its text) and context from the stack's configuration."""

    kubeconfig: str
    context: str | None

    @classmethod
    def of(cls, config: Any) -> Target:
        """Reads `aiga:kubeconfig` and `aiga:context` of a dynamic provider's ConfigureRequest."""
        return cls(config.get("aiga:kubeconfig") or "", config.get("aiga:context"))

    def connect(self) -> Cluster:
        """Raises: KubeError: no cluster is configured, or it cannot be used."""
        if not self.kubeconfig:
            raise KubeError(
                "aiga:kubeconfig: not set: this stack names no cluster (run through `make`, or `pulumi config set`)"
            )
        return Cluster.connect(self.kubeconfig, self.context)


def one_line(operation: Callable[P, R]) -> Callable[P, R]:
    """Lets a user's error leave a dynamic provider as its message alone, without the plugin's traceback."""

    @functools.wraps(operation)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return operation(*args, **kwargs)
        except (KubeError, OSError) as error:
            sys.tracebacklimit = 0
            raise ClusterError(str(error)) from None

    return wrapped
