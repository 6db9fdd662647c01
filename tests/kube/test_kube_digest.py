"""The digest of owned fields changes with them, and only with them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kube import digest, yaml

LIVE: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "web",
        "labels": {"ours": "1", "theirs": "1"},
        "managedFields": [
            {
                "manager": "aiga",
                "operation": "Apply",
                "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:ours": {}}},
                    "f:spec": {
                        "f:replicas": {},
                        "f:containers": {
                            'k:{"name":"main"}': {".": {}, "f:name": {}, "f:image": {}},
                        },
                        "f:finalizers": {'v:"keep"': {}},
                        "f:atomic": {},
                    },
                },
            },
            {"manager": "aiga", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
        ],
    },
    "spec": {
        "replicas": 2,
        "containers": [{"name": "side", "image": "s"}, {"name": "main", "image": "m", "policy": "Always"}],
        "finalizers": ["other", "keep"],
        "atomic": {"a": 1},
        "paused": False,
    },
    "status": {"replicas": 2},
}

OURS = {
    "a value": lambda obj: obj["spec"].update(replicas=3),
    "a label": lambda obj: obj["metadata"]["labels"].update(ours="2"),
    "a label gone": lambda obj: obj["metadata"]["labels"].pop("ours"),
    "a field of our list item": lambda obj: obj["spec"]["containers"][1].update(image="n"),
    "our list item gone": lambda obj: obj["spec"]["containers"].pop(1),
    "our set item gone": lambda obj: obj["spec"]["finalizers"].remove("keep"),
    "inside an atomic map": lambda obj: obj["spec"]["atomic"].update(b=1),
    "a field taken over": lambda obj: obj["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"].pop("f:replicas"),
}
THEIRS = {
    "a default": lambda obj: obj["spec"].update(paused=True),
    "their label": lambda obj: obj["metadata"]["labels"].update(theirs="2"),
    "a defaulted field of our list item": lambda obj: obj["spec"]["containers"][1].update(policy="Never"),
    "their list item": lambda obj: obj["spec"]["containers"][0].update(image="t"),
    "their set item": lambda obj: obj["spec"]["finalizers"].remove("other"),
    "order of keyed items": lambda obj: obj["spec"]["containers"].reverse(),
    "status": lambda obj: obj["status"].update(replicas=0),
    "the time of our entry": lambda obj: obj["metadata"]["managedFields"][0].update(time="2026-01-01T00:00:00Z"),
}


@pytest.mark.parametrize("edit", OURS)
def test_changes_of_owned_fields_show(edit: str) -> None:
    changed = copy.deepcopy(LIVE)
    OURS[edit](changed)
    assert digest.owned(changed, "aiga") != digest.owned(LIVE, "aiga")


@pytest.mark.parametrize("edit", THEIRS)
def test_changes_of_what_others_own_do_not(edit: str) -> None:
    changed = copy.deepcopy(LIVE)
    THEIRS[edit](changed)
    assert digest.owned(changed, "aiga") == digest.owned(LIVE, "aiga")


def test_the_digest_of_a_manifest_ignores_the_order_of_keys_only() -> None:
    assert digest.of({"a": 1, "b": [1, 2]}) == digest.of({"b": [1, 2], "a": 1})
    assert digest.of({"a": 1, "b": [1, 2]}) != digest.of({"a": 1, "b": [2, 1]})


def test_yaml_reads_what_upstream_writes() -> None:
    text = "---\n# nothing\n---\nkind: List\nitems:\n- {a: 1}\n- enum: [=, '!=']\n  when: 2026-01-01\n---\nb: 2\n"
    assert yaml.load_all(text) == [{"a": 1}, {"enum": ["=", "!="], "when": "2026-01-01"}, {"b": 2}]


def test_yaml_scalars_are_those_of_kubernetes() -> None:
    text = "[1, -2, 0644, 0x1f, 1.5, 1e3, .5, 1:30, 22:22, yes, 1.2.3, '1', 1Gi, null, ~, -, 12e, 0o17]"
    numbers = [1, -2, 420, 31, 1.5, 1000.0, 0.5]
    assert yaml.load(text) == [*numbers, "1:30", "22:22", True, "1.2.3", "1", "1Gi", None, None, "-", "12e", 15]


def test_yaml_written_reads_back_the_same() -> None:
    objects = [{"b": "x\ny\n", "a": ["1", 1, None, True, "=", "2026-01-01"]}, {"c": {}}]
    assert yaml.load_all(yaml.dump(objects)) == objects
