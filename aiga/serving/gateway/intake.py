"""Reads the body of an HTTP request, within bounds of size and time, without copying it twice."""

from __future__ import annotations

import asyncio

from aiohttp import ClientPayloadError
from aiohttp.web_protocol import RequestPayloadError
from aiohttp.web_request import BaseRequest

from aiga.serving.gateway.bodies import Hold
from aiga.serving.messages import ServingError


async def read(request: BaseRequest, limit: int, seconds: float, hold: Hold) -> bytes:
    """The body, decompressed; `hold` counts what of it is in memory.

    Raises:
        ServingError: it is longer than `limit` bytes (413), is not there after `seconds` (408), or is broken (400), or
            there is no room for it (503).
    """
    length = request.content_length
    if length is not None and length > limit:
        raise too_large(limit, length)
    content = request.content
    if content.is_eof():
        body = content.read_nowait(-1)
        if len(body) > limit:
            raise too_large(limit)
        hold.add(len(body))
        return body
    if request.headers.get("Expect", "").lower() == "100-continue":
        await _continue(request)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while part := await content.readany():
                size += len(part)
                if size > limit:
                    raise too_large(limit)
                hold.add(len(part))
                parts.append(part)
    except TimeoutError:
        raise ServingError(408, f"the body did not arrive within {seconds:g} s: {size} bytes of it did") from None
    except (RequestPayloadError, ClientPayloadError) as error:
        raise ServingError(400, f"the body is broken: {error}") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


def too_large(limit: int, length: int | None = None) -> ServingError:
    has = f"has {length}" if length is not None else "has more"
    return ServingError(413, f"the body must have at most {limit} bytes, and {has}")


async def _continue(request: BaseRequest) -> None:
    """Tells a client that asks first that its body will be read."""
    transport = request.transport
    if transport is not None:
        transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
