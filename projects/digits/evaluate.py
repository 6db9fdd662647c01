"""Predicts the digits of images that no trial saw."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pandas as pd


def evaluate(model: Path, test: Path, predictions: Path) -> None:
    """Writes one row an image: the digit, what the model says, how sure it is, and how much ink there is."""
    table = pd.read_parquet(test)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    images = table.filter(like="pixel_").to_numpy("float32")
    labels, probabilities = session.run(None, {session.get_inputs()[0].name: images})
    pd.DataFrame(
        {
            "expected": table["digit"],
            "predicted": labels,
            "confidence": probabilities.max(axis=1),
            "ink": table["ink"],
        }
    ).to_parquet(predictions, index=False)
