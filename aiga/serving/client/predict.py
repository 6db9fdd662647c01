"""One file to a deployment, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import requests
from rich.table import Table

from aiga.errors import AigaError, TransientError, UserError
from aiga.serving.client.files import read
from aiga.serving.client.fit import fit
from aiga.serving.messages import BadRequest, Message, ServingError
from aiga.serving.protocols import paths, v2, v2_bodies
from aiga.serving.protocols.metadata import ModelMetadata

NAMESPACE = "default"
LIKELIEST = 3
"""Numbers of a long row that a table shows."""


@dataclass(frozen=True)
class Deployment:
    """Where requests go."""

    address: str
    """Of the gateway: http://127.0.0.1:8003."""
    name: str
    namespace: str = NAMESPACE
    model: str = ""
    """As the path names it; the deployment's name when left out."""

    def url(self, verb: paths.Verb) -> str:
        """Where v2 does that with the model."""
        target = paths.Target("v2", verb, self.namespace, self.name, self.model or self.name)
        return self.address.rstrip("/") + paths.build(target)


@dataclass(frozen=True)
class Answer:
    """What a deployment answered to a file."""

    request: Message
    response: Message

    def json(self) -> dict[str, Any]:
        """The response as v2 has it, with nested lists."""
        outputs = [
            {"name": one.name, "datatype": one.datatype, "shape": list(one.shape), "data": _plain(one.data)}
            for one in self.response.tensors
        ]
        given = {"id": self.response.id, "model_name": self.response.model, "model_version": self.response.version}
        return {**{key: value for key, value in given.items() if value}, "outputs": outputs}

    def rows(self) -> list[dict[str, Any]]:
        """One mapping for each row of the request, from outputs to values; one for all where outputs are no rows."""
        sizes = {tensor.shape[:1] for tensor in self.response.tensors}
        if len(sizes) != 1 or sizes == {()}:
            return [{tensor.name: _plain(tensor.data) for tensor in self.response.tensors}]
        (count,) = sizes.pop()
        columns = {tensor.name: _plain(tensor.data) for tensor in self.response.tensors}
        return [{name: _alone(values[row]) for name, values in columns.items()} for row in range(count)]

    def table(self) -> Table:
        """The rows for a terminal; of many numbers in one the greatest, each after its place."""
        rows = self.rows()
        table = Table("row", *rows[0] if rows else (), box=None, pad_edge=False)
        for number, row in enumerate(rows):
            table.add_row(str(number), *map(_cell, row.values()))
        return table


def predict(
    address: str,
    deployment: str,
    file: Path,
    *,
    namespace: str = NAMESPACE,
    model: str = "",
    white: float | None = None,
    timeout: float = 30,
) -> Answer:
    """The answer of a deployment to a file, which is fitted to what its model takes.

    Args:
        address: Of the gateway: http://127.0.0.1:8003.
        deployment: Its name.
        file: JSON, CSV or an image; see `files.read` and `fit.fit`.
        namespace: The deployment's.
        model: As the path names it; the deployment's name when left out.
        white: The value of a white pixel of an image; 1 for floating point and 255 for others when left out.
        timeout: Seconds until a connection or an answer is given up.

    Raises:
        UserError: the file is none, the model does not take it, or there is no such deployment or no server.
        TransientError: the deployment is there, and cannot answer now.
        AigaError: it failed.
    """
    given = read(file)
    where = Deployment(address, deployment, namespace, model)
    with requests.Session() as session:
        takes = metadata(where, session, timeout)
        try:
            message = fit(given, takes, white)
            body = v2.write_request(message)
        except BadRequest as wrong:
            raise UserError(f"{file}: {wrong.reason}") from None
        content = _answered(where, session, "POST", where.url("infer"), timeout, body.content, dict(body.headers))
        try:
            return Answer(message, v2.read_response(content.content, content.headers))
        except ServingError as error:
            raise AigaError(f"{where.url('infer')}: {error.reason}") from None


def metadata(where: Deployment, session: requests.Session, timeout: float) -> ModelMetadata:
    """What the deployment's model takes and gives; raises as `predict` does."""
    url = where.url("metadata")
    try:
        return v2_bodies.read_model(_answered(where, session, "GET", url, timeout).content)
    except ServingError as error:
        raise AigaError(f"{url}: {error.reason}") from None


def _answered(
    where: Deployment,
    session: requests.Session,
    method: str,
    url: str,
    timeout: float,
    content: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> requests.Response:
    try:
        response = session.request(method, url, data=content, headers=headers, timeout=timeout)
    except requests.Timeout:
        raise TransientError(f"{url}: no answer within {timeout:g} s (try again, or allow more time)") from None
    except requests.exceptions.ConnectionError:
        raise UserError(f"{where.address}: no server answers (run `aiga serve` first, or give its address)") from None
    except requests.RequestException as error:
        raise UserError(
            f"{where.address}: is no address of a server: {error} (such as http://127.0.0.1:8003)"
        ) from None
    if response.ok:
        return response
    reason = f"{url}: {response.status_code}: {v2.error_reason(response.content)}"
    if response.status_code == requests.codes.not_found:
        raise UserError(f"{reason} (is deployment {where.name} served there, in namespace {where.namespace}?)")
    if response.status_code in (408, 429, 502, 503, 504):
        raise TransientError(reason)
    raise (UserError if response.status_code < 500 else AigaError)(reason)


def _plain(data: npt.NDArray[Any]) -> Any:
    """Nested lists; bytes as text, and as base64's cousin, escapes, where they are none."""
    if data.dtype != object:
        return data.tolist()
    words = np.empty(data.shape, object)
    words.ravel()[:] = [value.decode(errors="backslashreplace") for value in data.ravel()]
    return words.tolist()


def _alone(value: Any) -> Any:
    """The value of a list of one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _cell(value: Any) -> str:
    numbers = isinstance(value, list) and all(isinstance(one, float) for one in value)
    if numbers and len(value) > LIKELIEST:
        order = np.argsort(value)[::-1][:LIKELIEST].tolist()
        return ", ".join(f"{place}: {value[place]:.3g}" for place in order) + " …"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
