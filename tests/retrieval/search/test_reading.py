from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.search.embedding import Embedder
from retrieval.search.reading import Reader, reader_of
from retrieval.settings import Settings
from tests.retrieval.passages_by_hand import passage

pytestmark = pytest.mark.slow

PRICES = """| Plan | Monthly fee | Users | Support |
| Basic | 12 euros | 5 | e-mail |
| Team | 30 euros | 25 | chat |
| Pro | 75 euros | 100 | phone |"""


@pytest.fixture
def reader(models_home: Path) -> Reader:
    """The package's reader."""
    embedder = Embedder.load(Settings(home=models_home, device="cpu"))
    reader = reader_of(embedder, models_home)
    assert reader is not None
    return reader


@pytest.mark.parametrize("question", ["which plans have phone support?", "what does Team cost?"])
def test_the_rows_of_a_table_are_read_as_well_as_sentences(reader: Reader, question: str) -> None:
    sentences = PRICES.replace("| ", "", 1).replace("\n| ", "\n").replace(" |\n", ".\n")
    sentences = sentences.removesuffix(" |").replace(" |", ",") + "."
    drawn, told = reader.scores(question, [passage(PRICES), passage(sentences)])
    assert drawn == pytest.approx(told, rel=1e-3)
    assert drawn > 3 * reader.scores("who keeps the harbour?", [passage(PRICES)])[0]
