"""Makes the data of the mnist project of its four IDX files."""

from __future__ import annotations

from pathlib import Path

import idx
import numpy as np
from images import DIGITS, SIDE, save

TRAIN, TEST = "train", "test"


def extract(train_images: Path, train_labels: Path, test_images: Path, test_labels: Path, mnist: Path) -> None:
    """Writes one row an image: its 28 × 28 pixels (0 to 255), the digit, and which part it came in."""
    parts = {TRAIN: _pairs(train_images, train_labels), TEST: _pairs(test_images, test_labels)}
    images, digits = (np.concatenate(arrays) for arrays in zip(*parts.values(), strict=True))
    save(mnist, images, digits, part=np.repeat(list(parts), [len(labels) for _, labels in parts.values()]))


def _pairs(images: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    pixels, digits = idx.read(images, 3), idx.read(labels, 1)
    if pixels.shape[1:] != (SIDE, SIDE):
        height, width = pixels.shape[1:]
        raise ValueError(f"{images.name}: images must be {SIDE} × {SIDE}, got {height} × {width} (scale them)")
    if len(pixels) != len(digits):
        raise ValueError(
            f"{images.name} holds {len(pixels)} images, {labels.name} holds {len(digits)} labels: must be as many "
            "(name two files that belong together)"
        )
    return pixels, digits


def check(mnist: Path, least_share: float, most_shared: float) -> dict[str, int]:
    """Refuses data that a model should not be trained on or judged by; returns how many digits there are.

    Args:
        least_share: least share of each digit among the images of a part.
        most_shared: greatest share of the test images that are also among those for training.
    """
    with np.load(mnist, allow_pickle=False) as stored:
        images, digits, parts = stored["image"], stored["digit"], stored["part"]
    wrong = []
    for part in (TRAIN, TEST):
        shares = np.bincount(digits[parts == part], minlength=DIGITS) / np.count_nonzero(parts == part)
        rare = np.flatnonzero(shares < least_share).tolist()
        if rare:
            wrong.append(f"{part}: digits {rare} are each less than {least_share:.0%} of the images")
    empty = np.count_nonzero(~images.any(axis=(1, 2)))
    if empty:
        wrong.append(f"{empty} images hold no ink")
    seen = {image.tobytes() for image in images[parts == TRAIN]}
    shared = float(np.mean([image.tobytes() in seen for image in images[parts == TEST]]))
    if shared > most_shared:
        wrong.append(f"{shared:.1%} of the test images are among those for training, at most {most_shared:.1%} may be")
    if wrong:
        raise ValueError("; ".join(wrong))
    return {"classes": DIGITS}


def split(mnist: Path, train: Path, validation: Path, test: Path, classes: int, share: float, seed: int) -> None:
    """Sets a share of each digit's training images aside for validation; the test images stay as they are."""
    with np.load(mnist, allow_pickle=False) as stored:
        images, digits, parts = stored["image"], stored["digit"], stored["part"]
    order = np.random.default_rng(seed)
    watched = np.zeros(len(digits), dtype=bool)
    for digit in range(classes):
        rows = order.permutation(np.flatnonzero((digits == digit) & (parts == TRAIN)))
        watched[rows[: round(share * len(rows))]] = True
    held_out = parts == TEST
    for rows, path in ((~watched & ~held_out, train), (watched, validation), (held_out, test)):
        save(path, images[rows], digits[rows])
