"""Single values that would fail later are refused up front, and what is secret in them is not repeated."""

from __future__ import annotations

import json

import pytest
import yaml

from stacks.values import ENCRYPTED
from tests.stacks.settings_world import right, wrong

ENDPOINTS = {
    "https://host:abc": "https://host:abc: its port must be a number from 1 to 65535 "
    "(leave it out for the scheme's own)",
    "https://host:70000": "https://host:70000: its port must be a number from 1 to 65535 "
    "(leave it out for the scheme's own)",
    "ssh://host": "ssh://host: must be a URL that begins with https:// or http:// (such as https://s3.example.org:9000)",
    "https://": "https://: must be a URL that begins with https:// or http:// (such as https://s3.example.org:9000)",
    "https://a_b": "https://a_b: its host must be a DNS name or an IP address (such as https://s3.example.org:9000)",
    "https://[::1": "https://[::1: must be a URL (such as https://s3.example.org:9000)",
    "https://s3.example.org/bucket": "https://s3.example.org/bucket: must end with its host or port: "
    "a path is not sent along (name buckets in objectStore.buckets)",
    "https://user:s3cr3t@s3.example.org": "[secret]: must hold no user or password "
    "(they are objectStore.accessKey and secretKey)",
    "https://user:s3cr3t@s3.example.org:x": "[secret]: its port must be a number from 1 to 65535 "
    "(leave it out for the scheme's own)",
}
STORE = {"driver": "s3", "region": "eu", "accessKey": "a", "secretKey": "b"}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_endpoint_is_scheme_host_and_port(endpoint: str) -> None:
    assert wrong(objectStore={**STORE, "endpoint": endpoint}) == [f"objectStore.endpoint: {ENDPOINTS[endpoint]}"]


@pytest.mark.parametrize("endpoint", ["http://10.0.0.7:9000", "https://[fd00::1]:9000", "https://s3.example.org/"])
def test_an_endpoint_may_be_an_address(endpoint: str) -> None:
    assert right(objectStore={**STORE, "endpoint": endpoint}).object_store.endpoint == endpoint


@pytest.mark.parametrize(
    "url",
    [
        "https://s3cr3t@git.example.org/r",
        "https://user:s3cr3t@git.example.org/r",
        "ssh://git:s3cr3t@git.example.org/r",
        "https://git.example.org/r?private_token=s3cr3t",
    ],
)
def test_a_repository_s_url_holds_no_credentials(url: str) -> None:
    assert wrong(flux={"source": "git", "url": url}) == [
        "flux.url: [secret]: must hold no credentials: everybody who reads it would have them "
        "(put them into a Secret in flux-system and name it in flux.secretName)"
    ]


def test_a_repository_may_name_the_user_of_ssh() -> None:
    assert right(flux={"source": "git", "url": "ssh://git@git.example.org:2222/r"}).flux.url
    found = wrong(flux={"source": "git", "url": "git@git.example.org:team/r"})
    assert found == [
        "flux.url: [secret]: must be a URL that begins with https:// or http:// or ssh:// "
        "(such as https://git.example.org/team/releases)"
    ]


def test_where_alerts_go_is_a_url_and_stays_hidden() -> None:
    assert wrong(monitoring={"alertWebhook": "not a s3cr3t"}) == [
        "monitoring.alertWebhook: [secret]: must be a URL that begins with https:// or http:// "
        "(such as https://hooks.example.org/alerts)"
    ]
    assert right(monitoring={"alertWebhook": ENCRYPTED}).monitoring.alert_webhook, "only the engine can look at it"


KUBECONFIG = "apiVersion: v1\nkind: Config\nusers:\n- name: me\n  user: {%s}\n"


@pytest.mark.parametrize("user", ["token: s3cr3t", "client-key-data: czNjcjN0", "username: me, password: s3cr3t"])
def test_a_kubeconfig_with_credentials_does_not_lie_in_a_stack_file(user: str) -> None:
    text = KUBECONFIG % user
    for written in (text, json.dumps(yaml.safe_load(text))):
        assert wrong(set(), kubeconfig=written) == [
            "kubeconfig: [secret]: holds credentials in plain text "
            "(put it into a file of your own and set its path, or leave it to KUBECONFIG)"
        ]
    assert right({"kubeconfig"}, kubeconfig=text).kubeconfig


def test_a_kubeconfig_without_credentials_may_be_text_and_an_encrypted_one_is_of_no_use() -> None:
    text = KUBECONFIG % "exec: {command: get-token}"
    assert right(set(), kubeconfig=text).kubeconfig == text
    assert right(set(), kubeconfig="~/.kube/token").kubeconfig
    assert wrong({"kubeconfig"}, kubeconfig=ENCRYPTED) == [
        "kubeconfig: [secret]: cannot be encrypted: the cluster is looked for before anything is decrypted "
        "(put it into a file of your own and set its path, or leave it to KUBECONFIG)"
    ]
