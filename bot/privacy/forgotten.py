"""Who was forgotten, so that no backup brings them back: hashes beside the database, no ids."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from retrieval.errors import DataError
from retrieval.jsonl import append_line, read_log, to_line

FORGOTTEN = "forgotten.jsonl"
_APPROVED = "'s approved answers"


@dataclass(frozen=True, slots=True)
class Note:
    """That a person was forgotten at a time, in ISO 8601 in UTC; which, tells who knows their id.

    `person` is their id's scrypt (RFC 7914) with `salt`, both in hexadecimal.
    """

    at: str
    salt: str
    person: str


class ForgottenPeople:
    """The notes in a home folder, in a file that only grows and that a restore leaves there."""

    def __init__(self, home: Path) -> None:
        self.path = home / FORGOTTEN

    def notes(self) -> list[Note]:
        """Every note, the oldest first.

        Raises:
            DataError: If a line is damaged.
        """
        return read_log(self.path, lambda row: Note(**row))

    def note(self, person: str, *, and_approved: bool = False) -> None:
        """Write that somebody is forgotten now, with the answers of theirs that were approved."""
        if and_approved:
            self.note(f"{person}{_APPROVED}")
        self.path.touch(mode=0o600)
        try:
            salt = self.notes()[0].salt
        except (DataError, IndexError):  # nobody waits to be forgotten for a line to be mended
            salt = secrets.token_hex(16)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        append_line(self.path, to_line(asdict(Note(at, salt, _hash(person, salt)))))

    def take_over(self, others: Iterable[Note]) -> None:
        """Keep what another home has noted, too."""
        known = set(self.notes())
        for note in others:
            if note not in known:
                self.path.touch(mode=0o600)
                append_line(self.path, to_line(asdict(note)))

    def since(self, moment: str, people: Iterable[str]) -> list[str]:
        """Who of these people was forgotten at a time, in ISO 8601 in UTC, or later."""
        notes = [note for note in self.notes() if note.at >= moment]
        hashes = {note.person for note in notes}
        salts = {note.salt for note in notes}
        return sorted(p for p in people if any(_hash(p, salt) in hashes for salt in salts))

    def with_approved(self, moment: str, person: str) -> bool:
        """Whether their approved answers were forgotten, too, then or later."""
        return bool(self.since(moment, [f"{person}{_APPROVED}"]))


@cache
def _hash(person: str, salt: str) -> str:
    """Slow to try for all ids that there may be."""
    return hashlib.scrypt(person.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1).hex()
