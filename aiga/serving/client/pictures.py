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

    Inputs are rows of H × W, H × W × C, C × H × W, or of as many numbers as a square image has; where they leave a size
    open it is the image's. BYTES get the file as it is.

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
    data = np.atleast_3d(np.asarray(image, np.float64))
    data = np.moveaxis(data, -1, 0) if first else data
    array = _scaled(data, spec, white)
    sizes = {2: (array.size,), 3: array.shape[:2]}.get(len(spec.shape), array.shape)
    return array.reshape((1, *sizes))


def _scaled(data: npt.NDArray[np.float64], spec: TensorSpec, white: float | None) -> npt.NDArray[Any]:
    """Values from 0 to 255 as the input has them."""
    if spec.datatype in _FLOATS:
        return (data * ((1 if white is None else white) / 255)).astype(TYPES[spec.datatype])
    top = 255 if white is None else white
    most = 1 if spec.datatype == "BOOL" else int(np.iinfo(TYPES[spec.datatype]).max)
    if not 0 <= top <= most:
        raise BadRequest(f"white {top:g}: {spec.name} takes {spec.datatype}, at most {most} (give another white)")
    return np.rint(data * (top / 255)).astype(TYPES[spec.datatype])


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
