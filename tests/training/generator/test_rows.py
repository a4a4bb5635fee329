from __future__ import annotations

from dataclasses import replace

import pytest

from retrieval.answering.decline_filter import declines
from retrieval.errors import DataError
from retrieval.examples import Example, PassageText
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.llm.chat_format import ChatFormat
from retrieval.settings import Settings
from tests.retrieval.llm.tiny_models import CHAT, byte_tokenizer
from tests.retrieval.word_embedder import WordEmbedder
from training.generator.rows import DECLINES, RowLayout, TokenRow, fitting

TOPICS = ("leave", "tides", "lamps", "boats", "ropes", "gulls", "storms", "maps", "radio", "tea")
SETTINGS = Settings(hits=3, prompt_tokens=4000)
WORDING = ChatFormat(byte_tokenizer(chat_template=CHAT), "causal")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("docs")
    for number, topic in enumerate(TOPICS):
        text = f"# {topic.title()}\n\nThe keeper of the {topic} counts {number + 10} of them.\n"
        (folder / f"{topic}.md").write_text(text, encoding="utf-8")
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    update_index([folder], settings, WordEmbedder())
    return Library(settings, WordEmbedder())


@pytest.fixture
def layout(library: Library) -> RowLayout:
    return RowLayout(WORDING, library.searcher(), SETTINGS, seed=1)


def example(library: Library, topic: str) -> Example:
    passages = library.searcher().index.passages
    passage = next(passage for passage in passages if passage.source.title == topic.title())
    number = TOPICS.index(topic) + 10
    return Example(
        id=topic, kind="answer", question=f"How many {topic} does the keeper count?", language="en",
        passages=(PassageText("d", passage.content_hash, "", passage.text),), source="approved",
        day="2026-01-31", answer=f"The keeper of the {topic} counts {number} of them [1].",
    )  # fmt: skip


def text(tokens: tuple[int, ...]) -> str:
    return WORDING.decode([*tokens])


def test_an_answer_stands_after_its_passage_and_others_in_the_served_prompt(
    layout: RowLayout, library: Library
) -> None:
    (row,) = layout.answers([example(library, "tides")])
    prompt = text(row.prompt)
    assert "counts 11 of them" in prompt
    assert prompt.count("The keeper of the") == SETTINGS.hits
    assert prompt.endswith("Question: How many tides does the keeper count?<assistant>")


def test_what_is_written_has_no_markers_and_comes_to_an_end(
    layout: RowLayout, library: Library
) -> None:
    (row,) = layout.answers([example(library, "tides")])
    assert text(row.completion) == "The keeper of the tides counts 11 of them."
    assert row.completion[-1] == WORDING.tokenizer.eos_token_id


def test_the_passage_that_holds_the_answer_stands_in_any_place(
    layout: RowLayout, library: Library
) -> None:
    rows = layout.answers([example(library, topic) for topic in TOPICS])
    spoken = [row for row in rows if not declines(text(row.completion))]
    numbers = [text(row.completion).split("counts ")[1].split()[0] for row in spoken]
    places = {
        text(row.prompt).split(f"counts {number} of")[0].count("counts")
        for row, number in zip(spoken, numbers, strict=True)
    }
    assert len(places) > 1


def test_a_tenth_of_the_rows_decline_since_no_passage_tells(
    layout: RowLayout, library: Library
) -> None:
    rows = layout.answers([example(library, topic) for topic in TOPICS[:9]])
    silent = [row for row in rows if declines(text(row.completion))]
    assert (len(silent), len(rows)) == (1, 10)
    for row in silent:
        topic = text(row.prompt).split("How many ")[1].split()[0]
        assert f"The keeper of the {topic}" not in text(row.prompt)


def test_a_pair_is_a_question_with_its_passage_and_without(
    layout: RowLayout, library: Library
) -> None:
    ((answered, declined),) = layout.pairs([example(library, "tides")])
    assert text(answered.completion) == "The keeper of the tides counts 11 of them."
    assert "counts 11 of them" in text(answered.prompt)
    assert declines(text(declined.completion))
    assert "counts 11 of them" not in text(declined.prompt)


def test_questions_to_decline_take_the_place_of_others(layout: RowLayout, library: Library) -> None:
    unknown = replace(example(library, "tea"), question="Who is it?", answer=None, is_good=False)
    rows = layout.answers([unknown, *(example(library, topic) for topic in TOPICS[:9])])
    assert sum(declines(text(row.completion)) for row in rows) == 1
    assert len(rows) == 10


