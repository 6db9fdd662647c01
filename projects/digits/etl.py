"""Makes the data of the digits project: 1,797 images of 8 × 8 pixels that scikit-learn ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def extract(digits: Path) -> None:
    """Writes one row an image: its 64 pixels (0 to 16), the digit, and how much ink it holds."""
    images = load_digits()
    table = pd.DataFrame(images.data.astype("float32"), columns=[f"pixel_{i}" for i in range(64)])
    table["digit"] = images.target.astype("int64")
    thirds = np.quantile(images.data.sum(axis=1), [1 / 3, 2 / 3])
    table["ink"] = np.array(["light", "medium", "heavy"])[np.searchsorted(thirds, images.data.sum(axis=1))]
    table.to_parquet(digits, index=False)


def check(digits: Path, least_share: float) -> dict[str, int]:
    """Refuses data in which a digit is rare or an image empty; returns how many digits there are."""
    table = pd.read_parquet(digits)
    shares = table["digit"].value_counts(normalize=True)
    rare = shares[shares < least_share]
    if len(rare):
        raise ValueError(f"digits {sorted(rare.index)} are each less than {least_share:.0%} of the images")
    empty = int((table.filter(like="pixel_").sum(axis=1) == 0).sum())
    if empty:
        raise ValueError(f"{empty} images hold no ink")
    return {"classes": len(shares)}


def split(digits: Path, train: Path, validation: Path, test: Path, seed: int) -> None:
    """Parts the images by 3 : 1 : 1, each with every digit in its proportion."""
    table = pd.read_parquet(digits)
    rest, held_out = train_test_split(table, test_size=0.2, stratify=table["digit"], random_state=seed)
    fitted, watched = train_test_split(rest, test_size=0.25, stratify=rest["digit"], random_state=seed)
    for part, path in ((fitted, train), (watched, validation), (held_out, test)):
        part.to_parquet(path, index=False)
