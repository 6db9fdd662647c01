"""One authenticated connection pool to one API server: raw JSON in, raw JSON out.

The official client reads the kubeconfig (certificates, tokens, exec plugins) and owns the pool; its models and its
dynamic client are left out, since they cost more time than the API server takes to answer.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes.client import Configuration
from kubernetes.config import ConfigException, new_client_from_config, new_client_from_config_dict

from kube import yaml
from kube.errors import Invalid, Unreachable, from_response, one_line

JSON = "application/json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
CONNECTIONS = 32
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 120.0


@dataclass(frozen=True)
class Reply:
    """A successful answer."""

    status: int
    body: Any


class Transport:
    """Sends requests to the server of one kubeconfig context."""

    def __init__(self, kubeconfig: str, context: str | None = None) -> None:
        self.context = context
        self._lock = threading.Lock()
        configuration = Configuration()
        configuration.connection_pool_maxsize = CONNECTIONS
        self._client = _client(kubeconfig, context, configuration)
        self.server: str = str(self._client.configuration.host).rstrip("/")
        try:
            self._base = urllib3.util.parse_url(self.server).path or ""
            self._pool: urllib3.HTTPConnectionPool = self._client.rest_client.pool_manager.connection_from_url(
                self.server
            )
        except urllib3.exceptions.HTTPError as error:
            raise Invalid(f"kubeconfig {_shown(kubeconfig)}: {self.server} is no URL: {one_line(str(error))}") from None

    def send(
        self,
        method: str,
        path: str,
        *,
        subject: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
        timeout: float = _READ_SECONDS,
    ) -> Reply:
        """The parsed answer; every status from 400 on is raised as the KubeError that names `subject`."""
        response = self._request(method, path, subject, query, body, content_type, accept, timeout)
        data = response.data
        if response.status >= 400:
            raise from_response(response.status, data, subject)
        return Reply(response.status, json.loads(data) if data else None)

    def stream(self, path: str, *, subject: str, query: Mapping[str, str], timeout: float) -> Iterator[Any]:
        """The JSON values of a watch, one a line, until the server ends it."""
        response = self._request("GET", path, subject, query, None, JSON, JSON, timeout, preload=False)
        try:
            if response.status >= 400:
                raise from_response(response.status, response.read(), subject)
            for line in _lines(response):
                yield json.loads(line)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"{subject}: the API server at {self.server} broke off: {_cause(error)}") from None
        finally:
            response.close()

    def _request(  # noqa: PLR0917 - every part of a request, for the two above and the simulator's watch
        self,
        method: str,
        path: str,
        subject: str,
        query: Mapping[str, str] | None,
        body: Any,
        content_type: str,
        accept: str,
        timeout: float,
        preload: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        url = f"{self._base}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": accept, "Content-Type": content_type, "User-Agent": "aiga", **self._credentials()}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            return self._pool.urlopen(
                method,
                url,
                body=data,
                headers=headers,
                retries=False,
                preload_content=preload,
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=timeout),
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"{subject}: the API server at {self.server} does not answer: {_cause(error)}") from None

    def _credentials(self) -> dict[str, str]:
        with self._lock:  # an exec plugin whose token expired runs here, once
            token = self._client.configuration.get_api_key_with_prefix("BearerToken")
        return {"Authorization": token} if token else {}


def _client(kubeconfig: str, context: str | None, configuration: Configuration) -> Any:
    if not kubeconfig.strip():
        raise Invalid("kubeconfig: empty; give the path of a kubeconfig file, or its YAML")
    options = {"context": context, "client_configuration": configuration, "persist_config": False}
    try:
        if "\n" in kubeconfig or kubeconfig.lstrip().startswith("{"):
            return new_client_from_config_dict(yaml.load(kubeconfig), **options)  # type: ignore[no-untyped-call]
        path = Path(os.path.expanduser(kubeconfig))
        if not path.is_file():
            raise Invalid(f"kubeconfig {kubeconfig}: there is no such file")
        return new_client_from_config(str(path), **options)  # type: ignore[no-untyped-call]
    except ConfigException as error:
        where = f"context {context}" if context else "its current context"
        raise Invalid(f"kubeconfig {_shown(kubeconfig)}, {where}: {one_line(str(error))}") from None
    except (OSError, TypeError, ValueError, yaml.Error) as error:
        raise Invalid(f"kubeconfig {_shown(kubeconfig)}: {one_line(str(error))}") from None


def _shown(kubeconfig: str) -> str:
    return "given as text" if "\n" in kubeconfig or kubeconfig.lstrip().startswith("{") else kubeconfig


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in response.stream(65536, decode_content=True):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line)


def _cause(error: Exception) -> str:
    text = one_line(str(error))
    for known in ("Connection refused", "timed out", "Name or service not known", "certificate verify failed"):
        if known in text:
            return known
    return text


logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # a retry of ours is not worth a warning each
