"""Reads an evaluation folder: passages, questions, and what people judged of them.

BEIR's shape, plain or gzipped: `corpus.jsonl` {_id, title, text[, lang, url]}, `queries.jsonl`
{_id, text[, lang, history]}, `qrels.tsv` (query-id, corpus-id, score under a header line;
`qrels/test.tsv` will do) and, where there are answers, `answers.jsonl` {_id, question, answers[],
unanswerable[, doc_ids[], history]}. Questions to learn from stand in `queries_train.jsonl` and
`qrels_train.tsv`, or in `queries.jsonl` and `qrels/train.tsv`; answers to learn from in
`answers_train.jsonl`. Where a part has answers and no queries, their questions are asked, judged by
their `doc_ids`. `history` lists the questions that were asked before in the same thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from retrieval.errors import DataError
from retrieval.jsonl import first_of, read_lines, read_rows
from retrieval.language import language_of, words
from retrieval.records import Passage, Source

Part = Literal["test", "train"]

QUERIES: Mapping[Part, Sequence[str]] = {
    "test": ("queries.jsonl",),
    "train": ("queries_train.jsonl", "queries.jsonl"),
}
QRELS: Mapping[Part, Sequence[str]] = {
    "test": ("qrels.tsv", "qrels/test.tsv"),
    "train": ("qrels_train.tsv", "qrels/train.tsv"),
}
ANSWERS: Mapping[Part, str] = {"test": "answers.jsonl", "train": "answers_train.jsonl"}
"""The files of each part; the first that exists is read."""


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_Identified)


@dataclass(frozen=True, slots=True)
class Query:
    """A question to search with, and those that were asked before it in its thread."""

    id: str
    text: str
    language: str
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReferenceAnswer:
    """What people would answer to a question; no `answers` if it is unanswerable.

    `passages` are the ids of the passages that hold the answer, where they are known; `history` are
    the questions that were asked before it in its thread.
    """

    id: str
    question: str
    answers: tuple[str, ...]
    is_unanswerable: bool
    passages: tuple[str, ...]
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """An evaluation folder. `qrels` maps a query's id to the grades of its relevant passages.

    A query without qrels has no answer among the passages. `cross_qrels` judges the same queries
    against passages in the other language, where the folder does.
    """

    name: str
    passages: tuple[Passage, ...]
    queries: tuple[Query, ...]
    qrels: Mapping[str, Mapping[str, int]]
    cross_qrels: Mapping[str, Mapping[str, int]]
    answers: tuple[ReferenceAnswer, ...]


def read_dataset(folder: Path, *, part: Part = "test") -> Dataset:
    """Read an evaluation folder, or the part of it that may be learned from.

    Raises:
        DataError: If a file is missing, a line is not in the documented format, or an id is there
            twice.
    """
    answers = tuple(_read(folder, (ANSWERS[part],), _answer, is_optional=True))
    # A folder with answers for the other part alone has nothing to say here, and lacks nothing.
    found = first_of(folder, *QUERIES[part])
    asking = [ANSWERS[part]] if found else [*ANSWERS.values()]
    is_own = first_of(folder, QUERIES[part][0]) or first_of(folder, *QRELS[part])
    if (found and is_own) or not first_of(folder, *asking):
        queries = tuple(_read(folder, QUERIES[part], _query))
        qrels = _read_qrels(folder, *QRELS[part])
    else:
        queries = tuple(_asked(answer) for answer in answers)
        answered = (answer for answer in answers if not answer.is_unanswerable)
        qrels = {answer.id: dict.fromkeys(answer.passages, 1) for answer in answered}
    return Dataset(
        name=folder.resolve().name,
        passages=tuple(read_passages(folder)),
        queries=queries,
        qrels={query: grades for query, grades in qrels.items() if grades},
        cross_qrels=_read_qrels(folder, "qrels_cross.tsv", is_optional=True),
        answers=answers,
    )


def read_passages(folder: Path) -> Iterator[Passage]:
    """The passages of an evaluation folder; raises what `read_dataset` does."""
    return _read(folder, ("corpus.jsonl",), _passage)


def _asked(answer: ReferenceAnswer) -> Query:
    return Query(answer.id, answer.question, language_of(answer.question), answer.history)


def _read(
    folder: Path,
    names: Sequence[str],
    make: Callable[[dict[str, Any]], T],
    *,
    is_optional: bool = False,
) -> Iterator[T]:
    path = _found(folder, names, is_optional=is_optional)
    known: set[str] = set()
    for row in read_rows(path, make) if path else ():
        if row.id in known:
            raise DataError(f"{path} has the _id {row.id} twice")
        known.add(row.id)
        yield row


def _read_qrels(folder: Path, *names: str, is_optional: bool = False) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    path = _found(folder, names, is_optional=is_optional)
    for where, line in list(read_lines(path) if path else ())[1:]:
        try:
            query, passage, grade = line.split("\t")
            if int(grade) > 0:
                qrels.setdefault(query, {})[passage] = int(grade)
        except ValueError as error:
            raise DataError(f"{where}: wanted query-id, corpus-id and score in columns") from error
    return qrels


def _found(folder: Path, names: Sequence[str], *, is_optional: bool) -> Path | None:
    path = first_of(folder, *names)
    if path is None and not is_optional:
        raise DataError(f"{folder} has no {names[0]}, plain or gzipped")
    return path


def _passage(row: dict[str, Any]) -> Passage:
    id_, title, text = text_in(row, "_id"), row.get("title") or "", text_in(row, "text")
    language = row.get("lang") or language_of(f"{title}\n{text}")
    digest = hashlib.sha256(f"{title}\n{text}".encode()).hexdigest()
    source = Source(id_, title, id_, language, digest, "", url=row.get("url"))
    return Passage(id_, source, text, 0, len(text), content_hash=digest)


def _query(row: dict[str, Any]) -> Query:
    text = text_in(row, "text")
    language = row.get("lang") or language_of(text)
    return Query(text_in(row, "_id"), text, language, _texts(row, "history"))


def _answer(row: dict[str, Any]) -> ReferenceAnswer:
    if not isinstance(row["unanswerable"], bool):
        raise TypeError("unanswerable is true or false")
    return ReferenceAnswer(
        id=text_in(row, "_id"),
        question=_question(row),
        answers=_texts(row, "answers"),
        is_unanswerable=row["unanswerable"],
        passages=_texts(row, "doc_ids"),
        history=_texts(row, "history"),
    )


def _question(row: dict[str, Any]) -> str:
    question = text_in(row, "question")
    if not words(question):
        raise ValueError("question has no word")
    return question


def text_in(row: Mapping[str, Any], name: str) -> str:
    """What a row has by a name; a TypeError if that is no text, a KeyError if it has none."""
    text = row[name]
    if not isinstance(text, str):
        raise TypeError(f"{name} is a text")
    return text


def _texts(row: dict[str, Any], name: str) -> tuple[str, ...]:
    texts = row.get(name)
    if texts is None:
        return ()
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"{name} is a list of texts")
    return tuple(texts)
