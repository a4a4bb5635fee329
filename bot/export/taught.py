"""What a stronger model taught, as `whimbrel distil` left it: what of it may still be learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.export.building import ExportCorpus
from bot.export.records import Exclusion
from retrieval.errors import DataError
from retrieval.examples import Example, read_examples


@dataclass(frozen=True, slots=True)
class Taught:
    """Rows to learn from, those left out, and who taught them, in Markdown."""

    examples: Sequence[Example] = ()
    exclusions: Sequence[Exclusion] = ()
    card: str = ""


def read_taught(folder: Path, corpus: ExportCorpus) -> Taught:
    """The rows in a folder whose passages are all as they were, and for everybody.

    Raises:
        DataError: If it holds something that people taught, or has no card.
    """
    examples, exclusions = [], []
    for example in read_examples(folder, "train"):
        if example.source != "synthetic" or example.kind != "answer":
            raise DataError(f"{folder} is not from `whimbrel distil`: {example.id} has no teacher")
        hashes = {passage.content_hash for passage in example.passages}
        if not corpus.passages.keys() >= hashes:
            exclusions.append(Exclusion("example", example.id, "document_changed"))
        elif not corpus.public >= hashes:
            exclusions.append(Exclusion("example", example.id, "restricted_audience"))
        else:
            examples.append(example)
    try:
        card = (folder / "card.md").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{folder} is not from `whimbrel distil`: it has no card.md") from None
    return Taught(examples, exclusions, card)
