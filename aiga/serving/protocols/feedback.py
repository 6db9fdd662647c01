"""Feedback on a prediction, as Seldon's clients send it."""

from __future__ import annotations

from dataclasses import dataclass

from aiga.serving.messages import Message


@dataclass(frozen=True, eq=False)
class Feedback:
    """How good an answer was; routers learn from it, and monitors know the truth by it."""

    request: Message | None = None
    response: Message | None = None
    """`meta.routing` says which way the request went."""
    reward: float = 0.0
    truth: Message | None = None
