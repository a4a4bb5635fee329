"""A generation of the index: what it is made of, how it is written, checked and loaded.

```text
index/current                  the name of the generation that is served
index/20260131T120000000000-1a2b3c/
    manifest.json              what it was built from, and the sha256 of every other file
    manifest.sha256            for `sha256sum -c`
    documents.jsonl            one source a line
    passages.jsonl             one passage a line, in the order of the rows of vectors.npy
    passages.npz               where each of those lines begins, and whose it is
    failures.jsonl             files that could not be read, with the reason
    left_out.jsonl             files that were not looked into, with their kind
    vectors.npy                what the embedder made of the passages
    lexical/                   how often each word is in each passage
    cells/                     which vectors lie near each other, where there are very many
```
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from retrieval.documents.splitting import SPLITTER_VERSION
from retrieval.errors import (
    IndexCorruptError,
    IndexMismatchError,
    IndexNotFoundError,
    RetrievalError,
)
from retrieval.index.access import Access, closed_words, top
from retrieval.index.built import BUILT, Known, build, read_built, write_built
from retrieval.index.changes import Changes, compare
from retrieval.index.content import (
    SOURCES,
    VECTORS,
    Content,
    read_content,
    read_failures,
    read_sources,
    write_content,
)
from retrieval.index.manifest import (
    LAYOUT,
    MANIFEST,
    MEND,
    SCHEMA,
    SEAL,
    Manifest,
    Recipe,
    read_manifest,
    write_manifest,
)
from retrieval.index.memory import Index
from retrieval.index.passages import LINES, PASSAGES, read_passages, write_passages
from retrieval.records import PUBLIC, Passage, Source, Vectors
from retrieval.registry.folders import checksums, kept, new_folder, point, served, sha256
from retrieval.registry.runs import base_of
from retrieval.registry.stamps import are_noted, note, stamps
from retrieval.search.competence import competences

if TYPE_CHECKING:
    from retrieval.search.embedding import Embedder

PROBES = (
    "How many days of paid leave do I have each year?",
    "Where do I report a security incident?",
    "我每年有多少天年假？",
    "出差的费用怎么报销？",
)
"""Embedded into every generation: an embedder that embeds them otherwise is another embedder."""

SAME = 0.999
"""The least cosine of a probe embedded twice by the same model, on any machine."""


def write_generation(
    folder: Path,
    content: Content,
    *,
    recipe: Recipe,
    roots: Sequence[str],
    embedder: Embedder,
    known_competences: Mapping[str, float] | None = None,
    known: Known | None = None,
) -> Manifest:
    """Write a generation into `folder`, flushed to the disk, without publishing it.

    The embedder's competences are measured, which takes seconds, unless they are known; and what is
    `known` of the passages is not built again.
    """
    with new_folder(folder) as beside:
        write_content(beside, content)
        manifest = Manifest(
            schema=SCHEMA,
            name=beside.name[1:],
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            recipe=recipe,
            roots=tuple(roots),
            dimension=embedder.dimension,
            documents=len(content.sources),
            passages=len(content.passages),
            competences=known_competences
            or competences(content.passages, content.vectors, embedder),
            probes=tuple(tuple(map(float, row)) for row in _probe(embedder)),
            files={},
            closed=_closed(content.sources),
        )
        return _finished(beside, manifest, content, known)


@dataclass(frozen=True, slots=True)
class Rollback:
    """The name and embedder of what served before, what serves now, and how documents differ.

    What served before may be damaged: then `embedder_before` is empty and `changes` None. Of the
    documents that are served again, `relabelled` have another label now than they had then, and
    `refused` may be meant for some people alone by now, and are not served.
    """

    before: str
    embedder_before: str
    after: Manifest
    changes: Changes | None
    relabelled: int = 0
    refused: int = 0


def rollback(
    folder: Path, embedder: Embedder | None = None, *, sources: Collection[str] = ()
) -> Rollback:
    """Serve the other generation that was kept; the caller holds the right to build the index.

    Its documents are for whom they are for now: where a label has changed since, or a document is
    refused by now, the generation is written anew. A sentence that stands now in documents alone
    that are not for everybody is for their readers, wherever it stood before. Of the `sources` that
    are named, nothing comes back that is not there now under its id and address: it may have moved,
    and be for other people.

    Raises:
        IndexNotFoundError: If no other generation was kept.
        IndexCorruptError: If the other generation is not what was written, or if nothing tells for
            whom the documents are now.
        IndexMismatchError: If neither the embedder, where one is given, nor one that was learned
            from the same model made it.
    """
    served_now, other = current(folder), kept(folder)
    if other is None:
        raise IndexNotFoundError("no other generation of the index is kept to roll back to")
    after = verify(other)
    if embedder is not None and not _is_of_sibling(after, embedder):
        check_match(after, embedder)
    before, now = read_content(other), _access_now(folder, sources)
    content, relabelled = now.applied(before)
    changes, embedder_before = None, ""
    with suppress(RetrievalError, OSError):  # a damaged index is what people go back from
        embedder_before = read_manifest(served_now).recipe.embedder
        changes = compare(read_sources(served_now), content.sources)
    if content is not before:
        after = _rewritten(folder, after, content)
    point(folder, after.name)
    refused = len(before.sources) - len(content.sources)
    return Rollback(
        served_now.name, embedder_before, after, changes, relabelled=relabelled, refused=refused
    )


def relabel(restored: Path, folder: Path, *, sources: Collection[str]) -> tuple[int, int]:
    """Let the generations in a restored folder be for whom they are for now, as `rollback` does.

    Where no index is in place, documents of folders keep their labels, and those of sources are
    left out; where damage leaves no word of the labels of now, all documents are.

    Args:
        restored: What is to take the place of `folder`, and is rewritten.
        folder: Where the index is that tells the labels of now, if there is one.
        sources: The names of sources, besides those that the generations tell.

    Returns:
        Of the served generation, how many documents have another label, and how many are left out.
    """
    now, is_damaged = Access(sources=sources), False
    try:
        now = _access_now(folder, sources)
    except IndexNotFoundError:
        pass
    except IndexCorruptError:
        is_damaged = True
    relabelled, left_out = 0, 0
    for generation in filter(None, (kept(restored), served(restored))):
        try:
            manifest, before = verify(generation), read_content(generation)
        except RetrievalError:
            continue  # nothing is searched in it
        roots = {part for root in manifest.roots for part in Path(root).parts}
        tops = {top(source.id) for source in before.sources}
        closed = tops if is_damaged else {*sources, *(tops - roots)}
        content, relabelled = replace(now, sources=closed).applied(before)
        left_out = len(before.sources) - len(content.sources)
        if content is not before:
            written = _rewritten(restored, manifest, content)
            if generation == served(restored):
                point(restored, written.name)
            shutil.rmtree(generation)
    return relabelled, left_out


def mend(folder: Path) -> Manifest:
    """Write the served generation anew from what it was built from, where that is whole.

    The caller holds the right to build the index. Nothing is read or embedded again.

    Raises:
        IndexCorruptError: If documents, passages or vectors are not what was written.
    """
    generation = current(folder)
    manifest = read_manifest(generation)
    _verify(generation, manifest, [n for n in manifest.files if Path(n).parts[0] not in BUILT])
    written = _rewritten(folder, manifest, read_content(generation))
    point(folder, written.name)
    shutil.rmtree(generation)  # it would be what a rollback goes back to
    return written


def _access_now(folder: Path, sources: Collection[str]) -> Access:
    """What the served generation says, or what is whole of it.

    Raises:
        IndexNotFoundError: If there is none.
        IndexCorruptError: If neither its manifest nor its documents can be read.
    """
    served_now = current(folder)
    if not served_now.is_dir():  # the pointer is damaged: the newest there is was served
        served_now = kept(folder) or served_now
    manifest: Manifest | None = None
    held: Sequence[Source] | None = None
    passages: Sequence[Passage] | None = None
    failures = frozenset[str]()
    with suppress(RetrievalError):
        manifest = read_manifest(served_now)
    with suppress(RetrievalError, OSError, ValueError, EOFError):
        if manifest is None:  # only the passages tell whether any document is missing
            known = read_sources(served_now)
            passages = read_passages(served_now, known, is_checked=False)
            held = known
        else:
            held = whole_sources(served_now, manifest)
            _verify(served_now, manifest, [PASSAGES])
            passages = read_passages(served_now, held, is_checked=False)
    with suppress(RetrievalError, OSError):
        failures = frozenset(f.id for f in read_failures(served_now) if f.is_restricted)
    closed = manifest.closed if manifest else None
    if held is None and closed is None:
        raise IndexCorruptError(
            f"{served_now} does not tell any more for whom its documents are, so that the index "
            f"before may show what is restricted by now; {MEND}"
        )
    labels = {source.id: source.audience for source in held or ()}
    there = frozenset((source.id, source.url) for source in held or ())
    labels = {**(closed or {}), **labels}
    hidden = () if passages is not None else (i for i, label in labels.items() if label != PUBLIC)
    return Access(
        labels=labels,
        refused=failures,
        sources=sources,
        there=there,
        words=closed_words(held or (), passages or ()),
        bodies=frozenset((source.id, source.sha256) for source in held or ()),
        unread=failures.union(hidden),
    )


def whole_sources(generation: Path, manifest: Manifest) -> list[Source]:
    """The documents that a generation was made from; the rest of it may be damaged.

    Raises:
        IndexCorruptError: If they are not what was written.
    """
    _verify(generation, manifest, [SOURCES])
    return read_sources(generation)


def whole_passages(generation: Path, manifest: Manifest) -> Sequence[Passage]:
    """The passages of a generation, with their documents; the rest of it may be damaged.

    Raises:
        IndexCorruptError: If they are not what was written.
    """
    sources = whole_sources(generation, manifest)
    # Lines that are damaged would make them those of other documents, which others may read.
    _verify(generation, manifest, [PASSAGES, *({LINES} & manifest.files.keys())])
    return read_passages(generation, sources, is_checked=LINES in manifest.files)


def _closed(sources: Sequence[Source]) -> dict[str, str]:
    return {source.id: source.audience for source in sources if source.audience != PUBLIC}


def _rewritten(folder: Path, manifest: Manifest, content: Content) -> Manifest:
    """A new generation as another one, with this content."""
    with new_folder(folder) as beside:
        write_content(beside, content)
        written = replace(
            manifest,
            name=beside.name[1:],
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            documents=len(content.sources),
            passages=len(content.passages),
            closed=_closed(content.sources),
        )
        return _finished(beside, written, content)


def write_as(folder: Path, manifest: Manifest, files: Mapping[str, Iterable[bytes]]) -> None:
    """Write a generation that was made elsewhere, of the files that its content is, as they come.

    Raises:
        IndexCorruptError: If one of them is not what was written there.
    """
    with new_folder(folder, name=manifest.name) as beside:
        for name, pieces in files.items():
            with (beside / name).open("wb") as file:
                file.writelines(pieces)
        _verify(beside, manifest, files)
        content = read_content(beside)
        write_passages(beside, content.sources, content.passages)
        _finished(beside, manifest, content)


def _finished(
    folder: Path, manifest: Manifest, content: Content, known: Known | None = None
) -> Manifest:
    """What it takes to search a content that is written, and the manifest of all of it, written."""
    built = build(content.passages, content.vectors, known)
    write_built(folder, built)
    files, cells = checksums(folder), built.dense.cell_search
    manifest = replace(manifest, files=files, cells=cells, layout=LAYOUT)
    write_manifest(folder, manifest)
    return manifest


def _is_of_sibling(manifest: Manifest, embedder: Embedder) -> bool:
    """Whether another embedder learned from the same model made it, which can be loaded for it."""
    recipe = manifest.recipe
    are_kin = base_of(recipe.embedder) == base_of(embedder.id) and recipe.embedder != embedder.id
    return are_kin and recipe.splitter == SPLITTER_VERSION


def generations(folder: Path) -> tuple[Manifest, Manifest | None]:
    """The generation that is served, and the one that a rollback would serve, if there is one.

    Raises:
        IndexNotFoundError: If nothing has been published.
        IndexCorruptError: If the manifest of what is served is not what was written.
        IndexMismatchError: If another version of Whimbrel wrote it.
    """
    manifest, other = read_manifest(current(folder)), kept(folder)
    with suppress(IndexCorruptError, IndexMismatchError):
        return manifest, read_manifest(other) if other else None
    return manifest, None


def current(folder: Path) -> Path:
    """The folder of the generation that is served.

    Raises:
        IndexNotFoundError: If nothing has been published.
    """
    generation = served(folder)
    if generation is None:
        raise IndexNotFoundError(f"no index in {folder}; run `whimbrel index FOLDER`")
    return generation


def verify(generation: Path) -> Manifest:
    """The manifest of a generation, after every byte of the generation has been checked.

    Raises:
        IndexCorruptError: If a file is missing or is not what was written.
    """
    manifest = read_manifest(generation)
    _verify(generation, manifest, manifest.files)
    return manifest


def _verify(generation: Path, manifest: Manifest, names: Iterable[str]) -> None:
    for name in names:
        path = generation / name
        if not path.is_file() or sha256(path) != manifest.files.get(name):
            raise IndexCorruptError(f"{path} is not what was written; {MEND}")


def _verified(generation: Path) -> Manifest:
    """As `verify`; files that are as they were when they were checked last are taken for whole."""
    manifest = read_manifest(generation)
    found = stamps(generation, (*manifest.files, MANIFEST, SEAL))
    if not are_noted(generation, found):
        verify(generation)
        note(generation, found)
    return manifest


def load_index(folder: Path, embedder: Embedder) -> Index:
    """The generation that is served, checked against its manifest and against the embedder.

    Raises:
        IndexNotFoundError: If nothing has been published.
        IndexCorruptError: If a file is missing or is not what was written.
        IndexMismatchError: If it was built with another embedder or splitter version.
    """
    while True:
        generation = current(folder)
        try:
            return load_generation(generation, embedder)
        except (IndexCorruptError, FileNotFoundError):
            # Two builds while we read have deleted what we read; then the pointer has moved.
            if current(folder) == generation:
                raise


def load_generation(generation: Path, embedder: Embedder) -> Index:
    """As `load_index`, of a certain generation."""
    manifest = _verified(generation)
    check_match(manifest, embedder)
    return read_index(generation, manifest)


def check_match(manifest: Manifest, embedder: Embedder) -> None:
    """Refuse an index that this embedder or this version's splitter did not make."""
    recipe = manifest.recipe
    found = (recipe.embedder, recipe.revision, manifest.dimension, recipe.splitter)
    wanted = (embedder.id, embedder.revision, embedder.dimension, SPLITTER_VERSION)
    if found != wanted:
        raise IndexMismatchError(
            f"the index was built with {_names(found)}, but {_names(wanted)} is configured; {MEND}"
        )
    if not is_same_embedder(manifest, embedder):
        raise IndexMismatchError(
            f"the embedder calls itself {_names(found)} as the index wants, but embeds otherwise;"
            f" {MEND}"
        )


def is_same_embedder(manifest: Manifest, embedder: Embedder) -> bool:
    """Whether vectors of this embedder can be compared to those of the generation."""
    recipe = manifest.recipe
    named = (recipe.embedder, recipe.revision, manifest.dimension)
    if named != (embedder.id, embedder.revision, embedder.dimension):
        return False
    cosines = (_probe(embedder) * np.asarray(manifest.probes)).sum(axis=1)
    return bool(cosines.min() >= SAME)


def _probe(embedder: Embedder) -> Vectors:
    return embedder.embed_passages(PROBES)


def _names(found: tuple[str, str, int, int]) -> str:
    embedder, revision, dimension, splitter = found
    # The id of an embedder ends in the beginning of its revision.
    named = embedder if revision[:8] in embedder else f"{embedder} {revision[:8]}"
    return f"{named} ({dimension} dimensions) and splitter {splitter}"


def read_index(generation: Path, manifest: Manifest) -> Index:
    """A generation that was checked."""
    passages = read_passages(generation, read_sources(generation))
    vectors = np.load(generation / VECTORS, allow_pickle=False)
    built = read_built(generation, passages, vectors, manifest.cells)
    return Index(manifest, passages, vectors, built.dense, built.lexical)
