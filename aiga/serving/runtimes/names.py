"""What a server and those who talk to it or watch it must spell the same."""

from __future__ import annotations

from typing import Final

FAILED: Final = "aiga: "
"""Begins the line of the log in which a server tells why it ends."""
METRICS_HEADER: Final = "x-aiga-metrics"
"""Of a response: the metrics of a wrapped class as JSON, for those who pass the body on unread."""
LEFT_OUT_HEADER: Final = "x-aiga-metrics-left-out"
"""Of a response: how many metrics of a wrapped class that header has no room for."""
FAULT_HEADER: Final = "x-aiga-fault"
"""Of a response: the failure is one of the model's own code, and says nothing of its server."""
BINARY: Final = "binary_tensor_data"
"""The extension by which tensors travel as bytes, in a server's metadata; servers without it get JSON."""
