"""What goes wrong with a call, told in one line that helps, as RFC 9457 has it."""

from __future__ import annotations

import json
import math
from http import HTTPStatus

PROBLEM_JSON = "application/problem+json"


class ProblemError(Exception):
    """A call is not answered; the `detail` says why, and what helps. It repeats nothing given."""

    def __init__(self, status: int, detail: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = {}
        if retry_after_s is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))
        if status == HTTPStatus.UNAUTHORIZED:
            self.headers["WWW-Authenticate"] = "Bearer"

    def body(self) -> bytes:
        """The problem as JSON; `error` is where clients of OpenAI's API look for it."""
        status = HTTPStatus(self.status)
        told = {
            "type": "about:blank",
            "title": status.phrase,
            "status": self.status,
            "detail": self.detail,
            "error": {"message": self.detail, "type": status.phrase, "code": self.status},
        }
        return json.dumps(told).encode()


class UnaskableError(ProblemError):
    """A question cannot be asked as it is; the `detail` is for who asked it."""

    def __init__(self, detail: str) -> None:
        super().__init__(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
