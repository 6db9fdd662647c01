"""What the gateway and those who start it must spell the same."""

from __future__ import annotations

from typing import Final

GUARDED: Final = "--guarded"
"""Says that standard input is a pipe of who started the gateway, with whose end it stops in order, and that standard
output is read by that one: it gets what people are to know at the stop."""
