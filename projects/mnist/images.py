"""Images with their digits, as the steps of the project hand them on: an .npz of unsigned bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SIDE = 28
"""Pixels of an image's height and width."""
DIGITS = 10


def save(path: Path, images: np.ndarray, digits: np.ndarray, **columns: np.ndarray) -> None:
    """Writes images, (n, 28, 28), their digits, (n,), and further columns; the same arrays give the same bytes."""
    np.savez_compressed(path, image=images, digit=digits, **columns)


def load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The images as the network takes them, (n, 28, 28, 1) from 0 to 1, and their digits, (n,)."""
    with np.load(path, allow_pickle=False) as stored:
        return stored["image"][..., None].astype("float32") / 255, stored["digit"].astype("int64")
