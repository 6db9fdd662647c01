"""What a demonstration shows of serving: a shadow, every protocol, a canary with growing shares, and the events."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import requests

from aiga.cli.shared import At, say
from aiga.errors import AigaError
from aiga.names import REQUEST_EVENT, RESPONSE_EVENT
from aiga.serving import figures
from aiga.serving.client import protocols, sink, traffic
from aiga.serving.client.connection import Deployment
from aiga.serving.client.summary import Summary
from aiga.serving.deploy import plan
from aiga.serving.deploy.supervisor import HOST, Options, Serving

SHARES = (0.0, 10.0, 50.0)
"""Percent of the traffic that the second version gets, one after the other; with none it sees copies only."""
RATE = 100.0
"""Requests a second."""


async def traffic_of(here: At, rows: Sequence[Any], expected: Sequence[Any], seconds: float) -> dict[str, str]:
    """Serves what stands in production beside what stands on staging; the figures that tell what came of it.

    Args:
        rows: of the model's only input.
        expected: label of each row.
        seconds: of traffic, in all.
    """
    found: dict[str, str] = {}
    async with sink.listening() as events:
        canary = plan.Beside("staging", SHARES[1])
        options = Options(_free_port(), _free_port(), canary, plan.Beside("staging"), (events.url,))
        async with Serving(here.loaded.project, here.folder, here.place, options, say) as serving:
            say(f"page: {serving.address}/ (while this lasts)")
            asked = 0
            for share in SHARES:
                await serving.canary(share)
                summary = await _sent(serving, rows, share, seconds / len(SHARES))
                asked += summary.requests
                if share:
                    weights = {plan.MAIN: 100 - share, plan.CANARY: share}
                    found[f"Latency with {share:g} % for the canary"] = figures.latency(summary)
                    found[f"Split at {share:g} %"] = figures.split(summary, weights)
                    confused = figures.confusion(summary, list(expected))
                else:
                    found["Latency with a shadow"] = figures.latency(summary)
                    say(f"  {await asyncio.to_thread(_mirrored, serving)}")
                    asked += await asyncio.to_thread(_protocols, serving, rows[0])
            found |= {f"Confusion of {name}": figure for name, figure in confused.items()}
        told = [events.counts[kind] for kind in (REQUEST_EVENT, RESPONSE_EVENT)]
        say(f"events: {told[0]} of requests and {told[1]} of responses, of {asked} predictions")
    return found


async def _sent(serving: Serving, rows: Sequence[Any], share: float, seconds: float) -> Summary:
    kind = f"canary: {share:g} %" if share else "shadow: a copy"
    say(f"{kind} of {RATE:g} requests a second, for {seconds:g} s")
    name, namespace = serving.project.name, serving.namespace
    summary = await asyncio.to_thread(traffic.run, serving.address, name, rows, seconds, RATE, namespace=namespace)
    say(f"  {summary}")
    return summary


def _protocols(serving: Serving, row: Any) -> int:
    """Asks for one row in every protocol; how many requests that took."""
    deployment = Deployment(serving.address, serving.project.name, serving.namespace)
    answers = dict(protocols.each(deployment, f"{HOST}:{serving.options.grpc_port}", row))
    for name, numbers in answers.items():
        say(f"{name}: {', '.join(f'{number:g}' for number in numbers[:10])}")
    if len({tuple(numbers) for numbers in answers.values()}) != 1:
        raise AigaError("the protocols do not answer alike")
    return len(answers)


def _mirrored(serving: Serving) -> str:
    counts = requests.get(f"{serving.address}/status.json", timeout=10).json()["mirror"]
    agreed, differed = counts.get("agree_yes", 0), counts.get("agree_no", 0)
    return f"of its {agreed + differed} answers {agreed} agree with those of the version in production"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
