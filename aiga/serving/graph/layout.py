"""What can be read off a graph before any request: who stands at its ends, and which nodes share a server."""

from __future__ import annotations

from collections.abc import Iterator

from aiga.serving.graph import builtin
from aiga.spec.serve import Server, Unit

SHARING: frozenset[Server] = frozenset({"onnx", "sklearn", "xgboost", "mlflow", "triton", "custom"})
"""Servers that hold several models each; TensorFlow Serving takes one."""


def units(root: Unit) -> Iterator[Unit]:
    """All nodes of a graph, a parent before its children."""
    yield root
    for child in root.children:
        yield from units(child)


def ends(root: Unit) -> tuple[Unit, Unit]:
    """The node whose inputs are the graph's, and the one whose outputs are, as Seldon's graph metadata finds them.

    Of several children the first speaks for all.
    """
    if not root.children:
        return root, root
    first, last = ends(root.children[0])
    match root.kind:
        case "transformer" | "model":
            return root, last
        case "output-transformer":
            return first, root
        case "combiner":
            return first, last if builtin.of(root) else root
        case "router":
            return first, last


def servers(root: Unit, default: Server) -> tuple[tuple[Server, tuple[Unit, ...]], ...]:
    """The servers that a graph needs: what kind each is, and the nodes that it holds, in the order of the graph.

    Args:
        root: The graph's root.
        default: The server of models that name none.
    """
    found: list[tuple[Server, tuple[Unit, ...]]] = []
    places: dict[Server, int] = {}
    for unit in units(root):
        if builtin.of(unit) is not None:
            continue
        kind: Server = "custom" if unit.run is not None else unit.server or default
        if kind in places:
            found[places[kind]] = (kind, (*found[places[kind]][1], unit))
            continue
        if kind in SHARING:
            places[kind] = len(found)
        found.append((kind, (unit,)))
    return tuple(found)
