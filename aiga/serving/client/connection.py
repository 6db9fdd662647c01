"""A deployment behind a gateway, spoken to in v2 over REST; what goes wrong there, as errors for a person."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Self

import requests

from aiga.errors import AigaError, TransientError, UserError
from aiga.names import PROJECT_PREFIX
from aiga.serving.messages import Message, ServingError
from aiga.serving.protocols import paths, v2, v2_bodies
from aiga.serving.protocols.body import Body
from aiga.serving.protocols.metadata import ModelMetadata

_LATER = (408, 429, 502, 503, 504)
"""Statuses that may pass."""


@dataclass(frozen=True)
class Deployment:
    """Where requests go."""

    address: str
    """Of the gateway: http://127.0.0.1:8003."""
    name: str
    namespace: str = ""
    """That of the project of its name when left out."""
    model: str = ""
    """As the path names it; the deployment's name when left out."""

    @property
    def within(self) -> str:
        """The namespace that it is in."""
        return self.namespace or PROJECT_PREFIX + self.name

    @property
    def served(self) -> str:
        """The model that is asked."""
        return self.model or self.name

    def url(self, verb: paths.Verb, protocol: paths.Protocol = "v2") -> str:
        """Where a protocol does that with the model; Seldon's paths name none."""
        model = "" if protocol == "seldon" else self.served
        return self.address.rstrip("/") + paths.build(paths.Target(protocol, verb, self.within, self.name, model))


class Connection:
    """A connection that is kept from one request to the next.

    Its methods raise UserError where there is no server or no such deployment, or where it refuses a request;
    TransientError where the deployment cannot answer now; AigaError where it failed.
    """

    def __init__(self, deployment: Deployment, timeout: float) -> None:
        """Takes the deployment, and the seconds after which a connection or an answer is given up."""
        self.deployment = deployment
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy stands before this machine's own server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._session.close()

    def metadata(self) -> ModelMetadata:
        """What the model takes and gives."""
        response = self._asked("metadata")
        try:
            return v2_bodies.read_model(response.content)
        except ServingError as error:
            raise AigaError(f"{response.url}: {error.reason}") from None

    def infer(self, body: Body) -> Message:
        """The answer to a request."""
        response = self._asked("infer", body)
        try:
            return v2.read_response(response.content, response.headers)
        except ServingError as error:
            raise AigaError(f"{response.url}: {error.reason}") from None

    def _asked(self, verb: paths.Verb, body: Body | None = None) -> requests.Response:
        url, where = self.deployment.url(verb), self.deployment
        method, content, headers = ("POST", body.content, dict(body.headers)) if body else ("GET", None, None)
        try:
            response = self._session.request(method, url, data=content, headers=headers, timeout=self._timeout)
        except requests.Timeout:
            raise TransientError(f"{url}: no answer within {self._timeout:g} s (try again)") from None
        except requests.exceptions.ConnectionError:
            raise UserError(f"{where.address}: no server answers (run `aiga serve` first, or correct it)") from None
        except (requests.RequestException, ValueError) as error:
            raise UserError(f"{where.address}: is no address: {error} (such as http://127.0.0.1:8003)") from None
        if response.ok:
            return response
        reason = f"{url}: {response.status_code}: {v2.error_reason(response.content)}"
        if response.status_code == requests.codes.not_found:
            raise UserError(f"{reason} (is {where.name} served there, in that namespace?)")
        if response.status_code in _LATER:
            raise TransientError(reason)
        raise (UserError if response.status_code < 500 else AigaError)(reason)
