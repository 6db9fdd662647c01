"""How an operation of the provider can end badly.

ProviderError            nothing was made; the message is one line for the user
└── PartialError         the object exists, and goes into the state with the reasons why it is not as it should be
"""

from __future__ import annotations

from simulator.provider.wire import Properties


class ProviderError(Exception):
    """Refused or failed; the message names the object and the reason."""


class PartialError(ProviderError):
    """Written to the cluster, but not ready."""

    def __init__(self, message: str, *, identity: str, state: Properties, reasons: list[str]) -> None:
        super().__init__(message)
        self.identity = identity
        self.state = state
        self.reasons = reasons
        self.inputs: Properties | None = None
