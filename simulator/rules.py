"""What Knative's controllers write into webhooks that their manifests leave blank: rules, path, namespace selector.

Read from `knative.dev/pkg/webhook` and from the types that Eventing 1.22 and eventing-natss 1.22 register there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Body = dict[str, Any]

_EVENTING = (
    "eventing.knative.dev/v1 brokers triggers",
    "eventing.knative.dev/v1alpha1 eventpolicies eventtransforms requestreplies",
    "eventing.knative.dev/v1beta1 eventtypes",
    "eventing.knative.dev/v1beta2 eventtypes",
    "flows.knative.dev/v1 parallels sequences",
    "messaging.knative.dev/v1 channels subscriptions",
    "sinks.knative.dev/v1alpha1 integrationsinks jobsinks",
    "sources.knative.dev/v1 apiserversources containersources pingsources sinkbindings",
    "sources.knative.dev/v1alpha1 integrationsources",
    "sources.knative.dev/v1beta2 pingsources",
)
_NATSS = ("messaging.knative.dev/v1alpha1 natsjetstreamchannels",)
_MADE = ("CREATE", "UPDATE")
_ALL = (*_MADE, "DELETE")
_UNLESS_EXCLUDED = {
    "namespaceSelector": {"matchExpressions": [{"key": "webhooks.knative.dev/exclude", "operator": "DoesNotExist"}]}
}


def _rules(types: Iterable[str], operations: Iterable[str]) -> list[Body]:
    """A rule for each kind and its status, in the order of the controllers."""
    rules = []
    for line in types:
        api_version, *plurals = line.split()
        group, _, version = api_version.partition("/")
        for plural in plurals:
            resources = [plural, f"{plural}/status"]
            rule = {"apiGroups": [group], "apiVersions": [version], "resources": resources}
            rules.append({**rule, "operations": list(operations), "scope": "*"})
    return rules


def _filled(path: str, types: Iterable[str], operations: Iterable[str]) -> Body:
    return {"path": path, "rules": _rules(types, operations), **_UNLESS_EXCLUDED}


_CONFIG_MAPS = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps/*"]}
RULES: dict[str, Body] = {
    "webhook.eventing.knative.dev": _filled("/defaulting", _EVENTING, _MADE),
    "validation.webhook.eventing.knative.dev": _filled("/resource-validation", _EVENTING, _ALL),
    "config.webhook.eventing.knative.dev": {
        "path": "/config-validation",
        "rules": [{**_CONFIG_MAPS, "operations": list(_MADE), "scope": "Namespaced"}],
    },
    "sinkbindings.webhook.sources.knative.dev": {"path": "/sinkbindings", "rules": [], **_UNLESS_EXCLUDED},
    "defaulting.webhook.nats.messaging.knative.dev": _filled("/defaulting", _NATSS, _MADE),
    "validation.webhook.nats.messaging.knative.dev": _filled("/resource-validation", _NATSS, _ALL),
}
"""By the name of the webhook, which is that of its configuration too. Those of SinkBindings follow from what is bound:
nothing is, here."""
