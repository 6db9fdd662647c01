"""Where a run waits for people."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aiga.spec.base import Duration, Identifier, Model


class Approve(Model):
    """A person releases a candidate that passed its gates."""

    who: tuple[str, ...] = Field(default=(), description="Who may; anyone who reaches the run when empty.")
    timeout: Duration = Field(default="48h", description="How long the run waits.")
    on_timeout: Literal["reject", "approve"] = Field(default="reject", description="What happens then.")


class Label(Model):
    """People add labels to rows before training."""

    data: str = Field(description="Source or output whose rows want labels.")
    output: Identifier = Field(default="labels", description="Name under which later steps take the labels.")
    need: int = Field(default=1, ge=1, description="How many labels are enough to go on.")
    timeout: Duration = Field(default="48h", description="How long the run waits.")
    on_timeout: Literal["fail", "continue"] = Field(
        default="fail", description="What happens then: `continue` takes the labels that there are."
    )
