"""Brings the mirrors of sources up to date: what is new is fetched, what has gone is forgotten."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from retrieval.documents.archives import SUFFIX as ARCHIVE
from retrieval.documents.files import unread_type
from retrieval.documents.finding import SourceFile
from retrieval.documents.loaders import comes_along, is_readable
from retrieval.errors import (
    ChangedError,
    CursorExpiredError,
    DataError,
    RetrievalError,
    SettingsError,
    SourceError,
)
from retrieval.progress import Progress
from retrieval.records import Failure
from retrieval.registry.folders import building
from retrieval.settings import Settings
from retrieval.sources.connector import (
    Connector,
    Omission,
    Page,
    Remote,
    SourceSettings,
    connect,
    may_all,
    sources_of,
)
from retrieval.sources.mirror import DATABASE, Listing, Mirror

logger = logging.getLogger(__name__)

_RESULT, _LISTING, _SETUP, _AUDIENCE = "result", "listing", "setup", "audience"
_TEXT_TYPES, _MAY_SHRINK = "text types", "may shrink"
_LEAST = 0.1
"""A listing that names less of what a source had is believed only if that is expected."""
_FEW = 10
"""So many documents may really have gone at once, and what was deleted must not stay."""
_WITHDRAWN = frozenset((403, 404, 410))
"""What a source answers of a document that has gone or is not for us any more."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What became of a source's documents.

    `left_out` are all that are not shown, or in an older version only. `error` is why it ended
    early; what was kept until then is kept. `ended` is ISO 8601 in UTC.
    """

    name: str
    new: int = 0
    changed: int = 0
    gone: int = 0
    unchanged: int = 0
    left_out: tuple[Omission, ...] = ()
    error: str | None = None
    ended: str = ""


def pull(
    settings: Settings,
    names: Sequence[str] = (),
    *,
    full: bool = False,
    allow_empty: bool = False,
    on_progress: Progress = lambda *_: None,
) -> list[Pulled]:
    """Bring the mirrors of the named sources up to date, or of all; how each ended.

    What fails in one source is told in its result. Mirrors of sources that the settings do not name
    any more are deleted.

    Args:
        settings: What sources there are.
        names: Of them, which.
        full: List everything again, whatever was listed before.
        allow_empty: Believe also a source that names next to nothing of what it had.
        on_progress: Is told each source's name and how many of its documents are done.

    Raises:
        BusyError: If sources are being pulled already.
        SettingsError: If a name is none.
    """
    sources = sources_of(settings)
    for name in names:
        if name not in sources:
            raise SettingsError(
                f"there is no source {name!r}; the settings name: {', '.join(sources) or 'none'}"
            )
    with building(settings.sources_folder):
        for folder in unnamed(settings):
            shutil.rmtree(folder)
        return [
            _survived(settings, source, full=full, allow_empty=allow_empty, on_progress=on_progress)
            for name, source in sources.items()
            if not names or name in names
        ]


def unnamed(settings: Settings) -> list[Path]:
    """The mirrors of sources that the settings name no more."""
    found = (path.parent for path in settings.sources_folder.glob(f"*/{DATABASE}"))
    return [folder for folder in found if folder.name not in settings.sources]


def _survived(
    settings: Settings,
    source: SourceSettings,
    *,
    full: bool,
    allow_empty: bool,
    on_progress: Progress,
) -> Pulled:
    """Pull a source; what becomes of one whose mirror is damaged is remembered nowhere."""
    try:
        try:
            connector = connect(source)
        except (SettingsError, ImportError) as error:
            with closing(Mirror(settings.sources_folder / source.name, source.name)) as mirror:
                return _noted(mirror, Pulled(source.name), str(error))
        return pull_source(
            settings,
            source,
            connector,
            full=full,
            allow_empty=allow_empty,
            on_progress=on_progress,
        )
    except DataError as error:
        return Pulled(source.name, error=str(error), ended=_now())


def mirrored(settings: Settings) -> tuple[list[SourceFile], list[Failure]]:
    """What the mirrors hold to be indexed, and what they leave out.

    Nothing of a mirror that is damaged can be indexed, since nobody can tell whom it is for.

    Raises:
        SettingsError: If a source had an audience and has none any more.
    """
    files: list[SourceFile] = []
    failures: list[Failure] = []
    for name, source in sources_of(settings).items():
        try:
            with _kept(settings, name) as mirror:
                if mirror is not None:
                    _refuse_to_widen(mirror, source)
                    found, left_out = mirror.files(source)
                    files += found
                    failures += left_out
        except DataError as error:
            failures.append(Failure(name, str(error)))
    return files, failures


def sweep(settings: Settings) -> None:
    """Delete the bodies that are shown nowhere any more; once the index is up to date."""
    with building(settings.sources_folder):
        for name in settings.sources:
            with suppress(DataError), _kept(settings, name) as mirror:
                if mirror is not None:
                    mirror.sweep()


def results(settings: Settings) -> list[Pulled]:
    """How the last sync of each source ended; one that was never synced has no `ended`."""
    return [_result(settings, name) for name in settings.sources]


def _result(settings: Settings, name: str) -> Pulled:
    try:
        with _kept(settings, name) as mirror:
            said: dict[str, Any] = (mirror and mirror.noted(_RESULT)) or {}
    except DataError as error:
        return Pulled(name, error=str(error))
    left_out = tuple(Omission(**left) for left in said.pop("left_out", ()))
    return Pulled(**{**said, "name": name, "left_out": left_out})


@contextmanager
def _kept(settings: Settings, name: str) -> Iterator[Mirror | None]:
    """A source's mirror, None if it was never pulled."""
    folder = settings.sources_folder / name
    if not (folder / DATABASE).exists():
        yield None
        return
    with closing(Mirror(folder, name)) as mirror:
        yield mirror