def test_no_language_declines_more_often_than_others(layout: RowLayout, library: Library) -> None:
    known = [example(library, topic) for topic in TOPICS[:9]]
    unknown = [
        replace(known[0], question=f"Who is {n}?", answer=None, is_good=False) for n in "abc"
    ]
    foreign = [replace(asked, language="zh") for asked in unknown]
    rows = layout.answers([*unknown, *foreign, *known])
    silent = [text(row.completion) for row in rows if declines(text(row.completion))]
    assert (len(silent), len(rows)) == (1, 10)


def test_beside_each_preference_to_decline_an_answer_is_better_than_that(
    layout: RowLayout, library: Library
) -> None:
    known = [example(library, topic) for topic in TOPICS[:2]]
    silence = [
        replace(known[0], kind="preference", answer=DECLINES[language], language=language,
                question=f"Who is {n}?", rejected="At nine.")
        for n, language in enumerate(("en", "en", "en", "zh"))
    ]  # fmt: skip
    rows = layout.preferences([*known, *silence])
    said = sorted((text(row.completion), text(row.rejected)) for row in rows)
    spoken = [(asked.answer or "").removesuffix(" [1].") + "." for asked in known]
    declined = DECLINES["en"]
    assert said == sorted([*((text, declined) for text in spoken), *[(declined, "At nine.")] * 2])
    assert layout.preferences(silence) == []


def test_answers_whose_passage_is_gone_teach_nothing(layout: RowLayout, library: Library) -> None:
    gone = replace(example(library, "tea"), passages=(PassageText("d", "gone", "", ""),))
    assert layout.answers([gone]) == []


def test_every_language_declines_so_that_the_bot_understands() -> None:
    assert all(declines(words) for words in DECLINES.values())


def test_preferences_keep_what_was_not_wanted(layout: RowLayout, library: Library) -> None:
    better = replace(example(library, "tea"), kind="preference", rejected="Tea is nice [1].")
    (row,) = layout.preferences([better])
    assert text(row.rejected) == "Tea is nice."


def test_votes_alternate_and_leave_silence_out(layout: RowLayout, library: Library) -> None:
    some = [
        replace(example(library, topic), kind="judgement", is_good=number < 3)
        for number, topic in enumerate(TOPICS[:6])
    ]
    silence = replace(some[0], answer="The passages do not mention it.")
    rows = layout.votes([*some, silence])
    good = [row.is_good for row in rows]
    assert good in ([True, False] * 3, [False, True] * 3)


def test_the_same_seed_lays_out_the_same_rows(library: Library) -> None:
    some = [example(library, topic) for topic in TOPICS]
    rows = [
        RowLayout(WORDING, library.searcher(), SETTINGS, seed=seed).answers(some)
        for seed in (1, 1, 2)
    ]
    assert rows[0] == rows[1] != rows[2]


def test_a_few_rows_that_are_too_long_are_left_out_and_many_are_refused() -> None:
    short, long = TokenRow((1,) * 10, (2,)), TokenRow((1,) * 100, (2,))
    assert fitting([short] * 99 + [long], max_tokens=50) == [short] * 99
    with pytest.raises(DataError, match="3 of 100 rows are longer than 50 tokens"):
        fitting([short] * 97 + [long] * 3, max_tokens=50)


def test_without_one_answer_the_rows_of_all_others_stay_as_they_are(library: Library) -> None:
    known = [example(library, topic) for topic in TOPICS]
    silent = replace(known[0], id="silent", answer=None, is_good=False)

    def rows(examples: list[Example]) -> list[TokenRow]:
        return RowLayout(WORDING, library.searcher(), SETTINGS, seed=1).each_alone(examples)

    all_rows = rows([*known, silent])
    assert len(all_rows) == len(known) + 1
    assert declines(text(all_rows[-1].completion))
    for place in range(len(all_rows)):
        others = [*known, silent][:place] + [*known, silent][place + 1 :]
        assert rows(others) == all_rows[:place] + all_rows[place + 1 :]


def test_of_answers_that_are_laid_out_alone_some_decline_without_their_passage(
    library: Library,
) -> None:
    known = [
        replace(example(library, topic), id=f"{topic}{n}") for topic in TOPICS for n in range(20)
    ]
    layout = RowLayout(WORDING, library.searcher(), SETTINGS, seed=1)
    silent = [row for row in layout.each_alone(known) if declines(text(row.completion))]
    assert 10 <= len(silent) <= 30
    assert not any(
        "counts 10 of" in text(row.prompt) for row in silent if "many leave" in text(row.prompt)
    )
