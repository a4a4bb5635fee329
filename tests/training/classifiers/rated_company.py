"""A company whose documents use its people's words, and what people said of answers from them."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from retrieval.examples import Example, PassageText, content_id, write_examples
from retrieval.index.building import update_index
from retrieval.index.generation import load_index
from retrieval.records import Passage
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings

THINGS = ("printer", "kettle", "bicycle", "projector", "extinguisher", "piano", "heater", "ladder")
PLACES = ("library", "harbour", "attic", "workshop", "kitchen", "garden", "archive", "garage")
ASKED = (
    "Who looks after the {thing} in the {place}?",
    "The {thing} in the {place} is broken, whom do I call?",
    "Is there a {thing} in the {place}?",
    "When was the {thing} of the {place} last checked?",
)


def build(home: Path, embedder: Embedder) -> Settings:
    """Index one short document for each thing in each place."""
    settings = Settings(home=home / "home", generator="none")
    docs = home / "docs"
    docs.mkdir()
    for thing, place in product(THINGS, PLACES):
        team = content_id(thing, place)[:4]
        text = f"The {thing} of the {place} belongs to team {team}. " + "Call them first. " * (
            len(thing) + len(place)
        )
        (docs / f"{thing}-{place}.txt").write_text(text)
    update_index((docs,), settings, embedder)
    return settings


def write_dataset(folder: Path, settings: Settings, embedder: Embedder) -> Path:
    """Questions with the passages that helped, and some rated answers; a quarter is held out."""
    folder.mkdir(parents=True)
    passages = load_index(settings.index_folder, embedder).passages
    pairs = [pair(*asked) for asked in product(range(len(ASKED)), passages)]
    rated = [judgement(asked, shown) for asked, shown in zip(pairs, passages, strict=False)]
    write_examples(folder, "held-out", pairs[::4])
    write_examples(folder, "dev", [])
    write_examples(
        folder, "train", [*(asked for asked in pairs if asked not in pairs[::4]), *rated]
    )
    return folder


def pair(asked: int, passage: Passage) -> Example:
    """A question that a passage answers."""
    thing, place = Path(passage.source.id).stem.split("-")
    question = ASKED[asked].format(thing=thing, place=place)
    id_ = content_id("pair", question)
    return Example(id_, "pair", question, "en", (passage_text(passage),), "votes", "2026-01-02")


def judgement(asked: Example, shown: Passage) -> Example:
    """What people said of an answer from a passage: good only if the question is about it."""
    return Example(
        content_id("judgement", asked.question, shown.id),
        "judgement",
        asked.question,
        "en",
        (passage_text(shown),),
        "votes",
        "2026-01-02",
        is_good=shown.content_hash == asked.passages[0].content_hash,
        weight=0.5,
    )


def passage_text(passage: Passage) -> PassageText:
    """A passage as a data set has it."""
    source = passage.source
    return PassageText(source.id, passage.content_hash, source.title, passage.text)
