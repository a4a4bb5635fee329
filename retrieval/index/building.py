"""Folders in, a new generation of the index out; only what changed is read and embedded."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from retrieval.documents.files import DocumentReader, idle_rules
from retrieval.documents.finding import Found, SourceFile, find_files
from retrieval.documents.loaders import LOADERS_VERSION
from retrieval.documents.loaders.blocks import storable
from retrieval.documents.splitting import SPLITTER_VERSION, split
from retrieval.errors import (
    BusyError,
    IndexCorruptError,
    IndexMismatchError,
    SettingsError,
    UnreadableError,
)
from retrieval.index.account import Account, account_of
from retrieval.index.built import Built, Known, read_built
from retrieval.index.changes import Changes, compare
from retrieval.index.content import EMPTY, Content, read_content
from retrieval.index.generation import current, is_same_embedder, verify, write_generation
from retrieval.index.journal import clear, journal, read
from retrieval.index.manifest import LAYOUT, Recipe, read_manifest
from retrieval.index.searched import SearchedIndex
from retrieval.index.served_embedder import refuse_outdated
from retrieval.index.store import index_store
from retrieval.progress import Progress
from retrieval.records import PUBLIC, Failure, LeftOut, Passage, Source, Vectors
from retrieval.registry.folders import publish, served
from retrieval.search.cells import CellSearch
from retrieval.settings import Settings
from retrieval.sources.syncing import mirrored

if TYPE_CHECKING:
    from retrieval.search.embedding import Embedder

_KEPT_AT_ONCE = 64
"""Texts whose vectors are kept on the disk together; who is killed embeds so many again at most."""

Parsed = list[tuple[Source, Sequence[Passage]]]
"""Documents as their sources and passages."""


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What an update found and did.

    `passages` is how many the index holds now, `embedded` how many texts had to be embedded for
    that. `partial` are the documents that were read but for their gaps. Every file is in
    `account`; `folder` is where the lists of what was not read are. `cells` says how vectors are
    searched, None where all are compared.
    """

    changes: Changes
    passages: int
    embedded: int
    failures: tuple[Failure, ...]
    partial: tuple[Source, ...]
    seconds: float
    generation: str
    account: Account
    folder: Path
    cells: CellSearch | None = None


def update_index(
    folders: Sequence[Path],
    settings: Settings,
    embedder: Embedder,
    *,
    full: bool = False,
    on_progress: Progress = lambda *_: None,
) -> IndexReport:
    """Bring the index up to date with folders and mirrors, and publish it, if anything changed.

    Args:
        folders: What to index besides sources; if empty, the folders indexed last time.
        settings: Where the index is and how files become passages.
        embedder: Turns passages into vectors.
        full: Read and embed everything again and trust nothing of the served generation.
        on_progress: Is told how far each stage is.

    Raises:
        BusyError: If the index is being built already, or another retriever was published since
            the embedder was loaded.
        IndexNotFoundError: If there are neither folders nor sources, and was no last time.
        IndexCorruptError: If the served generation is not what was written; `full` mends it.
        SettingsError: If a rule in [audiences] is for no file at all, or a folder is called like a
            source.
        UnreadableError: If a folder does not exist, or not one of its files can be read where the
            served index has any, unless it is for one that may be meant for some people alone.
    """
    started = time.monotonic()
    home = settings.index_folder
    with index_store(settings).building():
        refuse_outdated(home, embedder)
        roots = [folder.resolve() for folder in folders] or _last_roots(settings)
        update = _Update(settings, embedder, on_progress, is_full=full)
        content, embedded = update.content(*_found(roots, settings))
        _refuse_idle_rules(settings, content)
        _refuse_to_empty(update.known, content)
        name = update.publish(content, [str(root) for root in roots])
        clear(home)
    return IndexReport(
        changes=compare(update.known.sources, content.sources),
        passages=len(content.passages),
        embedded=embedded,
        failures=tuple(content.failures),
        partial=tuple(source for source in content.sources if source.gaps),
        seconds=time.monotonic() - started,
        generation=name,
        account=account_of(content.sources, content.failures, content.left_out),
        folder=home / name,
        cells=read_manifest(home / name).cells,
    )


def _found(roots: Sequence[Path], settings: Settings) -> tuple[Found, Sequence[Failure]]:
    """The files of folders and sources, ordered by id, and what the sources leave out."""
    found = find_files(roots, text_types=settings.text_types)
    mirror_files, failures = mirrored(settings)
    names = {file.id.partition("/")[0] for file in found.files}
    if both := sorted(names & settings.sources.keys()):
        raise SettingsError(
            f"[sources.{both[0]}]: a folder that is indexed is called {both[0]}, too; call the "
            "source otherwise"
        )
    files = sorted([*found.files, *mirror_files], key=lambda file: file.id)
    return replace(found, files=files), failures


