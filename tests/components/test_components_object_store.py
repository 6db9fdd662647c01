"""Each layer may do what it must with its buckets and nothing else; keys are nowhere to be read."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from components import chart, object_store
from components.context import Context
from components.object_store import ObjectStoreArgs, address, shape
from components.object_store_job import ACCOUNTS, Access, buckets_job, policy, script
from components.upstream import Upstream, image
from stacks.recording import Recording, record

BUCKETS = ("artifacts", "data", "models", "releases")
PROGRAM = """
import pulumi
from components.context import Context
from components.object_store import ObjectStore, ObjectStoreArgs
from components.upstream import Upstream

context = Context(stack="s", profile="laptop", upstream=Upstream())
store = ObjectStore("store", context, ObjectStoreArgs(driver="s3", buckets=["models"], after=[], {arguments}))
pulumi.export("endpoint", store.endpoint)
account = store.account("argo")
pulumi.export("access", account.access_key)
pulumi.export("secret", account.secret_key)
"""


def context(profile: Any = "laptop") -> Context:
    return Context(stack="test", profile=profile, upstream=Upstream())


def args(driver: Any, **more: Any) -> ObjectStoreArgs:
    return ObjectStoreArgs(driver=driver, buckets=BUCKETS, after=[], **more)


def allowed(access: Access, action: str, resource: str) -> bool:
    """What a store decides by a policy document: denied unless a statement names action and resource."""
    statements = json.loads(policy(access))["Statement"]
    return any(
        s["Effect"] == "Allow"
        and action in s["Action"]
        and any(r == resource or (r.endswith("/*") and resource.startswith(r[:-1])) for r in s["Resource"])
        for s in statements
    )


@pytest.mark.parametrize("access", ACCOUNTS, ids=lambda a: a.layer)
def test_an_account_reads_its_own_buckets_and_no_other(access: Access) -> None:
    for bucket in BUCKETS:
        own = bucket in access.buckets
        assert allowed(access, "s3:GetObject", f"arn:aws:s3:::{bucket}/a/b") is own
        assert allowed(access, "s3:ListBucket", f"arn:aws:s3:::{bucket}") is own
        assert not allowed(access, "s3:GetObject", f"arn:aws:s3:::{bucket}-other/a")


@pytest.mark.parametrize("access", ACCOUNTS, ids=lambda a: a.layer)
def test_only_who_writes_may_write_and_nobody_may_make_buckets_or_policies(access: Access) -> None:
    for bucket in BUCKETS:
        writes = access.buckets.get(bucket) == "write"
        assert allowed(access, "s3:PutObject", f"arn:aws:s3:::{bucket}/a") is writes
        assert allowed(access, "s3:DeleteObject", f"arn:aws:s3:::{bucket}/a") is writes
        for action in ("s3:CreateBucket", "s3:DeleteBucket", "s3:PutBucketPolicy"):
            assert not allowed(access, action, f"arn:aws:s3:::{bucket}")
    document = policy(access)
    assert "s3:*" not in document
    assert '"*"' not in document


def test_seldon_and_flux_only_read_and_argo_writes_only_artefacts() -> None:
    assert {a.layer: dict(a.buckets) for a in ACCOUNTS} == {
        "argo": {"artifacts": "write"},
        "seldon": {"models": "read"},
        "flux": {"releases": "read"},
    }


@pytest.mark.parametrize("access", ACCOUNTS, ids=lambda a: a.layer)
def test_a_prefix_is_part_of_every_name_an_account_may_use(access: Access) -> None:
    document = json.loads(policy(access, "acme-"))
    named = {r.removeprefix("arn:aws:s3:::").removesuffix("/*") for s in document["Statement"] for r in s["Resource"]}
    assert named == {f"acme-{bucket}" for bucket in access.buckets}


def test_a_prefix_is_part_of_every_bucket_that_is_made(client: Path) -> None:
    assert run(client, script(BUCKETS, manages_accounts=True, region="r", prefix="acme-")).returncode == 0
    made = [line.rpartition("/")[2] for line in (client / "calls").read_text().splitlines() if line.startswith("mb ")]
    assert made == [f"acme-{bucket}" for bucket in BUCKETS]
    documents = [json.loads(line) for line in (client / "policies").read_text().splitlines()]
    assert documents == [json.loads(policy(a, "acme-")) for a in ACCOUNTS]


def test_seaweedfs_grants_the_same_by_bucket() -> None:
    assert object_store._actions({"models": "read"}, "acme-") == ["Read:acme-models", "List:acme-models"]
    assert object_store._actions({"models": "read"}) == ["Read:models", "List:models"]
    assert object_store._actions({"artifacts": "write"}) == [
        f"{v}:artifacts" for v in ("Read", "List", "Write", "Tagging")
    ]


@pytest.fixture
def client(tmp_path: Path) -> Path:
    """A client that writes down how it is called and what it is told; `attach` fails as it does the second time."""
    file = tmp_path / "bin" / "mc"
    file.parent.mkdir()
    file.write_text(
        "#!/bin/sh\n"
        f'echo "$*" >> {tmp_path}/calls\n'
        f'case "$*" in\n'
        f'"admin user add store") cat >> {tmp_path}/told ;;\n'
        f'*"policy create"*) cat "$6" >> {tmp_path}/policies; echo >> {tmp_path}/policies ;;\n'
        f'*"policy attach"*) exit 1 ;;\n'
        '*"policy entities"*) echo "User: $6" ;;\n'
        "esac\n"
    )
    file.chmod(0o755)
    return tmp_path


def run(client: Path, body: str) -> subprocess.CompletedProcess[str]:
    keys = {f"KEY_{a.layer.upper()}": f"secret-of-{a.layer}" for a in ACCOUNTS}
    environment = {**keys, "PATH": f"{client / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    # The Job's /tmp is its own; so is the test's.
    body = body.replace("/tmp/", f"{client}/")
    return subprocess.run(["/bin/sh", "-c", body], env=environment, capture_output=True, text=True, check=False)


def test_the_script_makes_buckets_and_accounts_and_keeps_keys_off_the_command_line(client: Path) -> None:
    done = run(client, script(BUCKETS, manages_accounts=True, region="us-east-1"))
    assert done.returncode == 0, done.stderr
    calls = (client / "calls").read_text()
    assert [f"mb --ignore-existing --region us-east-1 store/{b}" for b in BUCKETS] == calls.splitlines()[:4]
    assert "secret-of" not in calls, "arguments can be read by anyone on the node"
    told = (client / "told").read_text().split()
    assert told == [word for a in ACCOUNTS for word in (f"aiga-{a.layer}", f"secret-of-{a.layer}")]
    documents = [json.loads(line) for line in (client / "policies").read_text().splitlines()]
    assert documents == [json.loads(policy(a)) for a in ACCOUNTS]


def test_the_script_fails_when_an_account_does_not_get_its_policy(client: Path) -> None:
    file = client / "bin" / "mc"
    file.write_text(file.read_text().replace('echo "User: $6"', 'echo "User: nobody"'))
    assert run(client, script(BUCKETS, manages_accounts=True, region="us-east-1")).returncode != 0


def test_the_script_stops_at_the_first_failure(client: Path) -> None:
    (client / "bin" / "mc").write_text(f'#!/bin/sh\necho "$*" >> {client}/calls\nexit 1\n')
    assert run(client, script(BUCKETS, manages_accounts=True, region="us-east-1")).returncode != 0
    assert len((client / "calls").read_text().splitlines()) == 1


def test_a_region_cannot_add_commands(client: Path) -> None:
    done = run(client, script(["data"], manages_accounts=False, region="x; touch /tmp/owned"))
    assert done.returncode == 0, done.stderr
    assert not (client / "owned").exists()


def test_stores_that_know_their_accounts_themselves_get_buckets_alone() -> None:
    assert "admin" not in script(BUCKETS, manages_accounts=False, region="us-east-1")


def job(buckets: Any = BUCKETS, managed: bool = True, region: str = "us-east-1") -> dict[str, Any]:
    return buckets_job("storage", buckets, manages_accounts=managed, region=region)


def test_a_job_that_does_something_else_is_another_job() -> None:
    names = [job()["metadata"]["name"]]
    names += [j["metadata"]["name"] for j in (job(["data"]), job(managed=False), job(region="eu-west-1"))]
    assert len(set(names)) == 4
    assert job()["metadata"]["name"] == names[0], "the same work keeps its name, or every preview would differ"


def test_the_job_takes_its_keys_from_a_secret_and_no_token() -> None:
    spec = job()["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert container["envFrom"] == [{"secretRef": {"name": "buckets"}}]
    assert container["image"] == image("minio-client").reference
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["volumeMounts"][0]["mountPath"] == "/tmp", "the only place it writes to"


@pytest.mark.parametrize("driver", ["minio", "rustfs", "seaweedfs"])
@pytest.mark.parametrize("profile", ["laptop", "team", "prod"])
def test_size_class_and_images_reach_the_charts_values(driver: str, profile: str) -> None:
    given = args(driver, size="7Gi", storage_class="fast")
    values = chart.values(driver, profile, object_store._values(context(profile), given))  # type: ignore[arg-type]
    volumes = {
        "minio": lambda: [(values["persistence"]["size"], values["persistence"]["storageClass"])],
        "rustfs": lambda: [(values["storageclass"]["dataStorageSize"], values["storageclass"]["name"])],
        "seaweedfs": lambda: [
            (d["size"], d["storageClass"])
            for d in (values["volume"]["dataDirs"] if profile == "prod" else [values["allInOne"]["data"]])
        ],
    }
    assert volumes[driver]() == [("7Gi", "fast")]
    assert image(driver).tag in json.dumps(values["image"])


@pytest.mark.parametrize("driver", ["minio", "rustfs", "seaweedfs"])
def test_without_wishes_the_profiles_size_and_the_clusters_class_are_taken(driver: str) -> None:
    values = chart.values(driver, "laptop", object_store._values(context(), args(driver)))
    assert "5Gi" in json.dumps(values)
    assert "storageClass" not in values.get("persistence", {})


@pytest.mark.parametrize(
    ("driver", "profile", "host"),
    [
        ("minio", "prod", "minio.storage"),
        ("rustfs", "laptop", "rustfs-svc.storage"),
        ("seaweedfs", "laptop", "seaweedfs-all-in-one.storage"),
        ("seaweedfs", "prod", "seaweedfs-s3.storage"),
    ],
)
def test_a_store_of_the_cluster_has_an_address_of_the_cluster(driver: Any, profile: str, host: str) -> None:
    assert address(context(profile), driver).startswith(f"http://{host}.svc.cluster.local:")


def test_a_store_outside_has_the_address_it_is_given() -> None:
    assert address(context(), "s3", "https://s3.example.org/") == "https://s3.example.org"
    with pytest.raises(ValueError, match="needs its endpoint"):
        address(context(), "s3")


def test_what_cannot_be_changed_in_place_is_in_the_shape() -> None:
    base = shape(context(), args("rustfs"))
    others = [
        shape(context(), args("minio")),
        shape(context("prod"), args("rustfs")),
        shape(context(), args("rustfs", size="9Gi")),
        shape(context(), args("rustfs", storage_class="fast")),
        shape(context(), args("s3", endpoint="https://s3.example.org")),
        shape(context("prod"), args("seaweedfs")),
    ]
    assert len({base, *others}) == 7
    assert shape(context(), args("rustfs")) == base


@pytest.fixture
def outside(tmp_path: Path) -> Any:
    def go(**given: str) -> Recording:
        program = tmp_path / "program.py"
        program.write_text(PROGRAM.format(arguments=", ".join(f"{k}={v!r}" for k, v in given.items())))
        return record({}, "s", program)

    return go


def test_an_outside_store_runs_no_server_and_every_layer_uses_its_keys(outside: Any) -> None:
    recording = outside(endpoint="https://s3.example.org", access_key="AK", secret_key="SK", region="eu-west-1")
    kinds = [r.inputs["kind"] for r in recording.resources if r.type.startswith("kubernetes:")]
    assert sorted(kinds) == ["Job", "Secret"]
    assert recording.outputs == {"endpoint": "https://s3.example.org", "access": "AK", "secret": "SK"}
    (secret,) = (r for r in recording.resources if r.type == "kubernetes:core/v1:Secret")
    assert secret.inputs["stringData"] == {"MC_HOST_store": "https://AK:SK@s3.example.org"}
    assert "stringData" in secret.secrets
    (made,) = (r for r in recording.resources if r.type == "kubernetes:batch/v1:Job")
    assert "SK" not in json.dumps(made.inputs)
    assert "--region eu-west-1" in json.dumps(made.inputs)


@pytest.mark.parametrize("given", [{"access_key": "AK"}, {"secret_key": "SK"}, {}])
def test_an_outside_store_without_keys_is_refused(outside: Any, given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="s3 needs accessKey and secretKey"):
        outside(endpoint="https://s3.example.org", **given)
