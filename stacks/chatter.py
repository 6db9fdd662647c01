"""Keeps what the SDK tells the engine of each resource, and nobody reads, from being told.

Two things, for each of some 380 resources. The whole Python stack that made it, the interpreter's own frames and paths
of this machine among them, is a quarter of the state; the nearest line of the project is what a person needs. And
debug messages, each a call that is waited for, are a fifth of a preview's time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pulumi
from pulumi.runtime import resource
from pulumi.runtime.proto import source_pb2


@contextmanager
def spared(project: Path) -> Iterator[None]:
    """While it lasts, a resource is recorded with one line of the project, and no debug message is sent."""
    ours = ((resource, "_get_stack_trace", lambda: _nearest(project)), (pulumi.log, "debug", lambda *_, **__: None))
    # Another SDK may have other internals: what it lacks is not replaced.
    replaced = [(module, name, getattr(module, name), own) for module, name, own in ours if hasattr(module, name)]
    for module, name, _, own in replaced:
        setattr(module, name, own)
    try:
        yield
    finally:
        for module, name, original, _ in replaced:
            setattr(module, name, original)


def _nearest(project: Path) -> source_pb2.StackTrace:
    frame: FrameType | None = sys._getframe(1)
    root, packages = f"{project}/", "site-packages"
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(root) and packages not in path and path != __file__:
            position = source_pb2.SourcePosition(uri=f"file://{path}", line=frame.f_lineno)
            return source_pb2.StackTrace(frames=[source_pb2.StackFrame(pc=position)])
        frame = frame.f_back
    return source_pb2.StackTrace()
