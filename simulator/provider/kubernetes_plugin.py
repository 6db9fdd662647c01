"""The stand-in for Pulumi's kubernetes plugin: the engine's requests, put to a Session."""

# ruff: noqa: N802 - the methods bear the names of the protocol

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2

from simulator.provider import checking, reading, writing
from simulator.provider.errors import ProviderError
from simulator.provider.kinds import Token
from simulator.provider.options import Options, active_cluster, connect
from simulator.provider.plugin import Base, guarded, serve
from simulator.provider.session import Resource, Session
from simulator.provider.wire import UNKNOWN, Properties, decode, encode, plain

_SUPPORTED = {"acceptSecrets": True, "supportsPreview": True, "supports_autonaming_configuration": True}
_AIM = ("kubeconfig", "context", "cluster")
_IDENTIFIER = "clusterIdentifier"


class Kubernetes(Base):
    """Serves one engine."""

    package = "kubernetes"

    def __init__(self) -> None:
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """What Configure set up."""
        if self._session is None:
            raise ProviderError("the kubernetes provider was not configured: its configuration is not known yet")
        return self._session

    def _resource(self, urn: str) -> Resource:
        token = urn.rpartition("::")[0].rpartition("$")[2].rpartition("::")[2]
        return Resource(urn, Token.parse(token), lambda severity, text: self.screen(urn, severity, text))

    @guarded
    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        old, new = plain(decode(request.olds)), plain(decode(request.news))
        changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        response = provider_pb2.DiffResponse
        if not changed:
            return response(changes=response.DIFF_NONE)
        return response(changes=response.DIFF_SOME, diffs=changed, replaces=_config_replaces(old, new, changed))

    @guarded
    def Configure(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.ConfigureResponse:
        options = Options.read(dict(request.variables), os.environ)
        self._session = Session(options, connect(options))
        return provider_pb2.ConfigureResponse(**_SUPPORTED)

    @guarded
    def Check(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        naming = checking.Naming(request.randomSeed, request.autonaming.mode, request.autonaming.proposed_name)
        inputs = checking.check(
            self.session, self._resource(request.urn), decode(request.olds), decode(request.news), naming
        )
        return provider_pb2.CheckResponse(inputs=encode(inputs))

    @guarded
    def Diff(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        found = checking.compare(
            self.session, self._resource(request.urn), decode(request.olds), decode(request.news), request.ignoreChanges
        )
        response = provider_pb2.DiffResponse
        changed = found.changes or found.replaces
        return response(
            changes=response.DIFF_SOME if changed else response.DIFF_NONE,
            replaces=found.replaces,
            deleteBeforeReplace=found.delete_first,
            detailedDiff={
                path: provider_pb2.PropertyDiff(kind=int(kind), inputDiff=kind in (2, 3))  # type: ignore[arg-type]
                for path, kind in found.changes.items()
            },
            hasDetailedDiff=True,
        )

    @guarded
    def Create(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        asked = writing.Request(
            self._resource(request.urn), decode(request.properties), request.preview, request.timeout
        )
        written = writing.create(self.session, asked)
        return provider_pb2.CreateResponse(id=written.identity, properties=encode(written.state))

    @guarded
    def Update(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        asked = writing.Request(self._resource(request.urn), decode(request.news), request.preview, request.timeout)
        written = writing.update(self.session, asked, decode(request.olds), request.ignoreChanges)
        return provider_pb2.UpdateResponse(properties=encode(written.state))

    @guarded
    def Read(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        state, inputs = decode(request.properties), decode(request.inputs)
        found = reading.read(self.session, self._resource(request.urn), request.id, state, inputs)
        if found is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=request.id, properties=encode(found.state), inputs=encode(found.inputs))

    @guarded
    def Delete(self, request: Any, context: grpc.ServicerContext) -> Empty:
        resource = self._resource(request.urn)
        reading.delete(self.session, resource, request.id, decode(request.properties), request.timeout)
        return Empty()

    def Cancel(self, request: Empty, context: grpc.ServicerContext) -> Empty:
        if self._session is not None:
            self._session.cancel()
        return Empty()


def _config_replaces(old: Properties, new: Properties, changed: list[str]) -> list[str]:
    """Another cluster means other objects: everything is replaced, unless an identifier says it is the same cluster."""
    before, now = old.get(_IDENTIFIER), new.get(_IDENTIFIER)
    if now is not None and before == now:
        return []
    replaces = [_IDENTIFIER] if before is not None and now is not None else []
    unknown = [key for key in _AIM if new.get(key) is UNKNOWN]
    if unknown:
        return replaces + unknown[:1]
    if _aimed_at(old) is None or _aimed_at(new) is None or _aimed_at(old) == _aimed_at(new):
        return replaces
    return replaces + [key for key in _AIM if key in changed]


def _aimed_at(config: Mapping[str, Any]) -> Any:
    kubeconfig, context = config.get("kubeconfig"), config.get("context")
    try:
        return active_cluster(str(kubeconfig), str(context or "")) if kubeconfig else None
    except ProviderError:
        return None  # a file that is no longer there says nothing


def main() -> None:
    """Serve the engine that started this process."""
    serve(Kubernetes())
