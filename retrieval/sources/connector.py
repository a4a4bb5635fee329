"""What a connector is: it lists a source's documents and fetches their bodies; one file for each.

A kind of source is found by the entry-point group `whimbrel.connectors`: its name is what `kind` in
`[sources.NAME]` says, its value a function that takes `SourceSettings` and gives a `Connector`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from retrieval.errors import SettingsError, SourceError, did_you_mean
from retrieval.private import read_secret
from retrieval.settings import Settings, explain

GROUP = "whimbrel.connectors"
"""The entry-point group of the kinds of sources."""

Readers = frozenset[str]
"""E-mail addresses, in lower case."""


def may_all(before: Readers | None, now: Readers | None) -> bool:
    """Whether all who might read something before may read it now."""
    return now is None or (before is not None and before <= now)


@dataclass(frozen=True, slots=True)
class Remote:
    """A document at its source, without its body.

    `key` is what the source calls it for ever, such as a page's id. `version` differs whenever the
    body, or anything else that is said here, differs. `name` is a path that people can read, with
    `/` between its parts and a suffix that tells the format, such as `Space/Leave policy.html`; the
    document's id is the source's name and this. `modified` is ISO 8601 in UTC. A `title`, `url` or
    `owner` of None is as the body says. `readers` alone may read it; None: everybody who may read
    the source.
    """

    key: str
    version: str
    name: str
    title: str | None
    modified: str
    url: str | None = None
    owner: str | None = None
    readers: Readers | None = None


@dataclass(frozen=True, slots=True)
class Omission:
    """A document that is there and must not be shown, or cannot; the reason is a short phrase.

    Whoever cannot tell for sure who may read a document leaves it out.
    """

    key: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """A step of a listing.

    `gone` are keys of documents that are there no more. `cursor` is where to go on once this page
    is kept, after an interruption or, if it is the last page's, at the next sync. None begins
    again.
    """

    documents: Sequence[Remote] = ()
    gone: Sequence[str] = ()
    left_out: Sequence[Omission] = ()
    cursor: str | None = None


class Connector(Protocol):
    """Reads one source. Whatever fails raises SourceError; what is kept so far stays."""

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """What there is, from None on; from a cursor on, what has changed or was not listed yet.

        A listing that began at None and ended without an error names all that there is: whatever
        it does not name has gone.

        Raises:
            CursorExpiredError: If the source no longer knows the cursor; all is listed again.
        """

    def body(self, document: Remote) -> bytes:
        """The document's bytes, asked for only when its version is new, and before the next page.

        Raises:
            ChangedError: If it is another version than was listed, or for fewer people by now. No
                version is shown until the next listing, which tells who may read the new one.
            SourceError: If it cannot be had now; the message is a reason that can be shown.
        """

    def close(self) -> None:
        """Let go of what is held, such as connections."""


class Options(BaseModel):
    """What a kind of source wants in `[sources.NAME]`; a kind derives its own from this.

    A field that is a `SecretStr` is a secret: it comes from `WHIMBREL_SOURCE_NAME_FIELD` or from
    a file, named after `@`, that its owner alone can read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


O = TypeVar("O", bound=Options)  # noqa: E741


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One `[sources.NAME]`. `folder` is the connector's own to keep things in from sync to sync.

    Bodies of more than `max_bytes` are not kept, so that they need not be read. Files whose suffix
    is of `text_types` are documents, too.
    """

    name: str
    kind: str
    folder: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    audience: str | None = None
    every_s: float | None = None
    max_bytes: int = 64 * 2**20
    text_types: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What an error calls the table."""
        return f"[sources.{self.name}]"

    def read(self, kind: type[O]) -> O:
        """The options, checked.

        Raises:
            SettingsError: If one is missing, unknown or cannot be used, or if there is a secret and
                nothing says who may read what it opens.
        """
        secrets = {
            name: found
            for name, known in kind.model_fields.items()
            if SecretStr in (known.annotation, *get_args(known.annotation))
            and (found := self._secret(name))
        }
        if secrets:
            self.need_audience()
        try:
            return kind.model_validate({**self.options, **secrets})
        except ValidationError as error:
            raise SettingsError(explain(error, kind, prefix=f"{self.title} ", fold=False)) from None

    def need_audience(self) -> None:
        """Raise SettingsError if nobody has said who may read what all may read at the source."""
        if self.audience is None:
            raise SettingsError(
                f"{self.title} audience is not set: say whom everybody at the source is here, by a "
                'label, or by "public" for all who may ask the bot'
            )

    def check_size(self, size: int) -> None:
        """Raise SourceError if a body of so many bytes is not kept."""
        if size > self.max_bytes:
            raise SourceError(f"is larger than {self.max_bytes >> 20} MB")

    def variable(self, name: str) -> str:
        """The environment variable of a secret."""
        return f"WHIMBREL_SOURCE_{self.name}_{name}".upper().replace("-", "_")

    def _secret(self, name: str) -> str:
        written = str(self.options.get(name, ""))
        if written and not written.startswith("@"):
            raise SettingsError(
                f"{self.title} {name}: this file is no place for a secret; set "
                f"{self.variable(name)}, or write it to a file of its own, `chmod 600` that, and "
                f'set {name} = "@FILE"'
            )
        variable = self.variable(name)
        return read_secret(os.environ.get(variable) or written, variable)


Factory = Callable[[SourceSettings], Connector]


def sources_of(settings: Settings) -> dict[str, SourceSettings]:
    """The sources that the settings name."""
    return {
        name: SourceSettings(
            name=name,
            kind=table.kind,
            folder=settings.sources_folder / name / "own",
            options=table.model_extra or {},
            audience=table.audience,
            every_s=table.every_s,
            max_bytes=settings.max_file_mb << 20,
            text_types=settings.text_types,
        )
        for name, table in settings.sources.items()
    }


def connect(source: SourceSettings) -> Connector:
    """The connector of a source; nothing is asked yet.

    Raises:
        SettingsError: If there is no such kind, or its settings cannot be used.
    """
    kinds = {kind.name: kind for kind in entry_points(group=GROUP)}
    if source.kind not in kinds:
        guess = did_you_mean(source.kind, kinds)
        known = ", ".join(sorted(kinds))
        raise SettingsError(
            f"{source.title} kind: there is no {source.kind!r}{guess}; known: {known}"
        )
    factory: Factory = kinds[source.kind].load()
    return factory(source)
