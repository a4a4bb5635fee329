"""For whom documents are now, applied to what was indexed before."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from retrieval.index.content import Content
from retrieval.language import sentences
from retrieval.records import PUBLIC, Passage, Source


@dataclass(frozen=True, slots=True)
class Access:
    """For whom the documents are now, by their ids, and the files that are refused.

    Of these `sources` only what is `there` is shown, documents with their addresses: an id is of a
    title, which another document may have by now. `words` has for whom the sentences and files are
    that are not for everybody. `bodies` are the files that are known by id and sha256, and `unread`
    the ids of documents that may hold anything and are not for everybody.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    sources: Collection[str] = ()
    there: frozenset[tuple[str, str | None]] = frozenset()
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    bodies: frozenset[tuple[str, str]] = frozenset()
    unread: frozenset[str] = frozenset()

    def applied(self, content: Content) -> tuple[Content, int]:
        """The content as it may be shown now, itself if it is the same; how many labels differ."""
        labels = self._labels_of(content)
        sources = {
            source.id: replace(source, audience=labels[source.id])
            for source in content.sources
            if self._shows(source) and source.id in labels
        }
        relabelled = sum(
            source.id in sources and sources[source.id].audience != source.audience
            for source in content.sources
        )
        if not relabelled and len(sources) == len(content.sources):
            return content, 0
        rows = [n for n, passage in enumerate(content.passages) if passage.source.id in sources]
        passages = [content.passages[row] for row in rows]
        held = replace(
            content,
            sources=list(sources.values()),
            passages=[replace(p, source=sources[p.source.id]) for p in passages],
            vectors=content.vectors[rows],
        )
        return held, relabelled

    def _labels_of(self, content: Content) -> dict[str, str]:
        """For whom each document is now, wherever its words are by now; none if that is unknown."""
        known = {source.id for source in content.sources} | {f.id for f in content.failures}
        has_moved = any(top(id_) not in self.sources for id_ in self.unread - known)
        needed = _by_source(content, self.words)
        found: dict[str, str] = {}
        for source in content.sources:
            label = self.labels.get(source.id)
            if (source.id, source.sha256) not in self.bodies:
                words_for = needed.get(source.id)
                label = None if has_moved else _narrowed(label, source.audience, words_for)
            if label is not None:
                found[source.id] = label
        return found

    def _shows(self, source: Source) -> bool:
        is_known = (source.id, source.url) in self.there or top(source.id) not in self.sources
        return is_known and not _is_in(source.id, self.refused)


def _narrowed(now: str | None, before: str, words_for: frozenset[str] | None) -> str | None:
    """For whom a document is that has changed; None if for nobody.

    Args:
        now: Its label, if a document of its id is there.
        before: Its label in what was indexed before.
        words_for: The labels that open all of its words that are not for everybody, if it has any.
    """
    label = now or before
    if words_for is None or label in words_for:
        return label
    return min(words_for, default=None) if now in (None, PUBLIC) else None


def closed_words(
    sources: Sequence[Source], passages: Sequence[Passage]
) -> dict[str, frozenset[str]]:
    """The labels of sentences, and of files by their sha256, that no document for everybody has."""
    found: dict[str, set[str]] = defaultdict(set)
    for source in sources:
        found[source.sha256].add(source.audience)
    for passage in passages:
        for sentence in _said(passage):
            found[sentence].add(passage.source.audience)
    return {word: frozenset(labels) for word, labels in found.items() if PUBLIC not in labels}


def _by_source(content: Content, words: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """By its id, the labels that open all that a document says of these words."""
    said = [(source.id, source.sha256) for source in content.sources]
    said += [(p.source.id, sentence) for p in content.passages for sentence in _said(p)]
    found: dict[str, frozenset[str]] = {}
    for id_, word in said:
        if word in words:
            found[id_] = found.get(id_, words[word]) & words[word]
    return found


def _said(passage: Passage) -> list[str]:
    """The sentences of a passage, but for lines and the like."""
    return [s for s in sentences(passage.text) if any(map(str.isalnum, s))]


def top(source_id: str) -> str:
    """The name of the source that a document is of, or the beginning of its folder's."""
    return source_id.partition("/")[0]


def _is_in(source_id: str, files: frozenset[str]) -> bool:
    """Whether a document is one of these files, or a part of one."""
    ends = [match.start() for match in re.finditer("[#/]", source_id)]
    return any(source_id[:end] in files for end in (*ends, len(source_id)))