def pull_source(
    settings: Settings,
    source: SourceSettings,
    connector: Connector,
    *,
    full: bool = False,
    allow_empty: bool = False,
    on_progress: Progress = lambda *_: None,
) -> Pulled:
    """Bring one source's mirror up to date; how that ended. Closes the connector."""
    folder = settings.sources_folder / source.name
    with closing(connector), closing(Mirror(folder, source.name)) as mirror:
        work = _Pull(source, connector, mirror, on_progress, allow_empty=allow_empty)
        error = None
        try:
            work.run(full=full)
        except RetrievalError as failed:
            error = str(failed)
        except Exception as failed:  # a connector's bug must not keep the others from being pulled
            logger.exception("source=%s failed", source.name)
            error = f"{type(failed).__name__} in the connector {source.kind!r}"
        mirror.drop_labels()
        return _noted(mirror, work.pulled, error)


def _noted(mirror: Mirror, pulled: Pulled, error: str | None) -> Pulled:
    """How a sync ended, which the mirror remembers."""
    pulled = replace(
        pulled,
        left_out=tuple(mirror.left_out()),
        error=error,
        ended=_now(),
    )
    mirror.note(_RESULT, asdict(pulled))
    return pulled


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _refuse_to_widen(mirror: Mirror, source: SourceSettings) -> None:
    """A line that was lost from the settings must not make public what it was for."""
    before = mirror.noted(_AUDIENCE)
    if before is not None and source.audience is None:
        raise SettingsError(
            f'{source.title} audience was "{before}" and is not set any more; set it, or say '
            '"public" if that is meant'
        )


