"""Images as the arrays that models take."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from aiga.serving.client.files import Picture
from aiga.serving.messages import TYPES, BadRequest
from aiga.serving.protocols import arrays
from aiga.serving.protocols.metadata import TensorSpec

Mode = Literal["L", "RGB", "RGBA"]
_MODES: dict[int, Mode] = {1: "L", 3: "RGB", 4: "RGBA"}
_FLOATS = ("FP16", "FP32", "FP64")


def pixels(picture: Picture, spec: TensorSpec, white: float | None = None) -> npt.NDArray[Any]:
    """An image as the one row of an input: resized to its sizes, in grey or colours, in its order of dimensions.

    Inputs are rows of H × W, H × W × C, C × H × W or of so many numbers as a square image has; without a size of their own
    they take the image's. BYTES get the file as it is.

    Args:
        picture: The image.
        spec: The input.
        white: The value of white, black being 0; 1 for floating point and 255 for others when left out.

    Raises:
        BadRequest: the input takes no images, or not that white.
    """
    if spec.datatype == "BYTES":
        return arrays.objects([picture.content], (1,) * len(spec.shape))
    mode, height, width, first = _layout(spec)
    image = picture.image.convert(mode)
    size = (image.width if width < 0 else width, image.height if height < 0 else height)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    data = np.asarray(image, np.float64)
    if first and data.ndim == 3:
        data = np.moveaxis(data, -1, 0)
    top = white if white is not None else 1.0 if spec.datatype in _FLOATS else 255.0
    scaled = data * (top / 255)
    if spec.datatype not in _FLOATS:
        scaled = np.rint(scaled)
        limits = np.iinfo(TYPES[spec.datatype]) if spec.datatype != "BOOL" else np.iinfo(np.uint8)
        if not limits.min <= top <= limits.max:
            raise BadRequest(f"white {top:g}: {spec.name} takes {spec.datatype} up to {limits.max}")
    array = scaled.astype(TYPES[spec.datatype])
    sizes = [given if wanted < 0 else wanted for wanted, given in zip(spec.shape[1:], _shape(array, spec), strict=True)]
    return array.reshape((1, *sizes))


def _layout(spec: TensorSpec) -> tuple[Mode, int, int, bool]:
    """Mode, height and width (-1 for the image's own), and whether colours come first."""
    sizes = spec.shape[1:] if spec.shape and spec.shape[0] in (-1, 1) else ()
    match sizes:
        case (height, width, (1 | 3 | 4) as colours):
            return _MODES[colours], height, width, False
        case ((1 | 3 | 4) as colours, height, width):
            return _MODES[colours], height, width, True
        case (height, width):
            return "L", height, width, False
        case (-1,):
            return "L", -1, -1, False
        case (count,):
            for colours in (1, 3):
                side = math.isqrt(count // colours)
                if side * side * colours == count:
                    return _MODES[colours], side, side, False
    raise BadRequest(
        f"{spec.name} takes {spec.datatype} {list(spec.shape)}: no image has this shape (send JSON or CSV)"
    )


def _shape(array: npt.NDArray[Any], spec: TensorSpec) -> tuple[int, ...]:
    """Sizes of an image in the dimensions that an input has after the batch."""
    if len(spec.shape) == 2:
        return (array.size,)
    if len(spec.shape) == 4 and array.ndim == 2:
        return (*array.shape, 1) if spec.shape[-1] == 1 else (1, *array.shape)
    return array.shape
