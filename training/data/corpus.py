"""What a retriever learns from, and is tried on: the served passages and a data set's questions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from retrieval.answering.judge import Judge, load_judge
from retrieval.errors import DataError
from retrieval.examples import Example, read_examples
from retrieval.index.memory import Index
from retrieval.index.searcher import Searcher
from retrieval.index.store import index_store
from retrieval.records import Passage
from retrieval.search.embedding import Embedder
from retrieval.serving.retriever import unlearned
from retrieval.settings import Settings
from training.data.labelled_queries import LabelledQuery, answerable, believable, labelled_queries


@dataclass(frozen=True)
class TrainingCorpus:
    """The served passages with the vectors that the configured model, nothing else, gives them.

    `judge` belongs to that model, `served_judge` to what serves now.
    """

    index: Index
    embedder: Embedder
    judge: Judge
    served: Searcher
    served_judge: Judge


def open_corpus(settings: Settings, embedder: Embedder) -> TrainingCorpus:
    """The served passages, with what serves them and with the configured model's vectors.

    Raises:
        IndexNotFoundError: If nothing has been published.
        IndexMismatchError: If another embedder made the index.
    """
    served = Searcher(index_store(settings).load(embedder).in_memory(), embedder)
    base = unlearned(served.index, embedder, settings)
    return TrainingCorpus(
        base.index,
        base.embedder,
        load_judge(settings.models_folder, base.embedder),
        served,
        load_judge(settings.models_folder, embedder),
    )


def read_train_and_dev(
    dataset: Path, *, at_least: int, learner: str, corpus: TrainingCorpus
) -> tuple[list[Example], list[Example]]:
    """The train and dev examples that can be believed, if they ask enough that the corpus answers.

    Args:
        dataset: A folder in the format of `retrieval.examples`.
        at_least: How many questions the learner needs.
        learner: What needs them, for the message.
        corpus: Where their passages must be.

    Raises:
        DataError: If there are too few; the message says how many are missing.
    """
    train, dev = (
        believable(read_examples(dataset, split), corpus.index, corpus.embedder)
        for split in ("train", "dev")
    )
    found = len(answerable(labelled_queries([*train, *dev], corpus.index.passages)))
    if found < at_least:
        raise DataError(
            f"{dataset} holds {found} questions with a passage of this index; {learner} needs "
            f"{at_least}, {at_least - found} more"
        )
    return train, dev


def read_held_out(dataset: Path, corpus: TrainingCorpus) -> list[LabelledQuery]:
    """The labelled queries that judge what was learned from the others.

    Raises:
        DataError: If there are none.
    """
    held_out = labelled_queries(read_examples(dataset, "held-out"), corpus.index.passages)
    if not held_out:
        raise DataError(
            f"{dataset} holds no questions out, so nothing learned from it could be judged; "
            "of what experts approve, a third is held out"
        )
    return held_out


def heading_of(passage: Passage) -> str:
    """What stands nearest above a passage: often a question that it answers; empty if nothing.

    Of a title that is a path, `Leave > Who approves it?`, that is the last part.
    """
    nearest = passage.headings[-1] if passage.headings else passage.source.title
    return nearest.rpartition(" > ")[2].strip()
