"""A store outside: its region, its buckets' prefix and its port reach everyone who uses it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
import yaml
from program_wiring import Wiring

from stacks.recording import Recording

STORE = {
    "driver": "s3",
    "endpoint": "https://s3.eu-west-1.amazonaws.com",
    "region": "eu-west-1",
    "accessKey": "AK",
    "secretKey": "SK",
    "prefix": "acme-ml-",
}


@pytest.fixture(autouse=True)
def encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the stack file held every value encrypted: in plain text, keys are refused."""
    monkeypatch.setattr(pulumi.runtime.config, "is_config_secret", lambda _: True)


@pytest.fixture
def outside(run: Callable[..., Recording]) -> Wiring:
    return Wiring(run(objectStore=json.dumps(STORE)))


def find(wiring: Wiring, kind: str, namespace: str, name: str) -> dict[str, Any]:
    found = wiring.find(kind, namespace, name)
    assert found is not None
    return found


def test_every_user_of_a_bucket_gets_its_name_with_the_prefix_and_the_region(outside: Wiring) -> None:
    (job,), (bucket,) = outside.of("Job"), outside.of("Bucket")
    script = job["spec"]["template"]["spec"]["containers"][0]["command"][2]
    made = [line.split()[-1] for line in script.splitlines() if line.startswith("mc mb")]
    assert made == [f"store/acme-ml-{name}" for name in ("artifacts", "data", "models", "releases")]
    assert "--region eu-west-1" in script
    assert (bucket["spec"]["bucketName"], bucket["spec"]["region"]) == ("acme-ml-releases", "eu-west-1")
    controller = find(outside, "ConfigMap", "argo", "argo-workflows-workflow-controller-configmap")
    s3 = yaml.safe_load(controller["data"]["config"])["artifactRepository"]["s3"]
    assert (s3["bucket"], s3["region"]) == ("acme-ml-artifacts", "eu-west-1")
    rclone = find(outside, "Secret", "seldon-system", "seldon-rclone-secret")["stringData"]
    assert rclone["RCLONE_CONFIG_S3_REGION"] == "eu-west-1"
    assert "--region eu-west-1" in script


def test_a_prefix_that_makes_a_name_too_long_for_s3_is_refused(run: Callable[..., Recording]) -> None:
    with pytest.raises(pulumi.RunError, match=r"objectStore\.prefix: .*S3 allows 63"):
        run(objectStore=json.dumps({"prefix": "a" * 55}))
    run(objectStore=json.dumps({"prefix": "a" * 54}))


@pytest.mark.parametrize("prefix", ["Acme-", "-acme", "a_b", "a.b.", "a/b"])
def test_a_prefix_that_no_bucket_may_begin_with_is_refused(run: Callable[..., Recording], prefix: str) -> None:
    with pytest.raises(pulumi.RunError, match=r"objectStore\.prefix: .*lower-case letters"):
        run(objectStore=json.dumps({"prefix": prefix}))


def opened(wiring: Wiring, namespace: str) -> set[int]:
    """The ports that pods of a namespace reach at any address."""
    rules = find(wiring, "NetworkPolicy", namespace, "flows")["spec"]["egress"]
    return {port["port"] for rule in rules if "to" not in rule for port in rule["ports"]}


def test_every_address_the_stack_is_given_can_be_reached(run: Callable[..., Recording]) -> None:
    plain = Wiring(run())
    given = Wiring(
        run(
            objectStore=json.dumps({**STORE, "endpoint": "http://store.local:9021"}),
            flux=json.dumps({"source": "git", "url": "http://gitea.local:3000/ml/releases"}),
            monitoring=json.dumps({"alertWebhook": "http://alerts.local:9099/hook"}),
        )
    )
    for namespace, port in (("argo", 9021), ("storage", 9021), ("flux-system", 3000), ("monitoring", 9099)):
        assert port not in opened(plain, namespace)
        assert port in opened(given, namespace)
    assert 3000 not in opened(given, "argo"), "each opens its own and no more"
