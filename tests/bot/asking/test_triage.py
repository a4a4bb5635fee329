from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.asking.triage import Triage, is_thanks
from retrieval.answering.triage import TRIAGE_FILE, fit_to_seeds
from retrieval.registry.runs import Facts, publish, write_run
from tests.fakes import SentenceDocuments
from tests.retrieval.word_embedder import WordEmbedder


@pytest.fixture(scope="module")
def triage() -> Triage:
    return Triage(SentenceDocuments(), Path("nowhere"))


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
    documents = SentenceDocuments()
    triage = Triage(documents, Path("nowhere"))
    before = triage.score("How many days of paid leave do we get?")
    documents.embedder = WordEmbedder(dimension=64)
    assert triage.score("How many days of paid leave do we get?") != before


def test_a_model_is_followed_from_the_moment_it_is_published(tmp_path: Path) -> None:
    documents, home = SentenceDocuments(), tmp_path / "runs"
    triage = Triage(documents, tmp_path)
    before = triage.id
    shy = replace(fit_to_seeds(documents.embedder), threshold=1.0)
    facts = Facts(documents.embedder.id, "0123", 0, "1")
    run = write_run(home, "triage", facts, lambda to: shy.save(to / TRIAGE_FILE))
    assert triage.is_question("How many days of paid leave do we get?")
    publish(home, run, reason="less talkative")
    assert not triage.is_question("How many days of paid leave do we get?")
    assert triage.id == shy.id != before


@pytest.mark.parametrize(
    "text",
    [
        "thanks!",
        "Perfect, thank you so much :tada:",
        "thx! 🙏",
        "Thanks Ana, that's really helpful",
        "<@U1> thanks for asking!",
        "thanks <@U1>!",
        "good to know",
        "+1",
        "no worries",
        "好的，谢谢",
        "谢谢大家，学到了",
        "原来如此，感谢分享",
        "👍",
    ],
)
def test_thanks_are_recognised(text: str) -> None:
    assert is_thanks(text)


@pytest.mark.parametrize(
    "text",
    [
        "thanks, and for interns?",
        "谢谢，那实习生呢？",
        "ok, how?",
        "thanks, but it is 28 days",
        "Yes, you do",
        "no",
        "谢谢，不过现在是25天",
        "不是",
        "帮助",
    ],
)
def test_thanks_that_go_on_are_more_than_thanks(text: str) -> None:
    assert not is_thanks(text)
