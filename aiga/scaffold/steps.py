"""The steps of this project: plain functions. Inputs and outputs are paths, parameters are what project.yaml says."""

from __future__ import annotations

import json
from pathlib import Path

import onnxruntime
import pandas as pd
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score, train_test_split


def prepare(train: Path, test: Path) -> None:
    """Writes the data to train with, and data that no trial sees."""
    table = load_iris(as_frame=True).frame.rename(columns={"target": "species"})
    fitted, held_out = train_test_split(table, test_size=0.3, stratify=table["species"], random_state=1)
    fitted.to_csv(train, index=False)
    held_out.to_csv(test, index=False)


def train(train: Path, model: Path, regularisation: float) -> None:
    """Fits a classifier; a printed line of JSON is a metric."""
    table = pd.read_csv(train)
    leaves, species = table.drop(columns="species").to_numpy("float32"), table["species"]
    classifier = LogisticRegression(C=1 / regularisation, max_iter=1000)
    print(json.dumps({"cross_validated": cross_val_score(classifier, leaves, species).mean()}))
    exported = to_onnx(classifier.fit(leaves, species), leaves[:1], name="species", options={"zipmap": False})
    model.write_bytes(exported.SerializeToString())


def evaluate(model: Path, test: Path, predictions: Path) -> None:
    """Writes what was expected and what is predicted, one row a flower."""
    table = pd.read_csv(test)
    leaves = table.drop(columns="species").to_numpy("float32")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    labels = session.run(None, {session.get_inputs()[0].name: leaves})[0]
    pd.DataFrame({"expected": table["species"], "predicted": labels}).to_csv(predictions, index=False)
