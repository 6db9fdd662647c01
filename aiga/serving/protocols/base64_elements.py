"""Elements of BYTES that travel in base64, as MLServer has it: where the parameter `content_type` says so.

It holds for JSON, for the binary extension and for gRPC alike. A `Tensor` has the bytes themselves.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

from aiga.serving.messages import Tensor
from aiga.serving.protocols.arrays import Array, objects, place, unwrapped

CONTENT_TYPE = "content_type"
BASE64 = "base64"


def read(tensor: Tensor, where: str) -> Tensor:
    """`tensor` as it came, with its elements decoded where it says that they are in base64.

    Raises:
        BadRequest: they are not.
    """
    if tensor.datatype != "BYTES" or tensor.parameters.get(CONTENT_TYPE) != BASE64:
        return tensor
    given = tensor.data.ravel()
    try:
        elements = [base64.b64decode(element, validate=True) for element in given]
    except ValueError:
        elements = [unwrapped(element, place(where, index, tensor.shape)) for index, element in enumerate(given)]
    return replace(tensor, data=objects(elements, tensor.shape))


def written(tensor: Tensor, *, text: bool) -> tuple[Array, dict[str, Any]]:
    """The elements and the parameters with which a tensor travels.

    Args:
        tensor: to be written.
        text: whether only text can be, as in JSON; bytes that are none go in base64, and the parameter says so.
    """
    parameters = dict(tensor.parameters)
    if tensor.datatype != "BYTES":
        return tensor.data, parameters
    if text and parameters.get(CONTENT_TYPE) != BASE64 and not _is_text(tensor.data):
        parameters[CONTENT_TYPE] = BASE64
    if parameters.get(CONTENT_TYPE) != BASE64:
        return tensor.data, parameters
    return objects([base64.b64encode(element) for element in tensor.data.ravel()], tensor.shape), parameters


def _is_text(array: Array) -> bool:
    try:
        for element in array.ravel():
            str(element, "utf-8")
    except UnicodeDecodeError:
        return False
    return True
