"""One file to a deployment, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

from aiga.errors import UserError
from aiga.serving.client.connection import Connection, Deployment
from aiga.serving.client.files import read
from aiga.serving.client.fit import fit
from aiga.serving.messages import BadRequest, Message
from aiga.serving.protocols import v2

GREATEST = 3
"""Numbers of a long row that a table shows."""


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
        """A mapping from outputs to values for each row of the answer; one for all where outputs differ in rows."""
        columns = {tensor.name: _plain(tensor.data) for tensor in self.response.tensors}
        sizes = {tensor.shape[:1] for tensor in self.response.tensors}
        if len(sizes) != 1 or () in sizes:
            return [columns]
        (count,) = sizes.pop()
        return [{name: _alone(values[row]) for name, values in columns.items()} for row in range(count)]

    def table(self) -> Table:
        """The rows for a terminal; of many numbers in one the greatest, each after its place."""
        rows = self.rows()
        table = Table("row", *(tensor.name for tensor in self.response.tensors), box=None, pad_edge=False)
        for number, row in enumerate(rows):
            table.add_row(str(number), *map(_cell, row.values()))
        return table


def predict(
    address: str,
    deployment: str,
    file: Path,
    *,
    namespace: str = "",
    model: str = "",
    white: float | None = None,
    timeout: float = 30,
) -> Answer:
    """The answer of a deployment to a file, which is fitted to what its model takes.

    Args:
        address: Of the gateway: http://127.0.0.1:8003.
        deployment: Its name.
        file: JSON, CSV or an image; see `files.read` and `fit.fit`.
        namespace: The deployment's; that of the project of its name when left out.
        model: As the path names it; the deployment's name when left out.
        white: The value of a white pixel of an image; 1 for floating point and 255 for others when left out.
        timeout: Seconds after which a connection or an answer is given up.

    Raises:
        UserError: the file is none, the model does not take it, or there is no such deployment or no server.
        TransientError: the deployment is there, and cannot answer now.
        AigaError: it failed.
    """
    given = read(file)
    with Connection(Deployment(address, deployment, namespace, model), timeout) as connection:
        takes = connection.metadata()
        try:
            request = fit(given, takes, white)
            body = v2.write_request(request)
        except BadRequest as wrong:
            raise UserError(f"{file}: {wrong.reason}") from None
        return Answer(request, connection.infer(body))


def _plain(data: npt.NDArray[Any]) -> Any:
    """Nested lists; bytes become text, with escapes for what is none."""
    if data.dtype != object:
        return data.tolist()
    return np.vectorize(lambda value: value.decode(errors="backslashreplace"), otypes=[object])(data).tolist()


def _alone(value: Any) -> Any:
    """The value of a list of one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _cell(value: Any) -> str:
    if isinstance(value, list) and len(value) > GREATEST and all(isinstance(one, float) for one in value):
        order = np.argsort(value)[::-1][:GREATEST].tolist()
        return ", ".join(f"{place}: {value[place]:.3g}" for place in order) + " …"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
