from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from retrieval.progress import Tell
from retrieval.registry.runs import MODEL
from retrieval.search.reranking import Reranker
from retrieval.settings import Settings
from tests.retrieval.passages_by_hand import passage
from tests.training.breaking_off import break_off
from tests.training.classifiers import tiny_cross_encoder
from tests.training.classifiers.rated_company import ASKED, PLACES, THINGS
from training.classifiers.cross_encoder import CrossConfig, LabelledPair, fine_tune
from training.trainer import TrainerSetup

pytestmark = pytest.mark.slow

QUICK = CrossConfig(epochs=2, learning_rate=1e-3, batch=8, max_tokens=32)
PAIRS = [
    LabelledPair(ASKED[0].format(thing=thing, place=place), f"The {other}.", float(thing == other))
    for place in PLACES[:4]
    for thing in THINGS[:4]
    for other in THINGS[:4]
]


def trained(folder: Path, on_progress: Tell = lambda _: None) -> tuple[float, ...]:
    """The losses of sixteen steps."""
    start = tiny_cross_encoder.write(folder / "tiny")
    settings = Settings(home=folder, device="cpu", threads=1)
    setup = TrainerSetup(folder / "work", on_progress=on_progress)
    return fine_tune(start, PAIRS, setup, settings, config=QUICK)


def test_what_is_broken_off_goes_on_to_the_same_end(tmp_path: Path) -> None:
    break_off(partial(trained, tmp_path / "broken"), at="step 9 ")
    told: list[str] = []
    gone_on = trained(tmp_path / "broken", told.append)
    assert told[0].startswith("step 9 of 16")
    assert gone_on == pytest.approx(trained(tmp_path / "whole"), abs=1e-4)
    ends = [Reranker(str(tmp_path / name / "work" / MODEL)) for name in ("broken", "whole")]
    scores = [
        end.scores("Is there a kettle?", [passage("The kettle."), passage("The piano.")])
        for end in ends
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)
