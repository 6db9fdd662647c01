"""What happens when the API server errs in the middle of `up`: bounded retries, then one message with the remedy.

The provider retries only what does not exist yet. A webhook that is not up, a restarting API server or a leader
election fail an `up` at once without this.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.target import Target
from kube.errors import KubeError
from kube.ownership import STACK_LABEL
from kube.refs import Ref

ATTEMPTS = 8
"""Tries of one object, the first included: with the pauses below about 90 s in all."""
PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0)


@dataclass(frozen=True)
class Cause:
    """A kind of error worth another try, and what to do when it stays."""

    pattern: str
    what: str
    remedy: str


LOST = "it was made, but the API server's answer was lost"
EXISTS = "already exists"
Owns = Callable[[Mapping[str, Any]], bool]
"""Whether the live object of these inputs carries the stack's label."""
CAUSES = (
    Cause(
        r"failed calling webhook|failed to call webhook|conversion webhook for|no endpoints available for service",
        "its admission webhook does not answer",
        "look at the pods behind that webhook, then run `make up` again",
    ),
    Cause(
        r"connection (refused|reset|lost)|is unreachable|i/o timeout|no route to host|TLS handshake"
        r"|Max retries exceeded|sent GOAWAY|request canceled|Client\.Timeout|context deadline exceeded|(?-i:\bEOF\b)",
        "the API server does not answer",
        "check that the cluster is up (`kubectl get --raw /readyz`), then run `make up` again: it resumes",
    ),
    Cause(
        r"etcdserver:|leader changed|TooManyRequests|too many requests|ServiceUnavailable|apiserver not ready"
        r"|the server is currently unable|the server was unable to return a response",
        "the API server is overloaded or electing a leader",
        "wait until it is calm, then run `make up` again: it resumes",
    ),
    Cause(
        r"no matches for kind|could not find the requested resource|ensure CRDs are installed",
        "its kind is not served yet",
        "check that the layer which brings the kind is switched on and its CRDs are Established",
    ),
    Cause(
        r"because it is being terminated|object is being deleted",
        "an earlier one is still being deleted",
        "wait until the deletion ends, or look at what holds it (`kubectl get <it> -o yaml`, finalizers)",
    ),
    Cause(
        r"the object has been modified|status unknown for quota",
        "a controller writes it at the same time",
        "run `make up` again: it resumes",
    ),
)
FINAL = r"timed out waiting|failed to (fully )?initialize|denied the request"
"""What was waited for or judged already, even where the reason given (a probe, a pod's event) looks like a cause."""


def cause(error: str) -> Cause | None:
    """The reason to try again, or None when the error is final: a refusal does not get better by repeating it."""
    if re.search(FINAL, error, re.IGNORECASE):
        return None
    return next((c for c in CAUSES if re.search(c.pattern, error, re.IGNORECASE)), None)


def layer(urn: str) -> str:
    """The layer's name in a URN, which holds the type of every parent: `…$aiga:platform:Nats$kubernetes:…`."""
    types = [t for t in urn.split("::")[2].split("$") if t.startswith("aiga:")]
    return types[-1].rpartition(":")[2] if types else "the stack"


def lost(errors: Sequence[str]) -> bool:
    """Whether an object exists because an earlier try made it and the API server died before it could say so."""
    return bool(errors) and EXISTS in errors[0] and any(cause(earlier) for earlier in errors[1:])


def half_done(message: str) -> bool:
    """Whether a failed command may have made what its state does not know, so that the next one has to resume."""
    return LOST in message or cause(message) is not None


async def decide(args: pulumi.ErrorHookArgs, pauses: tuple[float, ...] = PAUSES, ours: Owns = lambda _: False) -> bool:
    """Whether the engine should try the operation again; sleeps first. Says why once it gives up."""
    reason = cause(args.errors[0]) if args.errors else None
    if reason is None:
        if lost(args.errors) or (EXISTS in "".join(args.errors[:1]) and ours(args.new_inputs or {})):
            pulumi.log.error(f"{layer(args.urn)}: {args.name}: {LOST} (run `make up` again: it resumes)")
        return False
    attempt = len(args.errors)
    if attempt >= ATTEMPTS:
        pulumi.log.error(
            f"{layer(args.urn)}: {args.name}: {args.failed_operation} failed {attempt} times because {reason.what}: "
            f"{reason.remedy}"
        )
        return False
    await asyncio.sleep(pauses[min(attempt, len(pauses)) - 1])
    return True


def hook(target: Target, stack: str) -> pulumi.ErrorHook:
    """The hook to bind to every object of the stack; register it once per program."""

    def ours(inputs: Mapping[str, Any]) -> bool:
        try:
            live = target.connect().get(Ref.of(inputs))
        except KubeError:
            return False
        return live is not None and live["metadata"].get("labels", {}).get(STACK_LABEL) == stack

    return pulumi.ErrorHook("retry-api-server-errors", lambda args: decide(args, ours=ours))
