"""YAML as Kubernetes writes it: fast, many documents, the odd `=` in a CRD's enum."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import yaml


class _Loader(yaml.CSafeLoader):
    """libyaml's parser with the scalars of Kubernetes: `=` and dates are text, `1:30` is no number, `1e3` is."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the base class declares it
        first: [rule for rule in rules if not rule[0].endswith((":timestamp", ":int", ":float"))]
        for first, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


Error = yaml.YAMLError

_INTEGER = re.compile(r"[-+]?(0|0o?[0-7_]+|0b[01_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*)$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$")
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


class _Dumper(yaml.CSafeDumper):
    """Long texts as blocks, no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, value: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


def _plain(loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:value", _plain)
_Dumper.add_representer(str, _text)


def load_all(text: str | bytes) -> list[dict[str, Any]]:
    """Every object in the text; empty documents are dropped and `List`s unpacked."""
    found: list[dict[str, Any]] = []
    for document in yaml.load_all(text, Loader=_Loader):
        if not document:
            continue
        if document.get("kind") == "List" and "items" in document:
            found.extend(document["items"])
        else:
            found.append(document)
    return found


def load(text: str | bytes) -> Any:
    """The one document in the text."""
    return yaml.load(text, Loader=_Loader)


def dump(objects: Iterable[Any]) -> str:
    """The objects as documents of one text, keys in the order they have."""
    text: str = yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return text
