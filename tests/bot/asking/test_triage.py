from __future__ import annotations

import numpy as np
import pytest

from bot.asking.triage import EXAMPLES, Separator, Triage, is_thanks, read_labelled
from tests.fakes import SentenceShelf
from tests.retrieval.word_embedder import WordEmbedder


@pytest.fixture(scope="module")
def triage() -> Triage:
    return Triage(SentenceShelf())


@pytest.mark.parametrize(
    "text",
    ["How many days of paid leave do we get?", "请问年假有多少天？", "加班费怎么算"],
)
def test_a_question_for_the_documents_is_recognised(triage: Triage, text: str) -> None:
    assert triage.is_question(text)


@pytest.mark.parametrize(
    "text",
    ["Good morning everyone!", "Anyone up for lunch?", "谁要一起拼单奶茶", "收到"],
)
def test_other_talk_is_not(triage: Triage, text: str) -> None:
    assert not triage.is_question(text)


@pytest.mark.parametrize(
    "text",
    [
        "<@U2> how many days of paid leave do we get?",
        "<!here> how many days of paid leave do we get?",
        "How many days of paid leave do we get? " * 40,
        ":wave: :tada:",
        "```how many days of paid leave do we get?```",
        "",
    ],
)
def test_what_is_for_others_too_long_or_wordless_is_not_even_looked_at(
    triage: Triage, text: str
) -> None:
    assert triage.score(text) == 0.0


def test_another_embedder_is_learned_anew() -> None:
    shelf = SentenceShelf()
    triage = Triage(shelf)
    before = triage.score("How many days of paid leave do we get?")
    shelf.embedder = WordEmbedder(dimension=64)
    assert triage.score("How many days of paid leave do we get?") != before


def test_a_separator_tells_two_heaps_apart() -> None:
    vectors = np.array([[1.0, 0.1], [0.9, 0.2], [0.1, 1.0], [0.0, 0.8]], dtype=np.float32)
    separator = Separator(vectors, np.array([True, True, False, False]))
    assert np.all((separator.score(vectors) > 0.5) == [True, True, False, False])


def test_the_examples_are_balanced_and_none_comes_twice() -> None:
    examples = read_labelled(EXAMPLES)
    share = sum(example.is_question for example in examples) / len(examples)
    assert 0.4 < share < 0.6
    assert len({example.text for example in examples}) == len(examples)


@pytest.mark.parametrize(
    "text", ["thanks!", "Perfect, thank you so much :tada:", "好的，谢谢", "👍"]
)
def test_thanks_are_recognised(text: str) -> None:
    assert is_thanks(text)


@pytest.mark.parametrize("text", ["thanks, and for interns?", "谢谢，那实习生呢？", "ok, how?"])
def test_thanks_that_go_on_are_more_than_thanks(text: str) -> None:
    assert not is_thanks(text)
