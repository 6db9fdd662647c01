"""The copy of the sealing keys is for its owner alone, replaces nothing, and can be applied anywhere."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube.errors import KubeError
from stacks import keycopy
from stacks.errors import EngineError, UserError


class Keys:
    """A cluster with sealing keys, or without an answer."""

    def __init__(self, *names: str, error: Exception | None = None) -> None:
        self.names, self.error = names, error
        self.asked: tuple[Any, ...] = ()

    def list(self, *asked: Any) -> list[dict[str, Any]]:
        self.asked = asked
        if self.error:
            raise self.error
        return [secret(name) for name in self.names]


def secret(name: str) -> dict[str, Any]:
    data = {key: base64.b64encode(f"{name} {key}".encode()).decode() for key in ("tls.crt", "tls.key")}
    labels = {"aiga.dev/stack": "prod", "sealedsecrets.bitnami.com/sealed-secrets-key": "active"}
    metadata = {"name": name, "namespace": "sealed-secrets", "uid": "u", "resourceVersion": "7", "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/tls", "data": data}


def copied(cluster: Any, file: Path) -> list[dict[str, Any]]:
    keycopy.write(cluster, "ctx", file)
    items: list[dict[str, Any]] = yaml.safe_load(file.read_text())["items"]
    return items


def test_every_key_is_copied_for_its_owner_alone(tmp_path: Path) -> None:
    file, cluster = tmp_path / "keys.yaml", Keys("sealing-key-1", "sealing-key-2")
    items = copied(cluster, file)
    assert cluster.asked == ("v1", "Secret", "sealed-secrets", "sealedsecrets.bitnami.com/sealed-secrets-key=active")
    assert file.stat().st_mode & 0o777 == 0o600
    assert [item["data"] for item in items] == [secret(name)["data"] for name in cluster.names]


def test_a_copy_takes_no_other_platform_s_key_away_and_belongs_to_no_stack(tmp_path: Path) -> None:
    items = copied(Keys("sealing-key-1", "sealing-key-2"), tmp_path / "keys.yaml")
    names = {item["metadata"]["name"] for item in items}
    assert len(names) == 2
    assert not names & {"sealing-key-1", "sealing-key-2"}
    again = copied(Keys("sealing-key-1"), tmp_path / "again.yaml")
    assert again[0]["metadata"]["name"] in names, "the same key has the same name"
    for item in items:
        assert item["metadata"].keys() == {"name", "namespace", "labels"}
        assert item["metadata"]["labels"] == {"sealedsecrets.bitnami.com/sealed-secrets-key": "active"}


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text("mine")
    with pytest.raises(UserError, match="exists, and may hold keys"):
        copied(Keys("sealing-key-1"), file)
    assert file.read_text() == "mine"


def test_without_a_key_or_an_answer_no_file_is_left(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    with pytest.raises(UserError, match="nothing to copy"):
        copied(Keys(), file)
    with pytest.raises(EngineError, match="sealing keys on ctx: refused"):
        copied(Keys(error=KubeError("refused")), file)
    with pytest.raises(UserError, match="No such file or directory"):
        copied(Keys("sealing-key-1"), tmp_path / "none" / "keys.yaml")
    assert list(tmp_path.iterdir()) == []
