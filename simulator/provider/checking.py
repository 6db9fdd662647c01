"""Before anything is written: inputs completed and named, changes found field by field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.provider import diff, immutable, kinds, marks
from simulator.provider import inputs as forms
from simulator.provider.diff import Change, Comparison, Kind, Path
from simulator.provider.errors import ProviderError
from simulator.provider.session import Resource, Session
from simulator.provider.wire import Properties

_AUTONAMING_DISABLED = 2
_REPLACING = (Kind.ADD_REPLACE, Kind.DELETE_REPLACE, Kind.UPDATE_REPLACE)


@dataclass(frozen=True)
class Naming:
    """How the engine wants resources without a name to be called."""

    seed: bytes = b""
    mode: int = 0
    proposed: str = ""

    def name(self, resource: Resource) -> str:
        """The engine's proposal, else the resource's name and eight hexadecimal digits."""
        if self.mode == _AUTONAMING_DISABLED:
            raise ProviderError("autonaming is disabled, resource requires the .metadata.name field to be set")
        return self.proposed or forms.unique_name(f"{resource.name}-", self.seed)


@dataclass(frozen=True)
class Difference:
    """What an update would do."""

    changes: dict[str, Kind]
    replaces: list[str]
    delete_first: bool


def check(session: Session, resource: Resource, old: Properties, new: Properties, naming: Naming) -> Properties:
    """The inputs as they go into the state: normal form, name, namespace."""
    if resource.token.is_list:
        raise ProviderError(
            "list resources exist for compatibility with YAML manifests and Helm charts, and cannot be "
            "created directly. Use the underlying resource type instead"
        )
    obj = forms.manifest(new)
    if resource.token.patches(obj) and not forms.named(obj):
        raise ProviderError("patch resources require the `.metadata.name` field to be set")
    if forms.metadata_of(obj).get("generateName") and not forms.named(obj):
        raise ProviderError("the `.metadata.generateName` field is not supported in Server-Side Apply mode")
    if not forms.named(obj):
        obj = forms.with_name(obj, _old_autoname(forms.manifest(old)) or naming.name(resource))
    if forms.is_crd(obj):
        session.learn(obj)
    if not forms.namespace_of(obj) and session.namespaced(obj):
        obj = forms.with_namespace(obj, session.options.namespace)
    return forms.hidden(forms.outward(obj), new)


def _old_autoname(old: Properties) -> str:
    return str(old["metadata"]["name"]) if marks.true(old, marks.AUTONAMED) else ""


def compare(
    session: Session, resource: Resource, state: Properties, new: Properties, ignore: Sequence[str]
) -> Difference:
    """The live object of the state, cut to what the program once set, against what it sets now."""
    old_inputs, live = forms.restored(state)
    old_inputs, wanted = forms.normal(old_inputs), forms.manifest(new)
    base = diff.prune(live, old_inputs) | {key: live[key] for key in ("apiVersion", "kind") if key in live}
    if session.namespaced(wanted):
        base, wanted = _in_default(base), _in_default(wanted)
    else:
        base, wanted = forms.with_namespace(base, None), forms.with_namespace(wanted, None)
    if forms.metadata_of(wanted).get("name"):
        base["metadata"] = {**base.get("metadata", {}), "name": live["metadata"]["name"]}
    patterns = immutable.patterns(
        wanted,
        patch=resource.token.patches(wanted),
        secrets_change=session.options.secrets_change,
        config_maps_change=session.options.config_maps_change,
    )
    canonical = kinds.builtin(str(wanted.get("apiVersion", "")))
    found = Comparison(patterns, old_inputs, canonical=canonical).run(base, wanted)
    paths = [diff.parsed(text) for text in ignore]
    return _difference(session, live, wanted, _kept(found, paths))


def _kept(found: list[Change], ignore: list[Path]) -> list[Change]:
    return [change for change in found if not diff.ignored(change.path, ignore)]


def _difference(session: Session, live: Properties, wanted: Properties, found: list[Change]) -> Difference:
    changes = {diff.shown(change.path): change.kind for change in found}
    replaces = [
        path for path, kind in changes.items() if kind in _REPLACING or (path, kind) == ("metadata", Kind.DELETE)
    ]
    if _unready_job(session, live, wanted):
        replaces.append(f'.metadata.annotations["{marks.REPLACE_UNREADY}"]')
    now, then = forms.metadata_of(wanted), live["metadata"]
    same = now.get("name") == then["name"] and now.get("namespace") == then.get("namespace")
    return Difference(changes, replaces, bool(replaces) and same and not marks.true(wanted, marks.AUTONAMED))


def _unready_job(session: Session, live: Properties, wanted: Properties) -> bool:
    if wanted.get("kind") != "Job" or not marks.true(wanted, marks.REPLACE_UNREADY):
        return False
    now = session.live(live)
    return now is not None and bool(session.awaiting.now(now, {}))


def _in_default(obj: Properties) -> Properties:
    return obj if forms.namespace_of(obj) else forms.with_namespace(obj, "default")
