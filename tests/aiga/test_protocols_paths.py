"""Paths: what each asks for, and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aiga.serving.protocols.paths import FIXED, Target, build, parse

NAMES = st.text(min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/v2", Target("v2", "server-metadata")),
        ("/v2/", Target("v2", "server-metadata")),
        ("/v2/health/live", Target("v2", "server-live")),
        ("/v2/health/ready", Target("v2", "server-ready")),
        ("/v2/models/m", Target("v2", "metadata", model="m")),
        ("/v2/models/m/ready", Target("v2", "ready", model="m")),
        ("/v2/models/m/infer", Target("v2", "infer", model="m")),
        ("/v2/models/infer", Target("v2", "infer")),
        ("/v2/models/m/versions/2", Target("v2", "metadata", model="m", version="2")),
        ("/v2/models/m/versions/2/infer", Target("v2", "infer", model="m", version="2")),
        ("/v2/models/m/versions/2/ready", Target("v2", "ready", model="m", version="2")),
        ("/v2/models/a%20b/infer", Target("v2", "infer", model="a b")),
        ("/seldon/ns/dep/v2/models/m/infer", Target("v2", "infer", "ns", "dep", "m")),
        ("/seldon/ns/dep/v2/health/ready", Target("v2", "server-ready", "ns", "dep")),
        ("/v1/models/m:predict", Target("tensorflow", "infer", model="m")),
        ("/v1/models/m/:predict", Target("tensorflow", "infer", model="m")),
        ("/v1/models:predict", Target("tensorflow", "infer")),
        ("/v1/models/:predict", Target("tensorflow", "infer")),
        ("/v1/models/m/versions/2:predict", Target("tensorflow", "infer", model="m", version="2")),
        ("/v1/models/m/metadata", Target("tensorflow", "metadata", model="m")),
        ("/v1/models/m/versions/2/metadata", Target("tensorflow", "metadata", model="m", version="2")),
        ("/v1/models/m", Target("tensorflow", "ready", model="m")),
        ("/seldon/ns/dep/v1/models/m:predict", Target("tensorflow", "infer", "ns", "dep", "m")),
        ("/api/v1.0/predictions", Target("seldon", "infer")),
        ("/api/v0.1/predictions", Target("seldon", "infer")),
        ("/seldon/ns/dep/api/v1.0/predictions", Target("seldon", "infer", "ns", "dep")),
        ("/seldon/ns/dep/api/v1.0/feedback", Target("seldon", "feedback", "ns", "dep")),
        ("/seldon/ns/dep/api/v1.0/doc/", Target("seldon", "doc", "ns", "dep")),
        ("/api/v1.0/metadata/m", Target("seldon", "metadata", model="m")),
        ("/", None),
        ("", None),
        ("v2", None),
        ("/v2/models", None),
        ("/v2/models/m/", Target("v2", "metadata", model="m")),
        ("/v2/models//infer", None),
        ("/v2/models/m/explain", None),
        ("/v2/models/m/versions//infer", None),
        ("/v2%2Fhealth%2Flive", None),
        ("/v2/models/%ff/infer", None),
        ("/v1/models/m:classify", None),
        ("/v1/models/m/metadata:predict", None),
        ("/seldon/ns/dep", None),
        ("/seldon/ns/v2/models/m/infer", None),
        ("/seldon//dep/v2/models/m/infer", None),
        ("/api/v1x0/predictions", None),
        ("/metrics", None),
    ],
)
def test_a_path_asks_for_what_seldon_says(path: str, target: Target | None) -> None:
    assert parse(path) == target


TARGETS = st.one_of(
    st.builds(
        Target,
        st.just("v2"),
        st.sampled_from(["infer", "ready", "metadata"]),
        model=NAMES,
        version=st.just("") | NAMES,
    ),
    st.builds(
        Target,
        st.just("tensorflow"),
        st.sampled_from(["infer", "ready", "metadata"]),
        model=NAMES,
        version=st.just("") | NAMES,
    ),
    st.builds(Target, st.just("seldon"), st.just("metadata"), model=NAMES),
    st.sampled_from([Target(*target) for target in FIXED.values()]),
    st.sampled_from([Target("v2", "infer"), Target("tensorflow", "infer")]),
)


@given(TARGETS, st.none() | st.tuples(NAMES, NAMES))
def test_a_path_that_is_built_is_read_back_whatever_the_names(target: Target, place: tuple[str, str] | None) -> None:
    assume((target.verb, target.model) != ("metadata", "infer"))
    if place:
        target = Target(target.protocol, target.verb, *place, target.model, target.version)
    assert parse(build(target)) == target


@pytest.mark.parametrize(
    "target",
    [
        Target("v2", "doc"),
        Target("v2", "ready"),
        Target("seldon", "infer", model="m", version="1"),
        Target("v2", "infer", version="1"),
        Target("v2", "infer", namespace="ns", model="m"),
        Target("tensorflow", "server-live"),
    ],
)
def test_what_no_path_is_for_cannot_be_built(target: Any) -> None:
    with pytest.raises(ValueError, match=r"no path|goes with"):
        build(target)


@pytest.mark.parametrize(("path", "method"), [("/v2/models/m/infer", "POST"), ("/v2/models/m", "GET")])
def test_a_target_knows_its_method(path: str, method: str) -> None:
    target = parse(path)
    assert target is not None and target.method == method
