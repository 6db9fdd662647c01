"""Keys through the real engine: secret in the state, the same until somebody asks for a new one."""

from __future__ import annotations

import base64

import pulumi
import pytest

from components.keys import Certificate, SealingKey, SigningKey
from tests.objects.objects_world import World, counts

pytestmark = pytest.mark.engine


def test_keys_are_secret_and_stay_until_their_generation_changes(world: World) -> None:
    generation = 1

    def program() -> None:
        pair = Certificate("web", dns_names=["web.local"], generation=generation)
        SealingKey("sealing")
        signing = SigningKey("signing")
        for name, value in {"crt": pair.tls_crt, "key": pair.tls_key, "public": signing.public_key}.items():
            pulumi.export(name, value)

    def up() -> dict[str, int]:
        return counts(world.stack.up(program=program, color="never").stdout)

    assert up() == {"created": 4}
    first = world.stored("web")["outputs"]
    state = world.state()
    for word in ("PRIVATE KEY", base64.b64encode(b"-----BEGIN PRIVATE KEY").decode()[:24]):
        assert word not in state, "private keys must not lie in the state in clear"
    assert str(first["tls_crt"]).startswith("-----BEGIN CERTIFICATE-----")

    changed = world.stack.preview(program=program).change_summary
    assert {str(getattr(op, "value", op)): n for op, n in changed.items()} == {"same": 4}
    assert world.refresh()[0] == {"unchanged": 4}
    assert "PRIVATE KEY" not in world.state()

    generation = 2
    assert up() == {"unchanged": 3, "updated": 1}
    assert world.stored("web")["outputs"]["tls_crt"] != first["tls_crt"]
    assert "PRIVATE KEY" not in world.state()
    world.stack.destroy()
