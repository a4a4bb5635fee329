"""The questions that were frozen once and for all, as far as the documents still answer them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.examples import REGRESSION, Example, read_examples
from retrieval.records import Passage
from retrieval.settings import Settings


@dataclass(frozen=True, slots=True)
class FrozenQuestions:
    """What is known of the frozen questions. `outdated` counts those whose passage is gone."""

    examples: tuple[Example, ...] = ()
    outdated: int = 0


def read_regression(settings: Settings, passages: Sequence[Passage]) -> FrozenQuestions:
    """The frozen questions, without those that the passages no longer answer.

    Nothing where none were frozen yet: the first export that holds enough questions out does it.

    Raises:
        DataError: If the file is damaged; the message names the line.
    """
    if not (settings.dataset_folder / f"{REGRESSION}.jsonl").is_file():
        return FrozenQuestions()
    frozen = read_examples(settings.dataset_folder, REGRESSION)
    known = {passage.content_hash for passage in passages}
    outdated = {
        example.question
        for example in frozen
        if example.is_good and example.passages and example.passages[0].content_hash not in known
    }
    kept = tuple(example for example in frozen if example.question not in outdated)
    return FrozenQuestions(kept, len(outdated))
