"""What connectors to other people's services have in common: names, times, tokens, readers."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from retrieval.errors import SourceError
from retrieval.sources.client import HttpClient
from retrieval.sources.connector import Omission, Readers

_NOT_IN_NAMES = re.compile(r"[/\\\s]+")
_SPARE_S = 60
_MAIL = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+\.[^\s@<>,;]+")


def path_part(title: str) -> str:
    """A title as one part of a path."""
    return _NOT_IN_NAMES.sub(" ", title).strip() or "Untitled"


def utc(moment: str) -> str:
    """A moment in ISO 8601, with any offset, in UTC; the beginning of time for what is none."""
    try:
        read = datetime.fromisoformat(moment)
    except ValueError:
        read = datetime.fromtimestamp(0, UTC)
    aware = read if read.tzinfo else read.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="seconds")


def is_past(moment: str | None) -> bool:
    """Whether a moment in ISO 8601 is over; never for none."""
    return moment is not None and utc(moment) < datetime.now(UTC).isoformat()


def mail_of(text: str | None) -> Readers:
    """The e-mail address that a text is, as readers are named; nobody if it is none."""
    found = (text or "").strip().lower()
    return frozenset((found,)) if _MAIL.fullmatch(found) else frozenset()


def either(parts: Iterable[Readers | None]) -> Readers | None:
    """All who are among any of the readers; None, everybody, if one of them is."""
    together: Readers = frozenset()
    for readers in parts:
        if readers is None:
            return None
        together |= readers
    return together


def both(first: Readers | None, second: Readers | None) -> Readers | None:
    """Those who are among both."""
    if first is None or second is None:
        return second if first is None else first
    return first & second


def moved_on(before: object, now: object) -> None:
    """Raise SourceError if a part of a list is the part before it again."""
    if now and now == before:
        raise SourceError("a list gives the same part again, wherever it shall go on")


class BearerToken:
    """What proves who asks, for an hour or so, and is renewed before it ends.

    Args:
        address: Where tokens are had.
        form: Gives what is sent there for one.
    """

    def __init__(self, address: str, form: Callable[[], Mapping[str, str]]) -> None:
        self._http, self._form = HttpClient(address), form
        self._token, self._ends = "", 0.0

    def headers(self) -> Mapping[str, str]:
        """The header of a request."""
        if time.time() > self._ends - _SPARE_S:
            answer = self._http.post(self._http.base, form=self._form()).json()
            self._token = answer["access_token"]
            self._ends = time.time() + float(answer.get("expires_in", 3600))
        return {"Authorization": f"Bearer {self._token}"}

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


UNSEEN = "who may read it cannot be seen"
NOBODY = "nobody who may read it has an e-mail address"


def who_reads(tell: Callable[[], Readers | None]) -> tuple[Readers | None, str | None]:
    """Who may read a document, as `tell` says, and why it is left out, if it is.

    Raises:
        SourceError: If that cannot be told now.
    """
    try:
        readers = tell()
    except SourceError as error:
        if error.status not in (403, 404):
            raise
        return None, UNSEEN
    return readers, NOBODY if readers == frozenset() else None


@dataclass(slots=True)
class Unmatched:
    """Counts who may read something at the source, and cannot be told by an e-mail address."""

    people: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)

    def told(self) -> list[Omission]:
        """A line for the summary, if there is anybody."""
        reasons = []
        if self.people:
            reasons.append(f"{len(self.people)} have no e-mail address that can be seen")
        if self.groups:
            names = ", ".join(sorted(self.groups)[:5])
            reasons.append(f"{len(self.groups)} groups cannot be looked into, such as {names}")
        told = "; ".join(reasons) + ": they are shown nothing that is for some people only"
        return [Omission("people", "people", told)] if reasons else []
