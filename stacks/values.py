"""What single values of the configuration must look like: each kind with the rule and the remedy that a user reads."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Annotated, NoReturn
from urllib.parse import SplitResult, urlsplit

import yaml
from pydantic import AfterValidator, SecretStr
from pydantic_core import PydanticCustomError

from stacks.clusters import CLUSTERS

ENCRYPTED = "\0encrypted"
"""Stands for a value that only the engine can decrypt; no stack file can hold it in plain text."""
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = rf"{_LABEL}(\.{_LABEL})*"
_LONGEST_DOMAIN = 253 - len("grafana.")
"""A DNS name has at most 253 characters, and the longest page of the platform is a name under the domain."""
_CREDENTIALS = ("token", "password", "client-key-data", "auth-provider")


def _refuse(rule: str, remedy: str, *, hidden: bool = False) -> NoReturn:
    raise PydanticCustomError("rule", "{rule}", {"rule": rule, "remedy": remedy, "hidden": hidden})


def _matching(pattern: str, rule: str, remedy: str) -> AfterValidator:
    """Refuse a string that does not match; `rule` and `remedy` are what the user reads."""

    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            _refuse(rule, remedy)
        return value

    return AfterValidator(check)


def _known_provider(value: str) -> str:
    if value not in CLUSTERS:
        raise PydanticCustomError("choice", "must be one of {expected}", {"expected": ", ".join(CLUSTERS)})
    return value


def _domain(value: str) -> str:
    if any(len(part) > 63 for part in value.split(".")):
        _refuse("must have at most 63 characters between two dots", "DNS allows no more")
    if len(value) > _LONGEST_DOMAIN:
        _refuse(f"must have at most {_LONGEST_DOMAIN} characters", "DNS allows 253, and pages are names under it")
    return value


def _bucket(value: str) -> str:
    if re.fullmatch(_HOST, value) is None:
        _refuse("must have a letter or digit on both sides of each dot", "S3 takes it for a host's name")
    if re.fullmatch(r"[0-9]+(\.[0-9]+){3}", value):
        _refuse("must not look like an IP address", "S3 takes it for a host's name")
    return value


def _split(value: str, schemes: Collection[str], example: str) -> SplitResult:
    """Return the parts of a URL whose scheme, host and port can be used."""
    begin = " or ".join(f"{scheme}://" for scheme in schemes)
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
    except ValueError:
        _refuse("must be a URL", f"such as {example}", hidden="@" in value)
    if parts.scheme not in schemes or not host or re.search(r"\s", value):
        _refuse(f"must be a URL that begins with {begin}", f"such as {example}", hidden="@" in value)
    if not _is_host(host):
        _refuse("its host must be a DNS name or an IP address", f"such as {example}", hidden="@" in value)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0 or parts.netloc.endswith(":"):
        _refuse("its port must be a number from 1 to 65535", "leave it out for the scheme's own", hidden="@" in value)
    return parts


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return re.fullmatch(_HOST, host) is not None and len(host) <= 253
    return True


def _endpoint(value: str) -> str:
    parts = _split(value, ("https", "http"), "https://s3.example.org:9000")
    if "@" in parts.netloc:
        _refuse("must hold no user or password", "they are objectStore.accessKey and secretKey", hidden=True)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        _refuse("must end with its host or port: a path is not sent along", "name buckets in objectStore.buckets")
    return value


def _repository(value: str) -> str:
    parts = _split(value, ("https", "http", "ssh"), "https://git.example.org/team/releases")
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    if password or (user and parts.scheme != "ssh") or parts.query or parts.fragment:
        remedy = "put them into a Secret in flux-system and name it in flux.secretName"
        _refuse("must hold no credentials: everybody who reads it would have them", remedy, hidden=True)
    return value


def _webhook(value: SecretStr) -> SecretStr:
    if value.get_secret_value() != ENCRYPTED:
        _split(value.get_secret_value(), ("https", "http"), "https://hooks.example.org/alerts")
    return value


def _annotation(value: str) -> str:
    prefix, slash, name = value.rpartition("/")
    fits = re.fullmatch(r"[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?", name, re.ASCII)
    if not fits or (slash and not (re.fullmatch(_HOST, prefix) and len(prefix) <= 253)):
        _refuse(
            "must be the name of an annotation: at most 63 letters, digits, - _ . after an optional DNS name and /",
            "such as networking.gke.io/load-balancer-type",
        )
    return value


def _folder(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts:
        _refuse("must be a folder in the source", "relative to its root, without ..")
    return value


Bucket = Annotated[
    str,
    _matching(
        r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "must be 3 to 63 lower-case letters, digits, dots and hyphens",
        "S3 allows no more",
    ),
    AfterValidator(_bucket),
]
Prefix = Annotated[
    str,
    _matching(
        r"[a-z0-9][a-z0-9-]*",
        "must be lower-case letters, digits and hyphens",
        "with a letter or a digit first: acme-ml-",
    ),
]
Quantity = Annotated[
    str,
    _matching(r"[1-9][0-9]*(Mi|Gi|Ti)", "must be a size in Mi, Gi or Ti", "such as 20Gi"),
]
Duration = Annotated[
    str,
    _matching(r"[1-9][0-9]*(s|m|h)", "must be a number of seconds, minutes or hours", "such as 30s, 5m or 1h"),
]
Retention = Annotated[
    str,
    _matching(r"[1-9][0-9]*(h|d|w|y)", "must be a number of hours, days, weeks or years", "such as 15d"),
]
Name = Annotated[
    str,
    _matching(rf"(?=.{{1,63}}$){_HOST}", "must be a Kubernetes name", "lower-case letters, digits, hyphens and dots"),
]
Domain = Annotated[
    str,
    _matching(
        r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*",
        "must be a DNS name",
        "no scheme, port or slash: ml.example.org",
    ),
    AfterValidator(_domain),
]
Version = Annotated[
    str,
    _matching(r"1\.[0-9]+(\.[0-9]+)?", "must be a Kubernetes version", "such as 1.36.3, in quotes"),
]
Provider = Annotated[str, AfterValidator(_known_provider)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]
Repository = Annotated[str, AfterValidator(_repository)]
Webhook = Annotated[SecretStr, AfterValidator(_webhook)]
Annotation = Annotated[str, AfterValidator(_annotation)]
Folder = Annotated[str, AfterValidator(_folder)]


def is_kubeconfig_text(value: str) -> bool:
    """Whether it is a kubeconfig itself rather than the path of one."""
    return "\n" in value or value.lstrip().startswith("{")


def holds_credentials(kubeconfig: str) -> bool:
    """Whether the text of a kubeconfig holds what opens a cluster, rather than a command that gets it."""
    try:
        loaded = yaml.safe_load(kubeconfig)
    except yaml.YAMLError:
        return True  # nobody can tell
    users = loaded.get("users") if isinstance(loaded, dict) else None
    held = [entry.get("user") for entry in users or [] if isinstance(entry, dict)]
    return any(key in _CREDENTIALS for user in held if isinstance(user, dict) for key in user)
