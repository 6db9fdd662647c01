"""The `meta` of Seldon's messages: identity, tags, metrics, and the way that a request went through the graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiga.serving.messages import BadRequest
from aiga.serving.protocols.body import check_depth, member, shown
from aiga.serving.protocols.payloads import METRICS


def read(fields: Mapping[str, Any], where: str) -> tuple[str, dict[str, Any]]:
    """The `puid`, and what else `meta` has, without what is empty.

    Raises:
        BadRequest: a member is of a wrong kind.
    """
    identity = member(fields, "puid", str, where, "")
    tags = check_depth(member(fields, "tags", dict, where, {}), f"{where}.tags")
    routing = member(fields, "routing", dict, where, {})
    path = member(fields, "requestPath", dict, where, {})
    metrics = member(fields, "metrics", list, where, [])
    for name, branch in routing.items():
        if type(branch) is not int or not -(2**31) <= branch < 2**31:
            raise BadRequest(f"{where}.routing.{name}: is {shown(branch)}; it must be the number of a child, or -1")
    for name, image in path.items():
        if type(image) is not str:
            raise BadRequest(f"{where}.requestPath.{name}: is {shown(image)}; it must be a string")
    meta = {"tags": tags, "routing": routing, "requestPath": path, "metrics": _metrics(metrics, f"{where}.metrics")}
    return identity, {key: value for key, value in meta.items() if value}


def _metrics(metrics: list[Any], where: str) -> list[Any]:
    for index, metric in enumerate(metrics):
        place = f"{where}[{index}]"
        if type(metric) is not dict:
            raise BadRequest(f"{place}: is {shown(metric)}; it must be an object")
        member(metric, "key", str, place)
        if type(metric.get("value")) not in (int, float):
            raise BadRequest(f"{place}.value: is {shown(metric.get('value'))}; it must be a number")
        if metric.get("type", "COUNTER") not in METRICS:
            raise BadRequest(f"{place}.type: is {shown(metric['type'])}; it must be one of {', '.join(METRICS)}")
        for name, value in member(metric, "tags", dict, place, {}).items():
            if type(value) is not str:
                raise BadRequest(f"{place}.tags.{name}: is {shown(value)}; it must be a string")
    return metrics
