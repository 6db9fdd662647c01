"""`aiga serve`, `aiga predict`: a project's model as the cluster will serve it, and the shortest client."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import signal
from pathlib import Path
from typing import Annotated

import typer
from pydantic import HttpUrl, ValidationError

from aiga.cli.shared import At, Folder, StoreOption, at, console, say, told
from aiga.errors import UserError
from aiga.names import PROJECT_PREFIX
from aiga.spec.inactive import of_serving

Port = Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of the gateway for HTTP.")]
GrpcPort = Annotated[
    int, typer.Option("--grpc-port", min=0, max=65535, help="Port of the gateway for gRPC; 0 for none.")
]


@told
def serve(
    folder: Folder = Path("."),
    store: StoreOption = None,
    port: Port = 8080,
    grpc_port: GrpcPort = 8081,
    canary: Annotated[str | None, typer.Option("--canary", help="A second version: 2, 2=25 or staging.")] = None,
    shadow: Annotated[str | None, typer.Option("--shadow", help="A version that sees a copy of the traffic.")] = None,
    events: Annotated[list[str] | None, typer.Option("--events", help="Address that gets CloudEvents.")] = None,
    host: Annotated[
        str, typer.Option("--host", help="IPv4 address that is listened on; 0.0.0.0 for all of this machine's.")
    ] = "127.0.0.1",
) -> None:
    """Serve a project's model on this machine until Ctrl-C."""
    from aiga.serving.deploy.plan import Beside
    from aiga.serving.deploy.supervisor import Options

    here = at(folder, store)
    for line in of_serving(here.loaded.project.serve) if here.loaded.project.serve else ():
        say(f"note: {line}")
    options = Options(
        port,
        grpc_port or None,
        Beside.parse(canary) if canary else None,
        Beside.parse(shadow) if shadow else None,
        tuple(_web_address(one) for one in events or ()),
        _own_address(host),
    )
    asyncio.run(_serve(here, options))


def _web_address(given: str) -> str:
    try:
        return str(HttpUrl(given))
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise UserError(f"--events {given}: {reason} (such as http://localhost:9000/events)") from None


def _own_address(given: str) -> str:
    from aiga.serving.deploy.claim import ADDRESSES

    try:
        return str(ipaddress.IPv4Address(given))
    except ValueError:
        raise UserError(f"--host {given}: must be an IPv4 address ({ADDRESSES})") from None


@told
def canary(
    share: Annotated[float, typer.Argument(help="Percent of the traffic that the canary gets.")],
    folder: Folder = Path("."),
    store: StoreOption = None,
) -> None:
    """Give the canary of what is being served another share of the traffic."""
    from aiga.serving.deploy import claim
    from aiga.serving.deploy.shift import shift
    from aiga.serving.deploy.supervisor import config_of, lock_of

    here = at(folder, store)
    name = here.loaded.project.name
    if not claim.held(lock_of(here.place, name)):
        raise UserError(f"{name}: is not being served here (aiga serve {folder} --canary staging)")
    for predictor in shift(config_of(here.place, name), share).predictors:
        if not predictor.shadow:
            say(f"{predictor.name}: {predictor.weight:g} % of the traffic")


async def _serve(here: At, options: object) -> None:
    from aiga.serving.deploy.supervisor import Options, Serving, described

    assert isinstance(options, Options)
    async with Serving(here.loaded.project, here.folder, here.place, options, say) as serving:
        assert serving.models is not None
        for version in serving.versions:
            share = f"{version.weight:g} %" if version.name != "shadow" else "a copy"
            say(f"{version.name}: {serving.models.of(version)}, {share} of the traffic")
        for what, address in described(serving).items():
            say(f"{what}: {address}")
        if options.grpc_port:
            say(f"grpc: {options.near}:{options.grpc_port}")
        if not ipaddress.IPv4Address(options.host).is_loopback:
            say(f"note: it listens on {options.host}: whoever reaches that can call the model and see the page")
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        say("Ctrl-C ends it")
        ended = asyncio.create_task(serving.wait())
        await asyncio.wait([ended, asyncio.create_task(stopped.wait())], return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            ended.result()
        ended.cancel()
        say("stopping: what is under way is answered first")


@told
def predict(
    deployment: Annotated[str, typer.Argument(help="The deployment: the project's name.")],
    file: Annotated[Path, typer.Option("--file", help="x.json, x.csv, x.png or x.jpg.")],
    namespace: Annotated[str | None, typer.Option("--namespace", help="project-<name> when left out.")] = None,
    address: Annotated[str, typer.Option("--address", help="Of the gateway.")] = "http://127.0.0.1:8080",
    white: Annotated[
        float | None,
        typer.Option("--white", help="Value of a white pixel, such as 16; else 1, and 255 for integers."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Ask a deployment for predictions of what a file holds."""
    from aiga.serving.client.predict import predict as ask

    answer = ask(address, deployment, file, namespace=namespace or PROJECT_PREFIX + deployment, white=white)
    if as_json:
        typer.echo(json.dumps(answer.json()))
    else:
        console.print(answer.table())