def _refuse_idle_rules(settings: Settings, content: Content) -> None:
    """A misspelt rule must not leave public what it is meant for."""
    ids = [*(source.id for source in content.sources), *(f.id for f in content.failures)]
    if idle := idle_rules(settings.audiences, ids):
        raise SettingsError(
            f'[audiences]: no document is called like "{idle[0]}", so the index stays as it is; a '
            f'rule is for ids such as "{next(iter(ids), "FOLDER/FILE")}"; correct it, or delete it '
            "if its documents are gone"
        )


def _refuse_to_empty(known: Content, content: Content) -> None:
    """What served goes on serving where nothing can be read, unless it must not be shown."""
    failures = content.failures
    is_sealed = any(failure.is_restricted for failure in failures)
    if known.passages and failures and not content.passages and not is_sealed:
        raise UnreadableError(
            f"none of {len(failures)} files can be read, so the index stays as it is: "
            f"{failures[0].id}: {failures[0].reason}"
        )


def publish_vectors(home: Path, index: SearchedIndex, embedder: Embedder, vectors: Vectors) -> str:
    """Serve the same passages with another embedder's vectors of them; the generation's name.

    Args:
        home: Where the index is; the caller holds the right to build it.
        index: What is served.
        embedder: What made the vectors, and will embed queries from now on.
        vectors: A row for each passage of `index`, in its order.

    Raises:
        BusyError: If something else than `index` is served by now.
    """
    generation, manifest = current(home), index.manifest
    if generation.name != manifest.name:
        raise BusyError(f"{generation.name} is served in place of {manifest.name}; try again")
    content = replace(read_content(generation), vectors=vectors)
    recipe = replace(manifest.recipe, embedder=embedder.id, revision=embedder.revision)
    held = index.in_memory()
    built = Known(held.passages, Built(held.dense, held.lexical), are_vectors_known=False)
    name = write_generation(
        home, content, recipe=recipe, roots=manifest.roots, embedder=embedder, known=built
    ).name
    publish(home, name)
    return name


class _Update:
    """One update of the index; `known` is the served generation's content."""

    def __init__(
        self, settings: Settings, embedder: Embedder, on_progress: Progress, *, is_full: bool
    ) -> None:
        self._settings = settings
        self._embedder = embedder
        self._on_progress = on_progress
        self._home = settings.index_folder
        self._is_full = is_full
        generation = None if is_full else served(self._home)
        self._manifest = verify(generation) if generation else None
        self.known = read_content(generation) if generation else EMPTY
        self._is_embedder_known = self._manifest is not None and is_same_embedder(
            self._manifest, embedder
        )
        self._recipe = Recipe(
            embedder=embedder.id,
            revision=embedder.revision,
            splitter=SPLITTER_VERSION,
            passage_tokens=min(settings.passage_tokens, embedder.max_tokens),
            audiences=dict(settings.audiences),
            loaders=LOADERS_VERSION,
        )

    def content(self, found: Found, unfetched: Sequence[Failure] = ()) -> tuple[Content, int]:
        """What the files hold now, and how many texts had to be embedded to know."""
        parsed, failures, left_out = self._read(found)
        failures = sorted([*failures, *unfetched], key=lambda failure: failure.id)
        passages = [passage for _, some in parsed for passage in some]
        vectors, embedded = self._embed(passages)
        sources = [source for source, _ in parsed]
        return Content(sources, passages, failures, vectors, left_out), embedded

    def publish(self, content: Content, roots: Sequence[str]) -> str:
        """Serve the content from now on; the generation's name, the old one if nothing changed."""
        old = self._manifest
        is_as_known = self._is_recipe_known and content.is_same(self.known)
        if old is not None and is_as_known and (old.roots, old.layout) == (tuple(roots), LAYOUT):
            return old.name
        self._on_progress("writing", 0, 1)
        manifest = write_generation(
            self._home,
            content,
            recipe=self._recipe,
            roots=roots,
            embedder=self._embedder,
            known_competences=self._competences(content),
            known=self._built,
        )
        publish(self._home, manifest.name)
        self._on_progress("writing", 1, 1)
        return manifest.name

    def _competences(self, content: Content) -> Mapping[str, float] | None:
        """What was measured last time, if most of what it was measured on is still there."""
        if self._manifest is None or not self._is_embedder_known:
            return None
        before = Counter(passage.source.language for passage in self.known.passages)
        now = Counter(passage.source.language for passage in content.passages)
        is_alike = all(abs(share - before[language]) < share / 4 for language, share in now.items())
        return self._manifest.competences if is_alike else None

    @property
    def _built(self) -> Known | None:
        old = self._manifest
        if old is None:
            return None
        built = read_built(
            self._home / old.name, self.known.passages, self.known.vectors, old.cells
        )
        return Known(self.known.passages, built, self._is_embedder_known)

    @property
    def _is_recipe_known(self) -> bool:
        return (
            self._is_embedder_known
            and self._manifest is not None
            and self._manifest.recipe == self._recipe
        )

    def _read(self, found: Found) -> tuple[Parsed, list[Failure], list[LeftOut]]:
        parsed: Parsed = []
        ids: set[str] = set()
        known = _by_file(self.known) if self._is_recipe_known else {}
        with DocumentReader(self._settings) as reader:
            unpacked, failures = reader.look_into_archives(found)
            files, left_out = unpacked.files, unpacked.left_out
            for done, file in enumerate(files):
                self._on_progress("reading", done, len(files))
                before = known.get(file.id, [])
                result = _unchanged(file, before, reader) or self._parse(file, reader)
                result = _told_apart(file, result, ids)
                if isinstance(result, Failure):
                    failures.append(result)
                elif isinstance(result, LeftOut):
                    left_out.append(result)
                else:
                    parsed += result
        self._on_progress("reading", len(files), len(files))
        return parsed, failures, left_out

    def _parse(self, file: SourceFile, reader: DocumentReader) -> Parsed | Failure | LeftOut:
        documents = reader.read(file)
        if isinstance(documents, Failure | LeftOut):
            return documents
        spans, most = self._embedder.token_spans, self._recipe.passage_tokens
        return [
            (document.source, split(document, token_spans=spans, max_tokens=most))
            for document in documents
        ]

    def _embed(self, passages: Sequence[Passage]) -> tuple[Vectors, int]:
        """The vectors of the passages, each text embedded once and never again."""
        texts = {passage.content_hash: passage.indexed_text for passage in passages}
        known = _vectors(self.known) if self._is_embedder_known else {}
        begun = {} if self._is_full else read(self._home, self._embedder)
        known |= begun
        new = [hash_ for hash_ in texts if hash_ not in known]
        with journal(self._home, self._embedder, begun) as write:
            for start in range(0, len(new), _KEPT_AT_ONCE):
                hashes = new[start : start + _KEPT_AT_ONCE]
                self._on_progress("embedding", start, len(new))
                vectors = self._embedder.embed_passages([texts[hash_] for hash_ in hashes])
                write(hashes, vectors)
                known |= zip(hashes, vectors, strict=True)
        if new:
            self._on_progress("embedding", len(new), len(new))
        rows = [known[passage.content_hash] for passage in passages]
        return np.array(rows, np.float32).reshape(-1, self._embedder.dimension), len(new)


