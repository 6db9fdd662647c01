"""Refuses, before anything is touched, a change that Kubernetes would refuse half-way through.

Volumes of a StatefulSet cannot be changed in place, a store that becomes a StatefulSet starts empty, and Knative's
webhook keeps a Broker as it was made. The guard keeps the shape of such layers in the state; everything else waits for
it, so a refused shape stops `up` at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from components.target import one_line
from kube.errors import KubeError

UNPROTECTED = "where the stack protects, as in prod, first `make up` with the old shape and `aiga:protect: false`"
"""What every way begins with: layers that are switched off take CRDs, stores and namespaces with them."""
WAYS = {
    "nats": "switch nats, knative, argo and seldon off in aiga:layers, `make up`, switch them on with the new shape,"
    " `make up`; events that were not delivered by then are lost",
    "knative": "switch knative and seldon off in aiga:layers, `make up`, switch them on with the new aiga:broker,"
    " `make up`; events that were not delivered by then are lost",
    "objectStore": "copy the buckets out (`mc mirror`), switch objectStore, argo, seldon and a flux that reads from its"
    " bucket off in aiga:layers, `make up`, switch them on with the new shape, `make up`, copy the buckets back",
}
"""How each guarded layer gets another shape."""


def refused(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """What cannot be changed in place, one line a layer. A layer that comes or goes is free to."""
    return [
        f"{layer}: it runs as {old[layer]} and cannot become {new[layer]} in place ({UNPROTECTED}; {WAYS[layer]})"
        for layer in sorted(old.keys() & new.keys())
        if old[layer] != new[layer]
    ]


class _Provider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("shapes", props)

    @one_line
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        problems = refused(olds["shapes"], news["shapes"])
        if problems:
            raise KubeError("; ".join(problems))
        return DiffResult(changes=olds["shapes"] != news["shapes"])

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(news)


class Guard(Resource, module="aiga", name="Guard"):
    """Holds the shapes of the layers that cannot change theirs.

    Args:
        shapes: A layer of `WAYS` to a short description of what is fixed in it: driver, mode, sizes, Broker.
    """

    def __init__(self, name: str, shapes: Mapping[str, str], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(_Provider(), name, {"shapes": dict(shapes)}, opts)
