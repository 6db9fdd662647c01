"""Keeps the stack traces of the SDK out of the state.

The SDK records with each resource the whole Python stack that made it: the interpreter's own frames, paths of this
machine among them, are a quarter of the state. The nearest frame of the project is what a person needs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from pulumi.runtime import resource
from pulumi.runtime.proto import source_pb2


@contextmanager
def shortened(project: Path) -> Iterator[None]:
    """While it lasts, a resource is recorded with the one line of the project that made it."""
    original = getattr(resource, "_get_stack_trace", None)
    if original is None:  # another SDK: nothing to shorten
        yield
        return
    resource._get_stack_trace = lambda: _nearest(project)
    try:
        yield
    finally:
        resource._get_stack_trace = original


def _nearest(project: Path) -> source_pb2.StackTrace:
    frame: FrameType | None = sys._getframe(1)
    root, packages = f"{project}/", "site-packages"
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(root) and packages not in path and "/stacks/traces.py" not in path:
            position = source_pb2.SourcePosition(uri=f"file://{path}", line=frame.f_lineno)
            return source_pb2.StackTrace(frames=[source_pb2.StackFrame(pc=position)])
        frame = frame.f_back
    return source_pb2.StackTrace()
