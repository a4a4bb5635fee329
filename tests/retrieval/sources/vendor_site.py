"""A vendor's service on localhost: paths, credentials, and what is wrong with a request."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import unquote

from retrieval.sources.connector import Connector
from tests.retrieval.sources.site import Asked, Site, Told

JsonObject = dict[str, Any]
Routes = dict[str, Callable[..., Any]]
C = TypeVar("C", bound=Connector)


class RefusedError(Exception):
    """A request that the service refuses."""

    def __init__(self, status: int, message: str = "refused", **more: object) -> None:
        super().__init__(message)
        self.told = Told({"message": message, **more}, status)


class VendorSite(Site):
    """Answers what `routes` has for a path, a pattern of everything behind `root`.

    A route is given what was asked and what its groups match; what it gives is sent as JSON, unless
    it is an answer or bytes.
    """

    root, proof = "", ""

    def __init__(self) -> None:
        super().__init__()
        self._exits = ExitStack()
        self.refuse_after: int | None = None
        """So many requests are answered, and those after them refused."""

    def routes(self) -> Routes:
        raise NotImplementedError

    def answer(self, asked: Asked) -> Told:
        if self.first:
            return self.first.popleft()
        try:
            return self.routed(asked)
        except RefusedError as refusal:
            return refusal.told

    def routed(self, asked: Asked) -> Told:
        for pattern, route in self.routes().items():
            if found := re.fullmatch(f"{self.root}/{pattern}", asked.path):
                self.check(asked)
                if self.refuse_after is not None and len(self.asked) > self.refuse_after:
                    raise RefusedError(401, "your token has expired")
                told = route(asked, *map(unquote, found.groups("")))
                return told if isinstance(told, Told) else Told(told)
        raise RefusedError(404, "no such path")

    def check(self, asked: Asked) -> None:
        """Refuse who may not ask, or asks for what cannot be."""
        if asked.headers.get("authorization") != self.proof:
            raise RefusedError(401, "who are you?")

    def closing(self, connector: C) -> C:
        """The connector, closed when the service is."""
        self._exits.callback(connector.close)
        return connector

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exits.close()
        super().__exit__(kind, error, trace)
