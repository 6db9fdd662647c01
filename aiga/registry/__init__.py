"""Registered models of a project: versions with signed evidence, and the stages that they stand on."""

from __future__ import annotations

from aiga.registry.address import ModelAddress, parse
from aiga.registry.evidence import Evidence, SignedEvidence
from aiga.registry.layouts import lay_out
from aiga.registry.registry import Registered, Registry, Resolved, resolve_model
from aiga.registry.signing import SigningKey, TrustedKeys, Untrusted
from aiga.registry.stages import Change, Stage

__all__ = [
    "Change",
    "Evidence",
    "ModelAddress",
    "Registered",
    "Registry",
    "Resolved",
    "SignedEvidence",
    "SigningKey",
    "Stage",
    "TrustedKeys",
    "Untrusted",
    "lay_out",
    "parse",
    "resolve_model",
]
