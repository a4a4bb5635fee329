"""What was learned from people, as it passes from the conversation log to training.

A data set is a folder of files that a person can open: `train.jsonl`, `dev.jsonl` and
`held-out.jsonl` with one example a line, `excluded.jsonl`, `leakage.json`, `manifest.json`, and
`card.md`, which tells what is in it. The folder is named by the hash of its examples. Beside the
folders, `regression.jsonl` has the questions that were frozen once and for all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from retrieval.errors import DataError
from retrieval.jsonl import read_rows, to_line, write_lines

Split = Literal["train", "dev", "held-out"]

SPLITS: tuple[Split, ...] = ("train", "dev", "held-out")

REGRESSION: Final = "regression"
"""The file of the questions that no later model may answer worse."""

ExampleFile = Split | Literal["regression"]

HASH_DIGITS = 16

ExampleKind = Literal["pair", "answer", "preference", "judgement", "message"]


@dataclass(frozen=True, slots=True)
class PassageText:
    """The text of a passage as it was when people saw it."""

    document_id: str
    content_hash: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Example:
    """One thing to learn from or to test on.

    What it teaches depends on `kind`: `pair`, that the first of `passages` answers the question and
    any others do not; `answer`, to write `answer`, where `[n]` cites the n-th of `passages`, or to
    decline where `is_good` is false; `preference`, to write `answer` and not `rejected`;
    `judgement`, whether an answer from `passages` was good, and a bad one that `spares_passages`
    blames its words alone; `message`, whether what was taken for a question was one. `source` tells
    how much it can be trusted, `weight` (above 0, at most 1) in numbers. `propensity` is how likely
    it was, above 0, that the model was asked whose answer people rated: less than 1 while another
    was on trial. `day` is ISO 8601. Questions of one `cluster` mean nearly the same.
    """

    id: str
    kind: ExampleKind
    question: str
    language: str
    passages: tuple[PassageText, ...]
    source: Literal["votes", "correction", "approved", "imported", "synthetic"]
    day: str
    cluster: str = ""
    answer: str | None = None
    rejected: str | None = None
    is_good: bool = True
    weight: float = 1.0
    propensity: float = 1.0
    spares_passages: bool = False


def content_id(*parts: str) -> str:
    """An id that the same content always has."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:HASH_DIGITS]


def dataset_hash(splits: Mapping[Split, Iterable[Example]]) -> str:
    """The name of a data set: the same examples in the same splits, in any order, have the same."""
    lines = sorted(
        f"{split} {_line(example)}" for split, examples in splits.items() for example in examples
    )
    return content_id(*lines)


def write_examples(folder: Path, split: ExampleFile, examples: Sequence[Example]) -> None:
    """Write one split, in an order that does not depend on how the examples came.

    The file appears whole or not at all.
    """
    beside = folder / f".{split}.jsonl"
    write_lines(beside, sorted(_line(example) for example in examples))
    beside.replace(folder / f"{split}.jsonl")


def read_examples(folder: Path, split: ExampleFile) -> list[Example]:
    """The examples of one split of a data set, but for questions that were frozen beside it since.

    Raises:
        DataError: If there is no such file, or a line is no example; the message names it.
    """
    path = folder / f"{split}.jsonl"
    try:
        examples = list(read_rows(path, _example))
    except FileNotFoundError:
        raise DataError(f"{folder} is no data set: it has no {path.name}") from None
    if split == REGRESSION or not (folder.parent / f"{REGRESSION}.jsonl").is_file():
        return examples
    frozen = {example.question for example in read_examples(folder.parent, REGRESSION)}
    return [example for example in examples if example.question not in frozen]


def _line(example: Example) -> str:
    return to_line(asdict(example), sort_keys=True)


def _example(row: dict[str, Any]) -> Example:
    passages = tuple(PassageText(**text) for text in row.pop("passages"))
    return Example(**row, passages=passages)
