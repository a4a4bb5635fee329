"""From messages to a triage model, which tells questions for the documents from other talk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from retrieval.answering.triage import (
    SEEDS,
    TRIAGE_FILE,
    LabelledMessage,
    Separator,
    clean,
    fit,
    load_separator,
    read_labelled,
)
from retrieval.errors import DataError
from retrieval.examples import SPLITS, Example, Split, read_examples
from retrieval.models.catalogue import resolve
from retrieval.models.endpoint import is_endpoint
from retrieval.progress import Tell
from retrieval.records import Vectors
from retrieval.registry.folders import sha256
from retrieval.registry.runs import Facts, folder_of, write_run
from retrieval.search.embedding import Embedder, load_model
from retrieval.settings import Settings
from training.classifiers import scores
from training.classifiers.judge_fit import is_held_out
from training.classifiers.trial import ClassifierCase, no_worse, outcomes
from training.data.augmentation import Augmentation, noise_told
from training.gate import report
from training.gate.candidate import LearnedRun
from training.gate.decision import decide

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

MIN_OF_EACH = 30
"""Fewer messages of either kind than this, half of them held out, say too little."""

FOLDS = 5
"""The threshold is chosen on what the folds say of messages that they have not seen."""


@dataclass(frozen=True, slots=True)
class TriageMessages:
    """What people wrote, to learn from and to try on, and the name of the data."""

    train: tuple[LabelledMessage, ...]
    held_out: tuple[LabelledMessage, ...]
    data: str


def learn_triage(
    source: Path,
    settings: Settings,
    embedder: Embedder,
    *,
    augments: bool = False,
    seed: int = 0,
    on_progress: Tell = lambda _: None,
) -> LearnedRun:
    """Fit a triage model to people's messages and our own, and try it on those held out.

    Args:
        source: A data set, or a file with a message a line, after 1 or 0 and a tab.
        settings: Where runs are kept, and what serves.
        embedder: The one that serves; the model is for its vectors.
        augments: Whether to learn from noisy twins of people's messages, too.
        seed: Of the folds, the twins and the gate's bootstrap.
        on_progress: Is told what is being done.

    Raises:
        DataError: If there are too few messages; the message says how many are missing.
    """
    messages = read_messages(source)
    _check(source, messages)
    served = load_separator(settings.models_folder, embedder)
    on_progress(f"learning from {len(messages.train)} messages and our own")
    noise = Augmentation(seed) if augments else None
    separator = fitted_to(messages, served, embedder, settings, seed, noise)
    on_progress(f"trying it on {len(messages.held_out)} messages held out")
    vectors, cases = _vectors(messages.held_out, embedder), _cases(messages.held_out)
    said = separator.score(vectors).tolist()
    facts = Facts(
        base=embedder.id,
        dataset=messages.data,
        seed=seed,
        code=version("whimbrel"),
        config=noise_told(noise),
        metrics=asdict(
            scores.score(said, [c.is_yes for c in cases], threshold=separator.threshold)
        ),
    )
    run = write_run(
        settings.runs_folder, "triage", facts, lambda folder: _save(folder, separator, said, cases)
    )
    before = outcomes(cases, served.score(vectors).tolist(), threshold=served.threshold)
    after = outcomes(cases, said, threshold=separator.threshold)
    (decision,) = decide(before, [after], seed=seed)
    report.save(folder_of(settings.runs_folder, run), decision, title=f"triage {run.id}")
    return LearnedRun(run, decision)


def read_messages(source: Path) -> TriageMessages:
    """The messages of a data set or a file, about half of them held out for ever.

    In a data set, what people asked the bot are questions; of what it answered unasked, people
    said whether it was one. All of what the data set itself holds out is held out here.

    Raises:
        DataError: If a line cannot be read.
    """
    if source.is_file():
        labelled = read_labelled(source)
        is_out = [is_held_out(message.text) for message in labelled]
        return _divided(labelled, is_out, sha256(source)[:16])
    found = {split: _asked(read_examples(source, split)) for split in SPLITS}
    pairs = [(split, example) for split, examples in found.items() for example in examples]
    labelled = [LabelledMessage(example.question, example.is_good) for _, example in pairs]
    return _divided(labelled, [_is_out(*pair) for pair in pairs], source.name)


def _asked(examples: Sequence[Example]) -> list[Example]:
    """One example for each question that was asked, and each message that was taken for one."""
    asked = [
        example
        for example in examples
        if example.kind != "message" and example.source != "synthetic"
    ]
    meant = {example.question: replace(example, is_good=True) for example in asked}
    messages = {example.question: example for example in examples if example.kind == "message"}
    return [*(meant | messages).values()]


def _is_out(split: Split, example: Example) -> bool:
    # By cluster, so that what is nearly the same is on one side.
    return split == "held-out" or is_held_out(example.cluster or example.question)


def _divided(
    labelled: Sequence[LabelledMessage], is_out: Sequence[bool], data: str
) -> TriageMessages:
    pairs = list(zip(labelled, is_out, strict=True))
    train = tuple(message for message, out in pairs if not out)
    return TriageMessages(train, tuple(message for message, out in pairs if out), data)


def _check(source: Path, messages: TriageMessages) -> None:
    both = (*messages.train, *messages.held_out)
    questions = sum(message.is_question for message in both)
    for name, count in (("questions", questions), ("other messages", len(both) - questions)):
        if count < MIN_OF_EACH:
            raise DataError(
                f"{source} holds {count} {name}; triage needs {MIN_OF_EACH}, "
                f"{MIN_OF_EACH - count} more"
            )
    if len({message.is_question for message in messages.held_out}) < 2:
        raise DataError(f"{source} holds out messages of one kind only; more are needed")


def fitted_to(
    messages: TriageMessages,
    served: Separator,
    embedder: Embedder,
    settings: Settings,
    seed: int,
    noise: Augmentation | None,
) -> Separator:
    """A model fitted to people's messages and ours; its threshold suits people's as they are.

    Args:
        messages: People's.
        served: What serves; the threshold is to be no worse.
        embedder: The one that serves.
        settings: Name its model, whose gradient finds words that mislead.
        seed: Of the folds.
        noise: Makes the twins that are learned from, too, if any are.
    """
    seeds = read_labelled(SEEDS)
    own, ours = _vectors(messages.train, embedder), _vectors(seeds, embedder)
    own_labels, our_labels = _labels(messages.train), _labels(seeds)
    shown = [own]
    if noise:
        shown += [embedder.embed_queries([noise.twin(clean(m.text)) for m in messages.train])]

    def fitted(seen: npt.NDArray[np.bool_]) -> Separator:
        """Fitted to some of people's messages, with their twins, and to all of ours."""
        vectors = np.concatenate([*(some[seen] for some in shown), ours])
        labels = np.concatenate([*(own_labels[seen] for _ in shown), our_labels])
        return fit(
            vectors, labels, embedder=embedder.id, data=f"{messages.data} and our own messages"
        )

    everybody = np.ones_like(own_labels)
    if noise and (encoder := encoder_of(embedder, settings)):
        misled = misleading(messages.train, fitted(everybody), embedder, encoder)
        shown += [embedder.embed_queries(misled)]
    said = np.zeros(len(own_labels))
    fold = np.random.default_rng(seed).permutation(len(own_labels)) % FOLDS
    for part in range(FOLDS):
        seen = fold != part
        said[~seen] = fitted(seen).score(own[~seen])
    before = (served.score(own) >= served.threshold).tolist()
    threshold = no_worse(_cases(messages.train), said.tolist(), before)
    return replace(fitted(everybody), threshold=threshold)


