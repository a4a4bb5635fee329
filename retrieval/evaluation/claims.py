"""Reads claims: sentences that a passage supports, and others that come near.

A file of JSON lines, plain or gzipped. Either it stands beside an evaluation folder's
`corpus.jsonl` and its rows name their passages, {_id, sentence, supported, kind, lang, doc_id}; or
they have them, {_id, sentence, supported, kind, language, passage, passage_language, title,
headings, question}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval.evaluation.dataset import read_passages, text_in
from retrieval.jsonl import first_of, read_rows
from retrieval.records import Passage, Source


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence, and the passage that it is said about; `question` is "" if it answers none.

    `kind` is how it was made: a paraphrase, or true but for a number, a condition or the like.
    """

    id: str
    sentence: str
    question: str
    passage: Passage
    is_supported: bool
    kind: str
    language: str


def read_claims(file: Path) -> list[Claim]:
    """The claims of a file.

    Raises:
        DataError: If a line is not in one of the two formats; the message names file and line.
    """
    has_corpus = first_of(file.parent, "corpus.jsonl") is not None
    passages = {p.id: p for p in read_passages(file.parent)} if has_corpus else {}
    return [*read_rows(file, lambda row: _claim(row, passages))]


def _claim(row: Mapping[str, Any], passages: Mapping[str, Passage]) -> Claim:
    if not isinstance(row["supported"], bool):
        raise TypeError("supported is true or false")
    sentence, id_ = text_in(row, "sentence"), text_in(row, "_id")
    if "doc_id" in row:
        if text_in(row, "doc_id") not in passages:
            raise ValueError(f"corpus.jsonl has no passage {row['doc_id']}")
        passage, language = passages[row["doc_id"]], text_in(row, "lang")
    else:
        headings = row["headings"]
        if not isinstance(headings, list) or not all(isinstance(part, str) for part in headings):
            raise TypeError("headings is a list of texts")
        title, text = text_in(row, "title"), text_in(row, "passage")
        source = Source(title, title, "", text_in(row, "passage_language"), "", "")
        passage = Passage(id_, source, text, 0, len(text), tuple(headings))
        language = text_in(row, "language")
    question = text_in(row, "question") if "question" in row else ""
    return Claim(id_, sentence, question, passage, row["supported"], text_in(row, "kind"), language)
