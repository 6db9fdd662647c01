"""The reader of IDX files: what it reads, and what it refuses with which words."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from mnist_world import idx, module, write

read = module("idx").read
IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_images_come_back_as_they_were_written_plain_or_compressed(tmp_path: Path, name: str) -> None:
    found = read(write(tmp_path / name, idx(IMAGES)), 3)
    assert found.dtype == np.uint8
    assert (found == IMAGES).all()


def test_compression_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    file = tmp_path / "labels"
    file.write_bytes(gzip.compress(idx(np.array([7, 1], np.uint8))))
    assert read(file, 1).tolist() == [7, 1]


def test_the_sizes_are_big_endian_as_the_published_files_have_them(tmp_path: Path) -> None:
    file = write(tmp_path / "labels", b"\x00\x00\x08\x01" + b"\x00\x00\x00\x03" + b"\x05\x00\x04")
    assert read(file, 1).tolist() == [5, 0, 4]


REFUSED = {
    "empty": (b"", "must begin with 00 00 08 03, unsigned bytes in 3 dimensions of IDX, got nothing"),
    "a web page": (b"<!DOCTYPE html>", "got 3c 21 44 4f"),
    "labels": (idx(np.zeros(4, np.uint8)), r"got 00 00 08 01 \(are images and labels mixed up\?\)"),
    "floats": (b"\x00\x00\x0d\x03" + bytes(16), "got 00 00 0d 03"),
    "cut in the header": (idx(IMAGES)[:13], "ends within the sizes of its 3 dimensions"),
    "cut in the values": (idx(IMAGES)[:-5], "must hold 24 bytes for 2 × 3 × 4, got 19"),
    "more than it says": (idx(IMAGES) + b"\x00", "must hold 24 bytes for 2 × 3 × 4, got 25"),
    "no images": (struct.pack(">HBB3I", 0, 8, 3, 0, 28, 28), "must hold values, its header says 0 × 28 × 28"),
    "absurd sizes": (struct.pack(">HBB3I", 0, 8, 3, *[2**32 - 1] * 3) + b"\x01", "4294967295 × .* got 1 "),
}


@pytest.mark.parametrize(("content", "reason"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_what_is_not_such_a_file_is_refused_with_the_reason(
    tmp_path: Path, content: bytes, reason: str, suffix: str
) -> None:
    file = write(tmp_path / f"train-images{suffix}", content)
    with pytest.raises(ValueError, match=rf"^train-images.*: .*{reason}"):
        read(file, 3)


@pytest.mark.parametrize("kept", [slice(-12), slice(-6)], ids=["its values", "its checksum"])
def test_a_download_that_broke_off_is_told_as_such(tmp_path: Path, kept: slice) -> None:
    file = tmp_path / "labels.gz"
    file.write_bytes(gzip.compress(idx(np.arange(200, dtype=np.uint8)))[kept])
    with pytest.raises(ValueError, match=r"^labels\.gz: is damaged gzip: .*\(fetch it again\)$"):
        read(file, 1)


def test_a_download_that_changed_on_its_way_is_told_as_such(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(idx(np.arange(200, dtype=np.uint8))))
    packed[-8] ^= 1
    file = tmp_path / "labels.gz"
    file.write_bytes(packed)
    with pytest.raises(ValueError, match=r"^labels\.gz: is damaged gzip: CRC check failed"):
        read(file, 1)
