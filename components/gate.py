"""A gate that opens once admission webhooks answer: pods being ready does not mean that a webhook does.

First it waits for webhooks that a chart leaves blank and their controller fills at run time: without rules or caBundle
nothing is sent through them, and a probe would prove nothing. The probes are objects created in a dry run, so that the
API server sends them through every webhook that would see the real ones. Nothing is ever stored. The gate is passed
once, at creation; later failures are `retry.py`'s.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypedDict

import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, Resource, ResourceProvider, UpdateResult

from components.target import Target, one_line
from kube.cluster import Cluster
from kube.errors import AlreadyExists, KubeError, Transient
from kube.refs import Ref

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0
"""Seconds between tries: doubled from the first to the longest."""
REMEDY = "look at the pods behind that webhook, then run `make up` again"
RULES_ON_DEMAND = frozenset({"sinkbindings.webhook.sources.knative.dev"})
"""Webhooks that rightly have no rules: Knative writes them from the SinkBindings there are."""


class Blank(TypedDict):
    """One webhook of a configuration, and the fields in it that wait for its controller."""

    kind: str
    configuration: str
    webhook: str
    fields: list[str]


def blanks(configurations: Iterable[Mapping[str, Any]]) -> list[Blank]:
    """The webhooks that come without rules or caBundle, of rendered webhook configurations."""
    found: list[Blank] = []
    for configuration in configurations:
        for webhook in configuration.get("webhooks") or []:
            if "service" in webhook["clientConfig"] and (fields := _missing(webhook)):
                name = configuration["metadata"]["name"]
                found.append(
                    Blank(kind=configuration["kind"], configuration=name, webhook=webhook["name"], fields=fields)
                )
    return found


def _missing(webhook: Mapping[str, Any]) -> list[str]:
    rules = bool(webhook.get("rules")) or webhook["name"] in RULES_ON_DEMAND
    there = {"rules": rules, "caBundle": bool(webhook["clientConfig"].get("caBundle"))}
    return [field for field, is_there in there.items() if not is_there]


class _Provider(ResourceProvider):
    def configure(self, req: ConfigureRequest) -> None:
        self._target = Target.of(req.config)

    @one_line
    def create(self, props: dict[str, Any]) -> CreateResult:
        pass_through(
            self._target.connect(),
            props["layer"],
            json.loads(props["filled"]),
            json.loads(props["probes"]),
            timeout=props["timeout"],
        )
        return CreateResult(props["layer"], props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Passed once, it stays open: other probes are for the next stack that is made."""
        return UpdateResult(news)


def pass_through(
    cluster: Cluster, layer: str, filled: Sequence[Blank], probes: Sequence[Mapping[str, Any]], *, timeout: float
) -> None:
    """Returns once every webhook is filled and every probe answered.

    Raises:
        KubeError: it did not come to that in `timeout` seconds, or a probe was refused.
    """
    deadline = time.monotonic() + timeout
    for blank in filled:
        _until(partial(_unfilled, cluster, blank), layer, deadline)
    for probe in probes:
        _until(partial(_unanswered, cluster, probe), layer, deadline)


def _until(reason: Callable[[], str | None], layer: str, deadline: float) -> None:
    """Asks again until there is no reason left to wait."""
    pause = FIRST_PAUSE
    while why := reason():
        if time.monotonic() > deadline:
            raise KubeError(f"{layer}: {why} ({REMEDY})")
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _unfilled(cluster: Cluster, blank: Blank) -> str | None:
    ref = Ref("admissionregistration.k8s.io/v1", blank["kind"], None, blank["configuration"])
    try:
        live = cluster.get(ref) or {}
    except Transient as error:
        return str(error)
    absent = {"name": blank["webhook"], "clientConfig": {}}
    webhook = next((w for w in live.get("webhooks") or [] if w["name"] == blank["webhook"]), absent)
    still = [field for field in _missing(webhook) if field in blank["fields"]]
    return f"{ref}: its controller has not filled {' and '.join(still)} of {blank['webhook']}" if still else None


def _unanswered(cluster: Cluster, probe: Mapping[str, Any]) -> str | None:
    try:
        cluster.create(probe, manager="aiga", dry_run=True)
    except AlreadyExists:
        return None
    except Transient as error:
        return f"its admission webhook does not answer a dry run of {probe['kind']}: {error}"
    return None


class Gate(Resource, module="aiga", name="Gate"):
    """Passed when every webhook is filled and every probe has been answered.

    Args:
        layer: Named in the message when the gate stays shut.
        probes: Objects that the webhooks would see; answered in order.
        filled: What the layer's controllers fill in, `blanks` of what was rendered.
        timeout: Seconds until it gives up.
    """

    def __init__(
        self,
        name: str,
        layer: str,
        probes: Sequence[dict[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
        *,
        filled: Sequence[Blank] = (),
        timeout: int = 300,
    ) -> None:
        bodies = {"probes": json.dumps(list(probes), sort_keys=True), "filled": json.dumps(list(filled))}
        super().__init__(_Provider(), name, {"layer": layer, **bodies, "timeout": timeout}, opts)
