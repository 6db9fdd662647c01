"""Trains a multi-layer perceptron on the digits and writes it as ONNX."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler


def pixels(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The images of a part, (n, 64) from 0 to 16, and their digits, (n,)."""
    table = pd.read_parquet(path)
    return table.filter(like="pixel_").to_numpy("float32"), table["digit"].to_numpy()


def train(
    train: Path,
    validation: Path,
    model: Path,
    classes: int,
    hidden: int,
    alpha: float,
    learning_rate: float,
    epochs: int,
    seed: int,
) -> None:
    """Fits epoch by epoch and prints each one's metrics, so that a hopeless trial can be stopped."""
    images, digits = pixels(train)
    unseen, truth = pixels(validation)
    scaler = MinMaxScaler(clip=True).fit(np.vstack([np.zeros(64), np.full(64, 16)]).astype("float32"))
    network = MLPClassifier(
        hidden_layer_sizes=(hidden,), alpha=alpha, learning_rate_init=learning_rate, random_state=seed
    )
    order = np.random.default_rng(seed)
    scaled, watched = scaler.transform(images), scaler.transform(unseen)
    for epoch in range(1, epochs + 1):
        shuffled = order.permutation(len(digits))
        for batch in np.array_split(shuffled, max(1, len(shuffled) // 32)):
            network.partial_fit(scaled[batch], digits[batch], classes=np.arange(classes))
        accuracy = float(network.score(watched, truth))
        print(json.dumps({"step": epoch, "loss": float(network.loss_), "val_accuracy": accuracy}))
    pipeline = make_pipeline(scaler, network)
    exported = to_onnx(pipeline, images[:1], name="digits", options={"zipmap": False}, target_opset=17)
    model.write_bytes(exported.SerializeToString())