def _last_roots(settings: Settings) -> list[Path]:
    home = settings.index_folder
    if settings.sources and served(home) is None:
        return []
    try:
        return [Path(root) for root in read_manifest(current(home)).roots]
    except (IndexCorruptError, IndexMismatchError) as error:
        raise IndexCorruptError(
            "the index no longer tells which folders it is of; run `whimbrel index --full FOLDER…`"
        ) from error


def _by_file(content: Content) -> dict[str, Parsed]:
    """What each file gave, by the file's id; a file can give several documents, `<id>#<part>`."""
    passages: dict[str, list[Passage]] = {source.id: [] for source in content.sources}
    for passage in content.passages:
        passages[passage.source.id].append(passage)
    files: dict[str, Parsed] = {}
    for source in content.sources:
        for id_ in {source.id, source.id.rpartition("#")[0]}:
            files.setdefault(id_, []).append((source, passages[source.id]))
    return files


def _unchanged(file: SourceFile, known: Parsed, reader: DocumentReader) -> Parsed:
    """What the file gave last time if it is the same; nothing if it is not."""
    stamp = file.description.stamp if file.description else ""
    if not known or {source.stamp for source, _ in known} != {stamp}:
        return []
    if {source.sha256 for source, _ in known} != {reader.digest(file)}:
        return []
    return [_at(file, source, passages) for source, passages in known]


def _told_apart(
    file: SourceFile, result: Parsed | Failure | LeftOut, ids: set[str]
) -> Parsed | Failure | LeftOut:
    """What a file gave; a failure if a document of it has one of the `ids` that are taken.

    Passages are found by their document's id: under one id they would be for the other's readers.
    """
    if isinstance(result, Failure | LeftOut):
        return result
    taken = set(ids)
    for source, _ in result:
        if source.id in taken:
            is_restricted = any(source.audience != PUBLIC for source, _ in result)
            reason = f'holds a second document called "{source.id}"; call one of them otherwise'
            return Failure(file.id, reason, is_restricted)
        taken.add(source.id)
    ids |= taken
    return result


def _at(
    file: SourceFile, source: Source, passages: Sequence[Passage]
) -> tuple[Source, list[Passage]]:
    """The same document where the file is now."""
    source = replace(source, path=storable(str(file.path)), modified=file.modified)
    return source, [replace(passage, source=source) for passage in passages]


def _vectors(content: Content) -> dict[str, Vectors]:
    hashes = (passage.content_hash for passage in content.passages)
    return dict(zip(hashes, content.vectors, strict=True))
