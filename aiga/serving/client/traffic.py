"""A small load generator for demonstrations: single rows at a steady rate, whether or not answers keep up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import numpy as np

from aiga.errors import UserError
from aiga.names import PREDICTOR_HEADER
from aiga.serving.client.connection import Connection, Deployment
from aiga.serving.client.files import Values
from aiga.serving.client.fit import fit
from aiga.serving.client.summary import NOBODY, Summary
from aiga.serving.messages import BadRequest, ServingError
from aiga.serving.protocols import v2
from aiga.serving.protocols.body import Body

CONNECTIONS = 64
"""Requests under way at once; those that are due wait, and their wait is part of their latency."""


def run(
    address: str,
    deployment: str,
    rows: Sequence[Any],
    seconds: float,
    rate: float,
    *,
    sticky: str | None = None,
    namespace: str = "",
    model: str = "",
    timeout: float = 10,
) -> Summary:
    """Sends row after row, over and over, and tells what became of each.

    Args:
        address: Of the gateway: http://127.0.0.1:8003.
        deployment: Its name.
        rows: Arrays or nested lists, each one row of the model's only input.
        seconds: How long requests are sent; `seconds` times `rate` of them, one at least.
        rate: Requests a second, evenly spaced.
        sticky: Header that names the caller, who is `row-<index>`: each row has its own. None for no callers.
        namespace: The deployment's; that of the project of its name when left out.
        model: As the path names it; the deployment's name when left out.
        timeout: Seconds after which a request has failed.

    Raises:
        UserError, TransientError, AigaError: as `Connection` does, before the first request; later ones are counted.
    """
    if not len(rows) or seconds <= 0 or rate <= 0:
        raise UserError(f"traffic: {len(rows)} rows, {seconds:g} s, {rate:g} a second: all must be more than nothing")
    where = Deployment(address, deployment, namespace, model)
    with Connection(where, timeout) as connection:
        takes = connection.metadata()
    try:
        bodies = [v2.write_request(fit(Values(np.asarray(row).tolist()), takes)) for row in rows]
    except BadRequest as wrong:
        raise UserError(f"traffic: {wrong.reason}") from None
    return asyncio.run(_Traffic(where.url("infer"), bodies, sticky, timeout).run(max(1, round(seconds * rate)), rate))


@dataclass
class _Traffic:
    url: str
    bodies: Sequence[Body]
    sticky: str | None
    timeout: float
    ends: dict[int, _End] = field(default_factory=dict)

    async def run(self, count: int, rate: float) -> Summary:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        timeout = aiohttp.ClientTimeout(total=self.timeout)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as group:
            clock = asyncio.get_running_loop().time
            begun = clock()
            for number in range(count):
                due = begun + number / rate
                await asyncio.sleep(max(0.0, due - clock()))
                group.create_task(self._send(session, number, due))
        ends = [self.ends[number] for number in range(count)]
        return Summary(
            seconds=clock() - begun,
            due=np.arange(count) / rate,
            latencies=np.array([end.latency for end in ends]),
            rows=np.arange(count) % len(self.bodies),
            statuses=np.array([end.status for end in ends]),
            predictors=[end.predictor for end in ends],
            answers=[end.answer for end in ends],
        )

    async def _send(self, session: aiohttp.ClientSession, number: int, due: float) -> None:
        row = number % len(self.bodies)
        body = self.bodies[row]
        caller = {self.sticky: f"row-{row}"} if self.sticky is not None else {}
        status, predictor, content = 0, NOBODY, b""
        try:
            async with session.post(self.url, data=body.content, headers={**body.headers, **caller}) as response:
                content = await response.read()
                status, predictor = response.status, response.headers.get(PREDICTOR_HEADER, NOBODY)
        except (aiohttp.ClientError, OSError, TimeoutError):
            status = 0
        latency = asyncio.get_running_loop().time() - due
        self.ends[number] = _End(latency, status, predictor, _first(content) if status == 200 else None)


@dataclass(frozen=True)
class _End:
    latency: float
    status: int
    predictor: str
    answer: Any


def _first(content: bytes) -> Any:
    """The first output in an answer of one row: its value, or the place of the greatest of several numbers."""
    try:
        response = v2.read_response(content)
    except ServingError:
        return None
    if not response.tensors or not response.tensors[0].data.size:
        return None
    values = response.tensors[0].data.ravel()
    first = values[0] if len(values) == 1 or values.dtype == object else np.argmax(values)
    return first.decode(errors="backslashreplace") if isinstance(first, bytes) else first.item()