def encoder_of(embedder: Embedder, settings: Settings) -> SentenceTransformer | None:
    """The configured model, with gradients, if the embedder is that, moved by a map or not."""
    if is_endpoint(settings.embedder):
        return None
    folder = resolve(settings.embedder, models_folder=settings.models_folder)
    return load_model(folder, settings).float() if embedder.weights_id == folder.id else None


def misleading(
    messages: Sequence[LabelledMessage],
    separator: Separator,
    embedder: Embedder,
    encoder: SentenceTransformer,
) -> list[str]:
    """The messages, with a word or two swapped so that a model is less right of them."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, normalize

    from training.classifiers.adversarial import Attack

    texts = [clean(message.text) for message in messages]
    weights = torch.tensor(separator.weights, device=encoder.device)
    moved = torch.eye(len(weights)) if embedder.map is None else torch.tensor(embedder.map.query)

    def loss(numbers: Sequence[int]) -> torch.Tensor:
        read = encoder.tokenizer(
            [embedder.prefixes[0] + texts[number] for number in numbers],
            padding=True,
            truncation=True,
            max_length=embedder.max_tokens,
            return_tensors="pt",
        )
        rows = encoder(read.to(encoder.device))["sentence_embedding"]
        said = normalize(normalize(rows, dim=1) @ moved.to(rows), dim=1) @ weights + separator.bias
        labels = [float(messages[number].is_question) for number in numbers]
        return binary_cross_entropy_with_logits(
            said, torch.tensor(labels, device=said.device), reduction="sum"
        )

    return Attack(encoder, encoder.tokenizer).on(texts, loss)


def _vectors(messages: Sequence[LabelledMessage], embedder: Embedder) -> Vectors:
    return embedder.embed_queries([clean(message.text) for message in messages])


def _labels(messages: Sequence[LabelledMessage]) -> npt.NDArray[np.bool_]:
    return np.array([message.is_question for message in messages])


def _cases(messages: Sequence[LabelledMessage]) -> list[ClassifierCase]:
    return [ClassifierCase(message.text, message.text, message.is_question) for message in messages]


def _save(
    folder: Path, separator: Separator, said: Sequence[float], cases: Sequence[ClassifierCase]
) -> None:
    separator.save(folder / TRIAGE_FILE)
    scores.save(folder, said, [case.is_yes for case in cases], threshold=separator.threshold)
