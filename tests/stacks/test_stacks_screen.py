"""What people read: causes before consequences, fields before objects, and no secret."""

from __future__ import annotations

import io
from typing import Any

import pytest
from pulumi.automation.events import EngineEvent
from rich.console import Console

from stacks import changes, diagnostics, summary
from stacks.progress import Board, Progress, short

URN = "urn:pulumi:sim::aiga::aiga:platform:Nats$kubernetes:apps/v1:StatefulSet::nats-statefulset-nats"
STACK = "urn:pulumi:sim::aiga::pulumi:pulumi:Stack::aiga-sim"


def step(op: str, urn: str = URN, old: Any = None, new: Any = None, diff: Any = None) -> dict[str, Any]:
    def state(inputs: Any) -> dict[str, Any] | None:
        return (
            None
            if inputs is None
            else {"type": "", "urn": urn, "id": "", "parent": "", "provider": "", "inputs": inputs}
        )

    kind = urn.split("::")[2].rsplit("$", maxsplit=1)[-1]
    return {
        "op": op,
        "urn": urn,
        "type": kind,
        "provider": "",
        "old": state(old),
        "new": state(new),
        "detailedDiff": diff,
    }


def event(**parts: Any) -> EngineEvent:
    return EngineEvent.from_json({"sequence": 0, "timestamp": 0, **parts})


def started(**parts: Any) -> EngineEvent:
    return event(resourcePreEvent={"metadata": step(**parts)})


def finished(**parts: Any) -> EngineEvent:
    return event(resOutputsEvent={"metadata": step(**parts)})


def said(message: str, severity: str = "error", urn: str = "") -> EngineEvent:
    return event(diagnosticEvent={"message": message, "color": "never", "severity": severity, "urn": urn})


def board(*events: EngineEvent) -> Board:
    made = Board()
    for item in events:
        made.feed(item)
    return made


def test_a_cause_comes_before_what_follows_from_it_and_once() -> None:
    errors = [
        ("", "update failed"),
        ("", "an unhandled error occurred: Nats: gave up"),
        (URN, "RuntimeError: StatefulSet/nats-io/nats: volume claims are immutable\n\n"),
        (URN, "StatefulSet/nats-io/nats: volume claims are immutable"),
        ("", "Nats: gave up"),
    ]
    assert diagnostics.explain("sim", errors, "").splitlines() == [
        "StatefulSet nats-statefulset-nats: StatefulSet/nats-io/nats: volume claims are immutable",
        "Nats: gave up",
    ]


def test_a_traceback_is_its_last_line() -> None:
    trace = (
        "python inline source runtime error: 'x'\nTraceback (most recent call last):\n"
        "  File \"a.py\", line 1, in <module>\n    x()\nKeyError: 'x'"
    )
    errors = [("", trace), ("", f"an unhandled error occurred: {trace}")]
    assert diagnostics.explain("sim", errors, "") == "KeyError: 'x'"
    assert diagnostics.trace_in(errors) == trace


def test_several_lines_of_one_mistake_stay_together() -> None:
    both = "Pulumi.sim.yaml: aiga:a: x\nPulumi.sim.yaml: aiga:b: y"
    assert diagnostics.explain("sim", [("", both), ("", f"an unhandled error occurred: {both}")], "") == both


def test_a_lock_names_the_remedy() -> None:
    output = "code: 255\n stderr: error: the stack is currently locked by 1 lock(s)."
    assert "`make resume STACK=sim`" in diagnostics.explain("sim", [], output)


def test_what_the_engine_only_printed_is_shown() -> None:
    output = (
        " code: 255\n stdout: \n stderr: error: could not read the passphrase\nerror: could not read the passphrase"
    )
    assert diagnostics.explain("sim", [], output) == "could not read the passphrase"


def test_colours_and_debug_lines_are_dropped() -> None:
    made = board(
        said("<{%fg 1%}>broken<{%reset%}>\n", urn=URN),
        said("using pulumi-resource-kubernetes from $PATH", "warning"),
        said("deprecated", "warning"),
        said("deprecated", "warning"),
        said("whatever", "debug"),
    )
    assert made.errors == [(URN, "broken")]
    assert made.warnings == ["deprecated"]


def test_progress_counts_and_names_what_is_waited_for() -> None:
    registered = [said(f"registering resource: ty=a, name={i}", "debug") for i in range(3)]
    other = URN.replace("nats-statefulset-nats", "other")
    made = board(*registered, started(op="create"), started(op="same", urn=other), finished(op="same", urn=other))
    shown = Progress(made, "up", None).status()
    assert "1/3" in shown
    assert "waiting for StatefulSet nats-statefulset-nats (0 s)" in shown
    made.feed(finished(op="create"))
    assert "waiting" not in Progress(made, "up", None).status()


