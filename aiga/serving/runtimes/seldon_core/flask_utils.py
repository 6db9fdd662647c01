"""Seldon's exception that a class raises to choose what its caller is answered."""

from __future__ import annotations

from typing import Any

__all__ = ["SeldonMicroserviceException"]


class SeldonMicroserviceException(Exception):
    """Answered with `message` and `status_code`."""

    status_code = 400

    def __init__(
        self,
        message: str,
        status_code: int | None = None,
        payload: Any = None,
        reason: str = "MICROSERVICE_BAD_DATA",
    ) -> None:
        super().__init__(message)
        self.message, self.payload, self.reason = message, payload, reason
        if status_code is not None:
            self.status_code = status_code

    def to_dict(self) -> dict[str, Any]:
        """The body that Seldon answers."""
        return {"status": {"status": 1, "info": self.message, "code": -1, "reason": self.reason}}
