"""The client of one model server: messages over REST, on connections that are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import aiohttp

from aiga.errors import TransientError
from aiga.serving.messages import Message, ServingError
from aiga.serving.protocols import paths, v2, v2_bodies
from aiga.serving.protocols.metadata import ModelMetadata
from aiga.serving.runtimes import calls
from aiga.serving.runtimes.names import BINARY, FAULT_HEADER

TIMEOUT = 60.0
"""Seconds that an answer may take where nobody says otherwise."""
LONGEST_HEADER = 128 * 2**10
"""Bytes: metrics of a class travel in a header, which aiohttp would refuse beyond 8190."""
_LENGTH = v2.HEADER_LENGTH.lower()


@dataclass(frozen=True)
class Reply:
    """What a server said, not taken apart."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    """Lower-case names."""


class Client:
    """Talks to the server at `url`; its connections are opened when first used, and by that event loop."""

    def __init__(self, url: str, model: str, *, timeout: float = TIMEOUT, connections: int = 100) -> None:
        """`model` is the one that is meant where a message names none; `timeout` is in seconds."""
        self.url, self.model = url.rstrip("/"), model
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._binary: bool | None = None

    async def infer(self, message: Message, *, headers: Mapping[str, str] | None = None) -> Message:
        """The model's answer.

        Raises:
            ServingError: the server refuses the request or fails; 504 where it does not answer in time.
            TransientError: it cannot be reached, or broke off.
        """
        return await self.call("predict", [message], headers=headers)

    async def call(
        self, method: str, messages: Sequence[Message], *, headers: Mapping[str, str] | None = None
    ) -> Message:
        """What a method of a wrapped class answers: one of `aiga.serving.runtimes.calls.METHODS`.

        Raises:
            ServingError: as `infer`.
            TransientError: as `infer`.
        """
        request = calls.joined(method, messages)
        body = v2.write_request(request, binary=await self._takes_binary())
        path = self._infer_path(request.model, request.version)
        reply = await self._ask("POST", path, body.content, {**(headers or {}), **body.headers})
        return calls.read(v2.read_response(reply.body, reply.headers))

    async def forward(
        self,
        content: bytes,
        form: Mapping[str, str],
        *,
        model: str = "",
        version: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """The answer to a request of the v2 protocol, passed on as it is.

        Args:
            content: the body.
            form: the headers that it came with; those that tell its form are passed on.
            model: that it goes to.
            version: of the model.
            headers: further ones, such as those of a trace.

        Raises:
            ServingError: as `infer`.
            TransientError: as `infer`.
        """
        path, said = self._infer_path(model, version), _form(form)
        if _LENGTH not in said or await self._takes_binary():
            return await self._ask("POST", path, content, {**(headers or {}), **said})
        request = v2.read_request(content, said)
        body = v2.write_request(request.message)
        reply = await self._ask("POST", path, body.content, {**(headers or {}), **body.headers})
        answer = v2.write_response(v2.read_response(reply.body, reply.headers), request.form)
        return Reply(reply.status, answer.content, {**reply.headers, **_form(answer.headers)})

    async def ready(self, model: str = "") -> bool:
        """Whether the model takes requests; False where the server cannot be reached."""
        path = paths.build(paths.Target("v2", "ready", model=model or self.model))
        try:
            return (await self._ask("GET", path)).status == 200
        except (ServingError, TransientError):
            return False

    async def metadata(self, model: str = "") -> ModelMetadata:
        """What the model takes and gives.

        Raises:
            ServingError: as `infer`.
            TransientError: as `infer`.
        """
        path = paths.build(paths.Target("v2", "metadata", model=model or self.model))
        return v2_bodies.read_model((await self._ask("GET", path)).body)

    async def close(self) -> None:
        """Closes its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _takes_binary(self) -> bool:
        if self._binary is None:
            said = v2_bodies.read_server((await self._ask("GET", "/v2")).body)
            self._binary = BINARY in said.extensions
        return self._binary

    async def _ask(
        self, method: str, path: str, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        try:
            async with self._opened().request(method, self.url + path, data=content, headers=headers) as answer:
                body = await answer.read()
        except TimeoutError:
            raise ServingError(504, f"the model server did not answer in {self._timeout.total:g} s") from None
        except aiohttp.ClientError as error:
            raise TransientError(f"the model server at {self.url} cannot be reached: {_reason(error)}") from error
        if answer.status >= 400:
            raise ServingError(answer.status, v2.error_reason(body), of_model=FAULT_HEADER in answer.headers)
        return Reply(answer.status, body, {key.lower(): value for key, value in answer.headers.items()})

    def _infer_path(self, model: str, version: str) -> str:
        return paths.build(paths.Target("v2", "infer", model=model or self.model, version=version))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=30)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                auto_decompress=False,
                trust_env=False,
                max_line_size=LONGEST_HEADER,
                max_field_size=LONGEST_HEADER,
            )
        return self._session


def _form(headers: Mapping[str, str]) -> dict[str, str]:
    """What tells how a body is to be read."""
    return {key.lower(): value for key, value in headers.items() if key.lower() in (_LENGTH, "content-type")}


def _reason(error: Any) -> str:
    return str(error) or type(error).__name__
