"""A company with words of its own, which its people's questions do not use, and a log of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from random import Random

from retrieval.examples import Example, PassageText, content_id, write_examples
from retrieval.index.building import update_index
from retrieval.index.generation import load_index
from retrieval.records import Passage
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings

WORDS = {
    "zorbel": "printer",
    "quintle": "coffee machine",
    "marfin": "bicycle",
    "drovic": "projector",
    "yelpan": "fire extinguisher",
    "tascot": "meeting table",
    "wurlen": "air conditioner",
    "fipsow": "whiteboard",
}
PLACES = ("library", "harbour", "attic", "workshop", "kitchen", "garden", "archive", "garage")
ASKED = (
    "Who looks after the {thing} in the {place}?",
    "The {thing} in the {place} is broken, whom do I call?",
    "Is there a {thing} in the {place}?",
    "When was the {place}'s {thing} last checked?",
)


def build(home: Path, embedder: Embedder) -> Settings:
    """Index one short document for each thing in each place."""
    settings = Settings(home=home / "home", embedder="all-minilm-l6-v2", generator="none")
    docs = home / "docs"
    docs.mkdir()
    for word, place in product(WORDS, PLACES):
        text = f"The {word} of the {place} belongs to team {content_id(word, place)[:4]}."
        (docs / f"{word}-{place}.txt").write_text(text)
    update_index((docs,), settings, embedder)
    return settings


def write_dataset(
    folder: Path, settings: Settings, embedder: Embedder, *, held_out_every: int = 4
) -> Path:
    """People's questions with the passages that helped; a quarter is held out."""
    folder.mkdir()
    passages = load_index(settings.index_folder, embedder).passages
    examples = [example(*pair) for pair in product(range(len(ASKED)), passages)]
    held_out = examples[::held_out_every]
    write_examples(folder, "held-out", held_out)
    write_examples(folder, "dev", [])
    write_examples(folder, "train", [example for example in examples if example not in held_out])
    return folder


def example(asked: int, passage: Passage) -> Example:
    word, place = Path(passage.source.id).stem.split("-")
    question = ASKED[asked].format(thing=WORDS[word], place=place)
    text = PassageText(passage.source.id, passage.content_hash, passage.source.title, passage.text)
    id_ = content_id(question)
    return Example(id_, "pair", question, "en", (text,), source="votes", day="2026-01-02")


def shuffled(examples: Sequence[Example]) -> list[Example]:
    """The questions with one another's passages, as if experts had said so: nothing to learn."""
    passages = [example.passages for example in examples]
    Random(0).shuffle(passages)
    return [
        replace(example, passages=other, source="approved")
        for example, other in zip(examples, passages, strict=True)
    ]
