"""A gate that opens once admission webhooks answer: pods being ready does not mean that a webhook does.

The probes are objects created in a dry run, so that the API server sends them through every webhook that would see
the real ones. Nothing is ever stored. The gate is passed once, at creation; later failures are `retry.py`'s.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, Resource, ResourceProvider, UpdateResult

from components.target import Target, one_line
from kube.errors import AlreadyExists, KubeError, Transient

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0
"""Seconds between tries: doubled from the first to the longest."""


class _Provider(ResourceProvider):
    def configure(self, req: ConfigureRequest) -> None:
        self._target = Target.of(req.config)

    @one_line
    def create(self, props: dict[str, Any]) -> CreateResult:
        cluster = self._target.connect()
        deadline = time.monotonic() + props["timeout"]
        for probe in json.loads(props["probes"]):
            _until_answered(cluster, props["layer"], probe, deadline)
        return CreateResult(props["layer"], props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Passed once, it stays open: other probes are for the next stack that is made."""
        return UpdateResult(news)


def _until_answered(cluster: Any, layer: str, probe: dict[str, Any], deadline: float) -> None:
    pause = FIRST_PAUSE
    while True:
        try:
            cluster.create(probe, manager="aiga", dry_run=True)
            return
        except AlreadyExists:
            return
        except Transient as error:
            if time.monotonic() > deadline:
                raise KubeError(
                    f"{layer}: its admission webhook does not answer a dry run of {probe['kind']}: {error} (look at the"
                    " pods behind that webhook, then run `make up` again)"
                ) from error
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


class Gate(Resource, module="aiga", name="Gate"):
    """Passed when every probe has been answered.

    Args:
        layer: Named in the message when the gate stays shut.
        probes: Objects that the webhooks would see; answered in order.
        timeout: Seconds until it gives up.
    """

    def __init__(
        self,
        name: str,
        layer: str,
        probes: Sequence[dict[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
        timeout: int = 300,
    ) -> None:
        body = json.dumps(list(probes), sort_keys=True)
        super().__init__(_Provider(), name, {"layer": layer, "probes": body, "timeout": timeout}, opts)
