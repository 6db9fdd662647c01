"""Trains a small convolutional network on the images and writes it as ONNX."""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["NPROC"] = "1"  # of XLA's threads: their number decides in which order it adds, and so the model

import jax
import keras
from images import SIDE, load
from jax2onnx import to_onnx

INPUT, OUTPUT = "input_1", "logits"
OPSET, FORMAT = 17, 8
"""Of ONNX, and the version of its files that came with it: servers of 2022 read them."""


def network(classes: int) -> keras.Model:
    """Images (n, 28, 28, 1) from 0 to 1, to one logit a class."""
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1), name=INPUT),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(classes),
        ]
    )


def train(
    train: Path,
    validation: Path,
    model: Path,
    classes: int,
    learning_rate: float,
    epochs: int,
    batch_size: int,
    seed: int,
) -> None:
    """Fits the network, and prints each epoch's metrics."""
    keras.utils.set_random_seed(seed)
    fitted = network(classes)
    fitted.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    fitted.fit(
        *load(train),
        validation_data=load(validation),
        epochs=epochs,
        batch_size=batch_size,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=_report)],
        verbose=0,
    )
    export(fitted, model)


def _report(epoch: int, metrics: dict[str, float]) -> None:
    print(json.dumps({"step": epoch + 1, **{name: float(value) for name, value in metrics.items()}}), flush=True)


def export(fitted: keras.Model, path: Path) -> None:
    """Writes the network for any number of images as one file.

    `Model.export(format="onnx")` does the same call, but spreads a model of this size over two files.
    """
    exported = to_onnx(
        lambda images: fitted(images, training=False),
        [jax.ShapeDtypeStruct(("n", SIDE, SIDE, 1), "float32")],
        model_name="mnist",
        opset=OPSET,
        input_names=[INPUT],
        output_names=[OUTPUT],
    )
    exported.ir_version = FORMAT
    path.write_bytes(exported.SerializeToString(deterministic=True))
