"""Predicts the digits of the test images, which no trial saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from images import load

ROWS = 500
"""Images of one batch: the network makes 85 kB of each."""


def evaluate(model: Path, test: Path, predictions: Path) -> None:
    """Writes one row an image: the digit, what the model says, and the probability of each digit."""
    images, digits = load(test)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    starts = range(0, len(images), ROWS)
    logits = np.concatenate([session.run(None, {name: images[start : start + ROWS]})[0] for start in starts])
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    score = odds / odds.sum(axis=1, keepdims=True)
    np.savez(predictions, expected=digits, predicted=logits.argmax(axis=1), score=score)
