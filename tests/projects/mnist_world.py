"""Small IDX files of real digits at the size of MNIST's, and copies of the project that read them."""

from __future__ import annotations

import gzip
import importlib
import os
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import yaml
from sklearn.datasets import load_digits

from aiga.runner import environment

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "projects" / "mnist"
TRAIN, TEST = 1200, 400
FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
"""Source to file. The suffix decides whether it is compressed, as it is with the published files."""
LONGEST = 500
"""Seconds that a command may take; an environment may have to be installed."""
HEAVY = "AIGA_HEAVY"


def module(name: str) -> ModuleType:
    """A module of the project, as its steps see it, that leaves no trace among the modules of the tests."""
    with mock.patch.object(sys, "path", [str(PROJECT), *sys.path]), mock.patch.dict(sys.modules):
        return importlib.import_module(name)


@cache
def digits() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The images that scikit-learn ships, (n, 28, 28) from 0 to 255, and their digits, in a mixed order.

    Each pixel becomes three high and wide, and there is a margin.
    """
    shipped = load_digits()
    order = np.random.default_rng(0).permutation(len(shipped.target))
    pixels = np.kron(shipped.images[order], np.ones((3, 3))) * (255 / 16)
    return np.pad(pixels, ((0, 0), (2, 2), (2, 2))).round().astype(np.uint8), shipped.target[order].astype(np.uint8)


def idx(values: np.ndarray[Any, Any]) -> bytes:
    """Unsigned bytes as an IDX file."""
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.astype(np.uint8).tobytes()


def write(path: Path, content: bytes) -> Path:
    """Writes a file, compressed where its name says so."""
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


def files(folder: Path) -> dict[str, Path]:
    """The four files: so many images for training, others to test."""
    images, labels = digits()
    parts = {"train": slice(TRAIN), "test": slice(TRAIN, TRAIN + TEST)}
    return {
        f"{part}_{kind}": write(folder / FILES[f"{part}_{kind}"], idx(values[rows]))
        for part, rows in parts.items()
        for kind, values in (("images", images), ("labels", labels))
    }


@dataclass(frozen=True)
class Copy:
    """A copy of the project whose sources are files beside it."""

    folder: Path
    home: Path

    def change(self, **blocks: Any) -> None:
        """Replaces blocks of the project file; None takes one away."""
        file = self.folder / "project.yaml"
        project = {**yaml.safe_load(file.read_text()), **blocks}
        left = {name: block for name, block in project.items() if block is not None}
        file.write_text(yaml.safe_dump(left, sort_keys=False, allow_unicode=True))

    def ask(self, **changes: dict[str, Any]) -> None:
        """Changes what the gates ask, by their kind."""
        evaluate = yaml.safe_load((self.folder / "project.yaml").read_text())["evaluate"]
        self.change(evaluate={**evaluate, "gates": [{**g, **changes.get(g["kind"], {})} for g in evaluate["gates"]]})

    def without_model(self) -> None:
        """Leaves the data steps alone, which need nothing that these tests do not have themselves."""
        self.change(train=None, evaluate=None, serve=None)
        (self.folder / environment.REQUIREMENTS).unlink()

    def aiga(self, *words: str, code: int = 0) -> str:
        """Runs a command in the project's folder, and returns what it printed."""
        own = {"AIGA_HOME": str(self.home), "AIGA_KEYS": str(self.home / "keys"), "PYTHONPATH": str(ROOT)}
        kept = {key: value for key, value in os.environ.items() if key != "AIGA_STORE"}
        done = subprocess.run(
            [sys.executable, "-m", "aiga", *words],
            cwd=self.folder,
            env={**kept, **own, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        output = done.stdout + done.stderr
        print(f"--- aiga {' '.join(words)} -> {done.returncode}\n{output}")
        assert done.returncode == code, output
        return output


def environment_there() -> bool:
    """Whether the packages of the project are installed, or may be."""
    own = environment.of(PROJECT)
    return os.environ.get(HEAVY) == "1" or (own is not None and own.made)


def copied(folder: Path) -> Copy:
    """The project in `folder`, with small files."""
    own = Path(shutil.copytree(PROJECT, folder / "mnist", ignore=shutil.ignore_patterns("__pycache__")))
    (own / "data").mkdir()
    found = Copy(own, folder / "home")
    read = files(own / "data")
    found.change(sources={name: {"kind": "files", "path": f"data/{path.name}"} for name, path in read.items()})
    return found