class _Pull:
    """One run over one source."""

    def __init__(
        self,
        source: SourceSettings,
        connector: Connector,
        mirror: Mirror,
        on_progress: Progress,
        *,
        allow_empty: bool,
    ) -> None:
        self._allow_empty = allow_empty
        self._source, self._connector, self._mirror = source, connector, mirror
        self._on_progress = on_progress
        self._tried: set[str] = set()
        self._done, self._total = 0, mirror.count()
        self._counts: Counter[str] = Counter()

    @property
    def pulled(self) -> Pulled:
        """What has become of the documents so far."""
        counts = self._counts
        return Pulled(
            self._source.name, counts["new"], counts["changed"], counts["gone"], counts["unchanged"]
        )

    def run(self, *, full: bool) -> None:
        """Follow the listing to its end, then ask again for what could not be had before."""
        _refuse_to_widen(self._mirror, self._source)
        self._mirror.note(_AUDIENCE, self._source.audience)
        self._mirror.mend()
        self._notice_other_setup()
        listing = self._begin(full=full)
        goes_on = listing.is_whole and listing.cursor is not None
        try:
            listing = self._follow(listing)
        except CursorExpiredError:
            listing, goes_on = self._follow(self._begin(full=True)), False
        if goes_on:
            # What was listed before the interruption may have been restricted since.
            listing = self._follow(self._begin(full=True))
        for row in self._mirror.unfetched():
            if row.key not in self._tried and row.wanted is not None:
                self._fetch(row.wanted, listing.round)

    def _notice_other_setup(self) -> None:
        """What another address or kind has under the same key is another document."""
        said = json.dumps([self._source.kind, self._source.options], sort_keys=True, default=str)
        setup = hashlib.sha256(said.encode()).hexdigest()
        if self._mirror.noted(_SETUP) not in (None, setup):
            self._mirror.distrust()
            self._list_anew()
        self._mirror.note(_SETUP, setup)
        text_types = sorted(self._source.text_types)
        if (self._mirror.noted(_TEXT_TYPES) or []) != text_types:
            self._list_anew()
        self._mirror.note(_TEXT_TYPES, text_types)

    def _list_anew(self) -> None:
        """The next listing is whole, and may name other documents than there were."""
        self._mirror.note(_MAY_SHRINK, True)
        self._save(Listing(round=self._mirror.listing().round))

    def _begin(self, *, full: bool) -> Listing:
        listing = self._mirror.listing()
        if full or listing.cursor is None:
            listing = Listing(round=listing.round + 1, is_open=True)
        elif not listing.is_open:
            listing = replace(listing, is_whole=False, is_open=True)
        self._save(listing)
        return listing

    def _save(self, listing: Listing) -> None:
        self._mirror.note(_LISTING, asdict(listing))

    def _follow(self, listing: Listing) -> Listing:
        for page in self._connector.pages(listing.cursor):
            self._take(page, listing.round)
            listing = replace(listing, cursor=page.cursor)
            self._save(listing)
        if listing.is_whole:
            self._refuse_to_empty(listing.round)
        with self._mirror.changing():
            if listing.is_whole:
                self._mirror.note(_MAY_SHRINK, False)
                self._counts["gone"] += self._mirror.remove_unseen(listing.round)
            listing = replace(listing, is_open=False)
            self._save(listing)
        return listing

    def _refuse_to_empty(self, round_: int) -> None:
        """A source that has all but nothing of a sudden is as it was, until somebody says so."""
        named, before = self._mirror.counts(round_)
        lost = before - named
        may_shrink = self._allow_empty or self._mirror.noted(_MAY_SHRINK)
        if may_shrink or lost < _FEW or named >= _LEAST * before:
            return
        self._save(Listing(round=round_))
        raise SourceError(
            f"names {named} of the {before} documents that are known, so the others stay; if they "
            f"have gone, run `whimbrel sync {self._source.name} --allow-empty`"
        )

    def _take(self, page: Page, round_: int) -> None:
        with self._mirror.changing():
            for key in page.gone:
                self._counts["gone"] += self._mirror.remove(key)
            for left in page.left_out:
                self._mirror.leave_out(left, round_)
            new = [document for document in page.documents if not self._is_known(document, round_)]
        self._tell(len(page.documents) - len(new))
        for document in new:
            self._fetch(document, round_)
            self._tell(1)

    def _tell(self, done: int) -> None:
        self._done += done
        self._on_progress(self._source.name, self._done, max(self._total, self._done))

    def _is_known(self, document: Remote, round_: int) -> bool:
        """Whether the body need not be fetched; what else is new about the document is kept."""
        if comes_along(Path(document.name), self._source.text_types):
            self._mirror.remove(document.key)
            return True
        row = self._mirror.row(document.key)
        if row is None or row.kept is None or row.body is None or row.wanted is not None:
            return False
        if row.kept == replace(document, modified=row.kept.modified):
            self._mirror.seen(document.key, round_)
            self._counts["unchanged"] += 1
            return True
        if row.kept.version != document.version or row.kept.name != document.name:
            return False
        self._keep(document, row.body, round_)
        self._counts["changed"] += 1
        return True

    def _keep(self, document: Remote, body: str, round_: int) -> None:
        if document.readers is not None and not document.readers:
            left = Omission(document.key, document.name, "is for nobody who can be told")
            self._mirror.leave_out(left, round_)
        else:
            self._mirror.keep(document, body, round_)

    def _fetch(self, document: Remote, round_: int) -> None:
        """Ask for the body, and keep document and body; or the reason why not."""
        self._tried.add(document.key)
        row = self._mirror.row(document.key)
        before = row.kept if row and row.body else None
        if before is not None and not may_all(before.readers, document.readers):
            with self._mirror.changing():
                self._mirror.want(document, "is to be fetched yet", round_, is_sealed=True)
                self._mirror.withdraw(document.key)
        try:
            body = self._body(document)
        except Exception as error:  # one odd document must not keep those behind it from being seen
            is_told = isinstance(error, SourceError | OSError)
            reason = str(error) if is_told else f"cannot be read ({type(error).__name__})"
            is_withdrawn = isinstance(error, ChangedError) or (
                isinstance(error, SourceError) and error.status in _WITHDRAWN
            )
            with self._mirror.changing():
                self._mirror.want(document, reason, round_, is_sealed=is_withdrawn)
                if is_withdrawn:
                    self._mirror.withdraw(document.key)
            return
        with self._mirror.changing():
            self._keep(document, body, round_)
        self._counts["new" if before is None else "changed"] += 1

    def _body(self, document: Remote) -> str:
        path = Path(document.name)
        if not is_readable(path, self._source.text_types) and path.suffix.lower() != ARCHIVE:
            raise SourceError(unread_type(path))
        data = self._connector.body(document)
        self._source.check_size(len(data))
        return self._mirror.write(document.name, data)
