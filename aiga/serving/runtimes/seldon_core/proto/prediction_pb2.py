"""Messages with the fields, bytes and JSON of Seldon's; `tftensor` takes no TensorProto of TensorFlow's own classes."""

from __future__ import annotations

from aiga.serving.protocols.protos.seldon_pb2 import (
    DefaultData,
    Feedback,
    Meta,
    Metric,
    SeldonMessage,
    Status,
    Tensor,
)

__all__ = ["DefaultData", "Feedback", "Meta", "Metric", "SeldonMessage", "Status", "Tensor"]