def test_a_destroy_knows_its_total_from_the_state() -> None:
    made = Board(expected=7)
    made.feed(started(op="delete", old={}))
    assert made.total == 7


def test_a_failed_resource_is_not_waited_for() -> None:
    made = board(started(op="create"), event(resOpFailedEvent={"metadata": step("create"), "status": 1, "steps": 1}))
    assert made.waiting() == []
    assert "1 failed" in Progress(made, "up", None).status()


def test_a_preview_shows_fields() -> None:
    old = {"spec": {"replicas": 1, "labels": {"a.b/c": "x"}, "list": [1, {"k": "v"}]}, "__provider": "1"}
    new = {"spec": {"replicas": 3, "labels": {"a.b/c": "y"}, "list": [1, {"k": "w"}], "more": True}, "__provider": "2"}
    made = board(started(op="update", old=old, new=new))
    assert list(changes.lines(made)) == [
        "~ StatefulSet nats-statefulset-nats",
        '    spec.labels["a.b/c"]: "x" => "y"',
        '    spec.list[1].k: "v" => "w"',
        "    spec.more: + true",
        "    spec.replicas: 1 => 3",
    ]


def test_a_provider_s_own_difference_is_shown_and_what_it_replaces() -> None:
    old, new = {"spec": {"size": "1Gi", "labels": {"a.b/c": 1}}}, {"spec": {"size": "2Gi", "labels": {}}}
    diff = {
        "spec.size": {"diffKind": "update-replace", "inputDiff": True},
        'spec.labels["a.b/c"]': {"diffKind": "delete", "inputDiff": True},
    }
    made = board(
        *(started(op=op, old=old, new=new, diff=diff) for op in ("create-replacement", "replace", "delete-replaced"))
    )
    assert list(changes.lines(made)) == [
        "± StatefulSet nats-statefulset-nats",
        '    spec.labels["a.b/c"]: - 1',
        '    spec.size: "1Gi" => "2Gi" (replaces it)',
    ]
    made.counts = {"replace": 1, "same": 5}
    assert changes.counted(made) == "1 to replace, 5 unchanged"


def test_a_preview_shows_no_secret_and_no_placeholder() -> None:
    hidden = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "[secret]"}
    new = {"data": hidden, "uid": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}
    made = board(started(op="update", old={"data": {"password": "old"}, "uid": "1"}, new=new))
    assert list(changes.lines(made))[1:] == [
        '    data: {"password": "old"} => [secret]',
        '    uid: "1" => (known later)',
    ]


def test_the_configuration_s_echo_in_a_provider_is_no_change() -> None:
    urn = "urn:pulumi:sim::aiga::pulumi:providers:pulumi-python::default"
    made = board(started(op="update", urn=urn, old={"aiga:domain": "a"}, new={"aiga:domain": "b"}))
    assert changes.counted(made) == "no changes"


def test_a_comment_is_a_diff_and_fits() -> None:
    made = board(started(op="create", new={}), started(op="delete", old={}))
    text = changes.markdown(made, "Preview of stack sim")
    assert text.startswith("### Preview of stack sim\n\n**1 to create, 1 to delete**")
    assert "```diff\n+ StatefulSet nats-statefulset-nats\n- StatefulSet" in text
    many = board(*(started(op="create", urn=f"{URN}{i}", new={}) for i in range(3000)))
    assert len(changes.markdown(many, "x")) < 65_536
    assert "more lines" in changes.markdown(many, "x")


def test_the_table_shows_where_a_credential_is_kept() -> None:
    screen = Console(file=io.StringIO(), width=200)
    outputs = {
        "services": {"grafana": {"url": "https://g", "namespace": "monitoring", "credential": "monitoring/g: pw"}},
        "namespaces": ["a", "b"],
        "sealingCertificate": "-----BEGIN",
    }
    summary.services(screen, outputs)
    text = screen.file.getvalue()  # type: ignore[attr-defined]
    assert "monitoring/g: pw" in text
    assert "namespaces: a, b" in text
    assert "BEGIN" not in text


@pytest.mark.parametrize(
    ("counts", "line", "same"),
    [
        ({"same": 5}, "5 unchanged in 1.2 s; state 0.00 MB (9 bytes)", True),
        ({"create": 2, "same": 5}, "2 created, 5 unchanged in 1.2 s; state 0.00 MB (9 bytes)", False),
        ({}, "nothing to do in 1.2 s; state 0.00 MB (9 bytes)", True),
    ],
)
def test_a_run_ends_with_its_counts(counts: dict[str, int], line: str, same: bool) -> None:
    made = Board()
    made.counts = counts
    assert summary.costs(made, 1.23, 9) == line
    assert summary.nothing_changed(made) == same


def test_names_are_short() -> None:
    assert short(URN) == "StatefulSet nats-statefulset-nats"
    assert short(STACK) == "Stack aiga-sim"
