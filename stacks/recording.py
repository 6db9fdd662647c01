"""Runs the whole program against mocks and keeps what it registers: for the footprint and for tests.

Nothing is created and no engine is needed; charts are rendered as always. Internals of the SDK are touched here alone.
"""

from __future__ import annotations

import asyncio
import runpy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from google.protobuf import struct_pb2
from pulumi.runtime import mocks, rpc, settings, stack

PROGRAM = Path(__file__).resolve().parents[1] / "__main__.py"
GENERATED = {"result": "generated", "ca_crt": "generated", "tls_crt": "generated", "tls_key": "generated"}
"""Stands for every value that a provider would make up."""


@dataclass(frozen=True)
class Registered:
    """One resource as the engine would have been asked for it. `secrets` are the top-level inputs that were secret."""

    urn: str
    type: str
    name: str
    parent: str
    inputs: dict[str, Any]
    secrets: frozenset[str]
    protect: bool
    custom: bool
    depends_on: tuple[str, ...]
    on_error: tuple[str, ...]
    """Names of the hooks that decide whether to try again."""


@dataclass
class Recording:
    resources: list[Registered] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)


def record(config: Mapping[str, str], stack_name: str, program: Path = PROGRAM) -> Recording:
    """Runs the program with this configuration (`aiga:key` to its raw text).

    Raises: whatever the program raises, a `pulumi.RunError` for a mistake in the configuration among it.
    """
    recording = Recording()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        mocks.set_mocks(_Mocks(), project="aiga", stack=stack_name, preview=False, monitor=_Monitor(recording))
        pulumi.runtime.set_all_config(dict(config))
        loop.run_until_complete(stack.run_pulumi_func(lambda: _run(program)))
    finally:
        _forget(loop)
    return recording


def _run(program: Path) -> None:
    runpy.run_path(str(program), run_name="__main__")
    root = settings.get_root_resource()
    if isinstance(root, stack.Stack):
        root.register_outputs(root.outputs)


class _Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        made_up = GENERATED if args.typ.startswith(("random:", "pulumi-python:")) else {}
        return f"{args.name}-id", {**args.inputs, **made_up}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        raise AssertionError(f"the program asks nothing of a provider, but called {args.token}")


class _Monitor(mocks.MockMonitor):
    def __init__(self, recording: Recording) -> None:
        super().__init__(_Mocks())
        self._recording = recording

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  the SDK's name
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        inputs, secrets = _read(request.object)
        self._recording.resources.append(
            Registered(
                urn=response.urn,
                type=request.type,
                name=request.name,
                parent=request.parent,
                inputs=inputs,
                secrets=secrets,
                protect=request.protect,
                custom=request.custom,
                depends_on=tuple(request.dependencies),
                on_error=tuple(request.hooks.on_error),
            )
        )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802  the SDK's name
        if "pulumi:pulumi:Stack" in request.urn:
            self._recording.outputs = _read(request.outputs)[0]
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def _read(struct: struct_pb2.Struct) -> tuple[dict[str, Any], frozenset[str]]:
    raw = rpc.deserialize_properties(struct)
    secrets = frozenset(key for key, value in raw.items() if _holds_secret(value))
    return _plain(raw), secrets


def _holds_secret(value: Any) -> bool:
    if rpc.is_rpc_secret(value):
        return True
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return any(_holds_secret(part) for part in parts)


def _plain(value: Any) -> Any:
    """Secrets unwrapped, whole numbers as whole numbers: what the object would be in YAML."""
    value = rpc.unwrap_rpc_secret(value) if rpc.is_rpc_secret(value) else value
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _forget(loop: asyncio.AbstractEventLoop) -> None:
    """Leaves no state of the SDK behind: a later run starts clean, even after one that failed half-way."""
    pending = asyncio.all_tasks(loop)
    for task in pending:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
    settings.SETTINGS.rpc_manager.clear()
    settings.SETTINGS.outputs.clear()
    settings.reset_options()
    loop.close()
    asyncio.set_event_loop(asyncio.new_event_loop())
