"""The evidence of a model, `model.yaml`: where it comes from, how it was judged, what it is, and who vouches for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import yaml
from pydantic import AwareDatetime, ConfigDict, Field, JsonValue, StringConstraints, ValidationError, field_validator

from aiga.errors import UserError
from aiga.registry.formats import Format
from aiga.spec.base import Model, Name
from aiga.store import Corrupt

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Facts = dict[str, JsonValue]
"""Values that JSON can hold, by name."""


class _Part(Model):
    """Undefined numbers stay what they are: a metric of a trial that failed may be one."""

    model_config = ConfigDict(allow_inf_nan=True, ser_json_inf_nan="constants")


class Evidence(_Part):
    """What a run knows of the model that it made."""

    project: Name
    run: str
    """Tag of the run that registers it."""
    trained: str = ""
    """`<tag>/<step>` of the run that trained it, an earlier one where that was reused."""
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    data: dict[str, Facts] = Field(default={})
    """Source to its version; `digest` is always there."""
    parameters: Facts = Field(default={})
    seed: int | None = None
    """Of the training."""
    metrics: dict[str, float] = Field(default={})
    gates: list[Facts] = Field(default=[])
    """Verdict of each gate."""
    trials: list[Facts] = Field(default=[])
    """The search's table."""
    commit: Facts = Field(default={})
    """`commit`, and `dirty`: the digest of what differed from it."""
    packages: dict[str, str] = Field(default={})
    approver: str | None = None
    """Who released it, where the project asks a person to; it is signed again then."""
    baseline: Facts = Field(default={})
    """What monitors compare with."""

    @field_validator("data")
    @classmethod
    def _traced(cls, data: dict[str, Facts]) -> dict[str, Facts]:
        untraced = [name for name, facts in data.items() if not str(facts.get("digest", "")).startswith("sha256:")]
        if untraced:
            raise ValueError(f"each needs a digest sha256:…; without are {', '.join(untraced)}")
        return data


class Signature(_Part):
    """Who vouches for everything else in the file."""

    algorithm: Literal["ed25519"] = "ed25519"
    key: str
    """Identity of the public key: the first 16 hex digits of its sha256."""
    value: str
    """Base64 of the signature over `SignedEvidence.payload`."""


class SignedEvidence(Evidence):
    """The evidence of a registered model."""

    version: int = Field(ge=1)
    file: str
    """Name of the file or folder beside `model.yaml`."""
    digest: Digest
    """Of the model."""
    format: Format
    signature: Signature | None = None
    """None only before it is signed."""

    def payload(self) -> bytes:
        """Canonical JSON of all that was given but the signature: what is signed.

        Fields that a later release adds with a default are not in files of an earlier one, nor in their payload.
        """
        said = self.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"signature"})
        return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def to_yaml(self) -> bytes:
        said = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return yaml.dump(said, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120).encode()


class _Dumper(yaml.SafeDumper):
    """Repeats what occurs twice, in place of an anchor."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The fast one where there is one: baselines are long."""


_BREAKS = {"\x85", "\u2028", "\u2029", "\ufeff"}
"""Line ends and marks of Unicode, which a reader of plain YAML text takes for white space."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    """Text as it is; quoted, with escapes, where it would be read otherwise."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if _BREAKS & set(text) else None)


_Dumper.add_representer(str, _text)


def from_yaml(data: bytes, where: str) -> SignedEvidence:
    """The evidence in a file, its signature not yet verified.

    Raises:
        Corrupt: it is no such file.
    """
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(data, Loader=_LOADER)):
            raise Corrupt(f"{where}: is damaged: it has aliases, which can make a small file a huge one")
        return SignedEvidence.model_validate(yaml.load(data, Loader=_LOADER))
    except yaml.YAMLError as error:
        raise Corrupt(f"{where}: is damaged: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise Corrupt(f"{where}: is damaged: {mistakes(error)}") from error


def complete(evidence: Evidence, **known: Any) -> SignedEvidence:
    """The evidence with what registration adds, unsigned. Raises UserError where it is not of a kind to be stored."""
    said = {name: getattr(evidence, name) for name in Evidence.model_fields}
    try:
        return SignedEvidence.model_validate({**said, **known})
    except ValidationError as error:
        raise UserError(f"evidence of {evidence.project}: {mistakes(error)}") from error


def mistakes(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
