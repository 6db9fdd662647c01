"""A connection that is kept, over which events are posted.

An HTTP client of a few lines: of each answer only the status counts, and one event costs a sixth of what aiohttp's
client takes for it, on the event loop that predictions share. What it cannot keep a connection through (an answer
without a length, or a long one) ends the connection, never the event.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

_LONGEST_ANSWER = 2**16
_GONE = (ConnectionError, asyncio.IncompleteReadError)


class Channel:
    """A connection to one address, opened when it is needed."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._tls = parts.hostname or "", parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        host = parts.netloc.rpartition("@")[2]
        self._head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\n"
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._head += f"Authorization: Basic {base64.b64encode(pair).decode()}\r\n"

    async def post(self, content: bytes, headers: Mapping[str, str], seconds: float) -> int:
        """The status that the receiver answers.

        Args:
            content: The body.
            headers: Whose names and values can stand in a header.
            seconds: Longest time that it may take.

        Raises:
            TimeoutError: it took longer.
            OSError: there is no connection, or it broke before the answer.
        """
        try:
            async with asyncio.timeout(seconds):
                kept = self._writer is not None
                try:
                    return await self._post(content, headers)
                except _GONE:
                    self.close()
                    if not kept:
                        raise
                    return await self._post(content, headers)
        except asyncio.IncompleteReadError:
            self.close()
            raise ConnectionError("the connection was closed before an answer") from None
        except (asyncio.LimitOverrunError, ValueError, IndexError):
            self.close()
            raise ConnectionError("the answer is no HTTP") from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends the connection; another `post` opens one again."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _post(self, content: bytes, headers: Mapping[str, str]) -> int:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(
                self._host, self._port, ssl=self._tls or None, limit=_LONGEST_ANSWER
            )
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{self._head}Content-Length: {len(content)}\r\n{lines}\r\n".encode("latin-1", "replace")
        self._writer.writelines((head, content))
        await self._writer.drain()
        status, fields = 100, ""
        while status < 200:
            answer = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            first, _, fields = answer.partition("\r\n")
            status = int(first.split(" ", 2)[1])
        length = _length(fields)
        if length is None or (status != 204 and length > _LONGEST_ANSWER) or "connection: close" in fields:
            self.close()
        elif length:
            await self._reader.readexactly(length)
        return status


def _length(fields: str) -> int | None:
    """Bytes of the answer's body, where its header says so."""
    for line in fields.split("\r\n"):
        name, _, value = line.partition(":")
        if name == "content-length":
            return int(value)
    return None
