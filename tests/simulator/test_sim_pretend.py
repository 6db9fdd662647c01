"""What a real cluster's machines would do and the simulator does in their place, seen from outside."""

from __future__ import annotations

import pytest
from sim_samples import claim, deployment, service

import simulator
from kube.cluster import Cluster
from kube.errors import Invalid, Unreachable
from kube.readiness import pending
from kube.refs import Ref
from simulator import Running, faults
from simulator.testing import eventually


def test_a_deployment_becomes_ready_and_its_pods_are_spread(cluster: Cluster, namespace: str) -> None:
    ref = Ref.of(cluster.create(deployment(namespace, "app", replicas=3), manager="test"))
    cluster.wait_ready([ref], timeout=20)
    pods = cluster.list("v1", "Pod", namespace)
    assert len({pod["spec"]["nodeName"] for pod in pods}) > 1, "the scheduler knows the nodes"


def test_a_job_completes(cluster: Cluster, namespace: str) -> None:
    pod = deployment(namespace, "job")["spec"]["template"]["spec"] | {"restartPolicy": "Never"}
    metadata = {"name": "job", "namespace": namespace}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": {"spec": pod}}}
    cluster.wait_ready([Ref.of(cluster.create(job, manager="test"))], timeout=20)


def test_a_load_balancer_gets_an_address_of_its_own(cluster: Cluster, namespace: str) -> None:
    refs = [Ref.of(cluster.create(service(namespace, f"lb-{n}", "LoadBalancer"), manager="test")) for n in range(12)]
    cluster.wait_ready(refs, timeout=10)

    def address(ref: Ref) -> str:
        live = cluster.get(ref)
        assert live is not None
        return str(live["status"]["loadBalancer"]["ingress"][0]["ip"])

    addresses = [address(ref) for ref in refs]
    assert len(set(addresses)) == len(addresses), addresses
    assert all(each.startswith("198.51.100.") for each in addresses), "a range that no machine may use"
    cluster.delete_and_wait(refs, timeout=20)
    again = cluster.create(service(namespace, "lb-0", "LoadBalancer"), manager="test")
    cluster.wait_ready([Ref.of(again)], timeout=10)
    assert address(Ref.of(again)) == addresses[0], "the same name gets the same address"


def test_an_ingress_gets_an_address(cluster: Cluster, namespace: str) -> None:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"defaultBackend": backend},
    }
    ref = Ref.of(cluster.create(ingress, manager="test"))
    eventually(lambda: (cluster.get(ref) or {})["status"]["loadBalancer"].get("ingress"), "an address")


def test_a_claim_is_bound_by_the_default_class_grows_and_goes(cluster: Cluster, namespace: str) -> None:
    ref = Ref.of(cluster.create(claim(namespace, "data"), manager="test"))
    cluster.wait_ready([ref], timeout=10)
    live = cluster.get(ref)
    assert live
    assert live["spec"]["storageClassName"] == "kwok-volume"
    volume = Ref("v1", "PersistentVolume", None, live["spec"]["volumeName"])
    assert (cluster.get(volume) or {})["status"]["phase"] == "Bound"

    cluster.patch(ref, {"spec": {"resources": {"requests": {"storage": "3Gi"}}}})
    eventually(lambda: (cluster.get(ref) or {})["status"]["capacity"]["storage"] == "3Gi", "the volume grows")

    cluster.delete_and_wait([ref], timeout=20)
    eventually(lambda: cluster.get(volume) is None, "the volume goes with its claim")


def test_a_stateful_set_gets_a_volume_for_each_pod(cluster: Cluster, namespace: str) -> None:
    body = deployment(namespace, "store", replicas=2)
    body["kind"] = "StatefulSet"
    template = claim(namespace, "data")
    body["spec"] |= {"serviceName": "store", "volumeClaimTemplates": [{key: template[key] for key in ("spec",)}]}
    body["spec"]["volumeClaimTemplates"][0]["metadata"] = {"name": "data"}
    ref = Ref.of(cluster.create(body, manager="test"))
    cluster.wait_ready([ref], timeout=20)
    claims = cluster.list("v1", "PersistentVolumeClaim", namespace)
    assert [pending(each) for each in claims] == [None, None]


def test_pod_security_is_enforced(cluster: Cluster, namespace: str) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.patch(Ref("v1", "Namespace", None, namespace), {"metadata": {"labels": labels}})
    pod = deployment(namespace, "app")["spec"]["template"]["spec"]
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bad", "namespace": namespace}, "spec": pod}
    with pytest.raises(Invalid, match="violates PodSecurity"):
        cluster.create(body, manager="test")


def test_more_than_a_small_range_of_services_fits(cluster: Cluster, namespace: str) -> None:
    for number in range(260):
        cluster.create(service(namespace, f"many-{number}"), manager="test")


def test_what_was_pretended_is_listed(sim: Running, cluster: Cluster, namespace: str) -> None:
    cluster.create(service(namespace, "front", "LoadBalancer"), manager="test")
    cluster.create(claim(namespace, "data"), manager="test")

    def told() -> bool:
        text = "\n".join(simulator.pretended(sim.home))
        return "load-balancer addresses: " in text and "PersistentVolumeClaim" in text

    eventually(told, "both are in the list")
    assert "no image is pulled" in simulator.pretended(sim.home)[0]
    assert simulator.status(sim.home).pretended


def test_it_goes_on_after_the_api_server_was_killed(sim: Running, cluster: Cluster, namespace: str) -> None:
    faults.kill_apiserver(sim.home)
    with pytest.raises(Unreachable, match="does not answer"):
        cluster.list("v1", "Node")
    faults.start_apiserver(sim.home)
    assert simulator.status(sim.home).running, "nothing else died with it"
    address = cluster.create(service(namespace, "after", "LoadBalancer"), manager="test")
    workload = cluster.create(deployment(namespace, "after"), manager="test")
    cluster.wait_ready([Ref.of(address), Ref.of(workload)], timeout=20)
