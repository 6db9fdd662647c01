"""The data steps of projects/mnist: pairs, the check that can fail, the split; and that nothing bad is published."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mnist_world import PROJECT, TEST, TRAIN, Copy, copied, digits, files, idx, module, write

from aiga.spec import load as load_project
from aiga.spec.sources import HttpSource

etl, images = module("etl"), module("images")
LIMITS = {"least_share": 0.05, "most_shared": 0.01}


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """What the first step makes of the small files."""
    etl.extract(**files(tmp_path), mnist=tmp_path / "mnist.npz")
    return tmp_path / "mnist.npz"


@pytest.fixture
def data(tmp_path: Path) -> Copy:
    """The project without its model."""
    found = copied(tmp_path)
    found.without_model()
    return found


def stored(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def changed(path: Path, **columns: np.ndarray[Any, Any]) -> Path:
    arrays = {**stored(path), **columns}
    images.save(path, arrays.pop("image"), arrays.pop("digit"), **arrays)
    return path


def test_the_published_files_are_the_default_each_with_its_digest() -> None:
    sources = load_project(PROJECT).project.sources
    assert set(sources) == {"train_images", "train_labels", "test_images", "test_labels"}
    assert all(isinstance(s, HttpSource) and s.sha256 and s.url.startswith("https://") for s in sources.values())
    assert len({s.sha256 for s in sources.values() if isinstance(s, HttpSource)}) == 4


def test_every_image_is_kept_with_its_digit_and_its_part(mnist: Path) -> None:
    found, (pixels, labels) = stored(mnist), digits()
    assert (found["image"] == pixels[: TRAIN + TEST]).all()
    assert (found["digit"] == labels[: TRAIN + TEST]).all()
    assert found["part"].tolist() == ["train"] * TRAIN + ["test"] * TEST


def test_images_and_labels_must_be_as_many(tmp_path: Path) -> None:
    given = files(tmp_path)
    write(given["test_labels"], idx(digits()[1][: TEST - 1]))
    with pytest.raises(ValueError, match=r"t10k-images.* holds 400 images, t10k-labels.* holds 399 labels"):
        etl.extract(**given, mnist=tmp_path / "mnist.npz")


def test_images_must_have_the_size_that_the_network_takes(tmp_path: Path) -> None:
    given = files(tmp_path)
    write(given["train_images"], idx(np.ones((TRAIN, 8, 8), np.uint8)))
    with pytest.raises(ValueError, match=r"train-images.*: images must be 28 × 28, got 8 × 8"):
        etl.extract(**given, mnist=tmp_path / "mnist.npz")


def test_the_check_passes_good_data_and_counts_its_digits(mnist: Path) -> None:
    assert etl.check(mnist, **LIMITS) == {"classes": 10}


def test_the_check_names_all_that_is_wrong_at_once(mnist: Path) -> None:
    arrays = stored(mnist)
    arrays["digit"][arrays["digit"] == 4] = 9
    arrays["image"][:3] = 0
    arrays["image"][-100:] = arrays["image"][100:200]
    with pytest.raises(ValueError) as refused:
        etl.check(changed(mnist, **arrays), **LIMITS)
    assert str(refused.value).split("; ") == [
        "train: digits [4] are each less than 5% of the images",
        "test: digits [4] are each less than 5% of the images",
        "3 images hold no ink",
        "25.0% of the test images are among those for training, at most 1.0% may be",
    ]


def test_the_split_sets_a_tenth_of_each_digit_aside_and_leaves_the_test_images_alone(
    mnist: Path, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{name}.npz" for name in ("train", "validation", "test")]
    etl.split(mnist, *paths, classes=10, share=0.1, seed=7)
    train, validation, test = map(stored, paths)
    pixels, labels = digits()
    assert (test["image"] == pixels[TRAIN : TRAIN + TEST]).all()
    per_digit = np.bincount(labels[:TRAIN])
    assert (np.bincount(validation["digit"]) == np.round(per_digit * 0.1)).all()
    together = sorted(image.tobytes() for part in (train, validation) for image in part["image"])
    assert together == sorted(image.tobytes() for image in pixels[:TRAIN]), "each training image is in one of the two"


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(mnist: Path, tmp_path: Path) -> None:
    made = []
    for name, seed in (("first", 7), ("again", 7), ("other", 8)):
        paths = [tmp_path / f"{name}-{part}.npz" for part in ("train", "validation", "test")]
        etl.split(mnist, *paths, classes=10, share=0.1, seed=seed)
        made.append(paths[1].read_bytes())
    assert made[0] == made[1] != made[2]


def test_the_network_gets_numbers_from_0_to_1_with_one_channel(mnist: Path) -> None:
    pixels, labels = images.load(mnist)
    assert (pixels.shape, pixels.dtype) == ((TRAIN + TEST, 28, 28, 1), np.float32)
    assert (pixels.min(), pixels.max()) == (0, 1)
    assert labels.dtype == np.int64


def test_good_data_is_published_in_three_parts(data: Copy) -> None:
    output = data.aiga("run")
    assert (data.home / "store" / "mnist" / "datasets").is_dir()
    assert re.findall(r"dataset (mnist/[\w-]+): version 1", output) == [
        "mnist/mnist-train",
        "mnist/mnist-validation",
        "mnist/mnist-test",
    ]


def test_the_check_fails_before_anything_is_published(data: Copy) -> None:
    _, labels = digits()
    write(data.folder / "data" / "train-labels-idx1-ubyte.gz", idx(np.where(labels[:TRAIN] == 0, 8, labels[:TRAIN])))
    output = data.aiga("run", code=1)
    assert "train: digits [0] are each less than 5% of the images" in output
    assert re.search(r"^split: skipped", output, re.MULTILINE), "what is published comes after the check"
    assert "dataset mnist/" not in output
    assert not (data.home / "store" / "mnist" / "datasets").exists()


def test_a_label_that_is_no_digit_breaks_the_contract(data: Copy) -> None:
    write(data.folder / "data" / "train-labels-idx1-ubyte.gz", idx(digits()[1][:TRAIN] + 3))
    output = data.aiga("run", code=1)
    assert "column 'digit': must be at most 9" in output
    assert "dataset mnist/" not in output
