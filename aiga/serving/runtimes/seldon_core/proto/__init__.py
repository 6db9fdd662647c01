"""Seldon's protobuf messages."""

from __future__ import annotations

from aiga.serving.runtimes.seldon_core.proto import prediction_pb2

__all__ = ["prediction_pb2"]
