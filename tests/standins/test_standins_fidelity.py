"""The stand-ins have the objects of the real charts, and what else in them the platform relies on."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from conftest import CASES, INVENTORY, Rendered

from kube.yaml import load_all
from simulator.standins import facts, render
from simulator.standins.compare import compare
from simulator.standins.table import table, tables

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = [(case, name) for case, charts in INVENTORY.items() for name in charts]
CHARTS = [t.name for t in tables() if t.kind == "chart"]


@pytest.mark.parametrize(("case", "name"), ENTRIES)
def test_a_standin_has_upstreams_objects_but_for_the_declared_ones(case: str, name: str, rendered: Rendered) -> None:
    expected = set(INVENTORY[case][name]) - set(table(name).omits)
    assert set(rendered(name, case)) == expected


@pytest.mark.parametrize(("case", "name"), ENTRIES)
def test_each_object_has_upstreams_ports_images_resources_and_the_rest(
    case: str, name: str, rendered: Rendered
) -> None:
    ours = rendered(name, case)
    differing = {k: facts.of(o) for k, o in ours.items() if facts.digest(o) != INVENTORY[case][name][k]}
    assert not differing, f"no longer as upstream (`python -m simulator.standins compare` shows how): {differing}"


@pytest.mark.parametrize(("case", "name"), [e for e in ENTRIES if table(e[1]).crds and e[0] in ("prod", "as is")])
def test_without_true_definitions_nothing_but_their_schemas_differs(
    case: str, name: str, rendered: Rendered, opened: Path
) -> None:
    ours = rendered(name, case, root=opened)
    assert {k: facts.digest(o) for k, o in ours.items()} == {
        k: digest for k, digest in INVENTORY[case][name].items() if k not in table(name).omits
    }


def test_every_omission_is_real() -> None:
    upstream = {key for charts in INVENTORY.values() for keys in charts.values() for key in keys}
    for entry in tables():
        assert set(entry.omits) <= upstream, f"{entry.name} omits what upstream has not"
        kinds = {key.split("/")[0] for key in entry.omits}
        assert kinds <= {"ConfigMap", "PrometheusRule"}, f"{entry.name} omits more than dashboards and rules"


@pytest.mark.parametrize("name", CHARTS)
def test_every_profile_of_the_program_renders(name: str, standins: Path) -> None:
    profiles = dict(render.profiles(ROOT / "components" / "values", table(name)))
    assert set(profiles) == {"laptop", "team", "prod"}
    for values in profiles.values():
        assert render.objects(standins, table(name), values)


@pytest.mark.parametrize(("case", "name"), ENTRIES)
def test_every_object_says_that_it_is_simulated_and_no_pod_template_does(
    case: str, name: str, rendered: Rendered
) -> None:
    for key, o in rendered(name, case).items():
        assert o["metadata"]["labels"]["aiga.dev/simulated"] == "true", key
        assert o["metadata"]["annotations"]["aiga.dev/stand-in"] == table(name).stem, key
        assert "aiga.dev" not in yaml.safe_dump(o.get("spec", {})), f"{key}: a mark changes what it stands for"


def test_knatives_aggregated_roles_come_without_rules(rendered: Rendered) -> None:
    roles = [o for o in rendered("knative-eventing").values() if "aggregationRule" in o]
    assert len(roles) == 5
    assert all(o["kind"] == "ClusterRole" and o["rules"] == [] for o in roles)


def test_definitions_are_the_true_ones(true: Path, rendered: Rendered) -> None:
    known = {o["metadata"]["name"]: o for path in true.glob("istio-*.yaml") for o in load_all(path.read_text())}
    ours = {o["metadata"]["name"]: o for o in rendered("base").values() if o["kind"] == "CustomResourceDefinition"}
    assert ours
    for name, definition in ours.items():
        assert definition["spec"] == known[name]["spec"]
        assert definition["metadata"]["annotations"]["aiga.dev/schema"] == "true"


def test_upstreams_minimal_definitions_take_any_spec(rendered: Rendered) -> None:
    workflows = rendered("argo-workflows")["CustomResourceDefinition/-/workflows.argoproj.io"]
    (version,) = workflows["spec"]["versions"]
    assert version["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-preserve-unknown-fields"] is True


def test_open_definitions_take_anything(rendered: Rendered, opened: Path) -> None:
    ours = [o for o in rendered("base", root=opened).values() if o["kind"] == "CustomResourceDefinition"]
    assert len(ours) == 15
    for definition in ours:
        assert definition["metadata"]["annotations"]["aiga.dev/schema"] == "open"
        for version in definition["spec"]["versions"]:
            assert version["schema"]["openAPIV3Schema"]["x-kubernetes-preserve-unknown-fields"] is True


@pytest.mark.parametrize("name", CHARTS)
def test_the_real_chart_differs_in_nothing_that_counts(name: str, standins: Path) -> None:
    vendor = ROOT / "vendor"
    if not render.where(vendor, table(name)).exists():
        pytest.skip(f"vendor/ has no {table(name).stem} to compare with (`make vendor` fetches it)")
    found = compare(vendor, standins, (table(name), "prod", CASES["prod"][name]))
    assert (found.undeclared, found.extra, found.differing) == ([], [], [])
