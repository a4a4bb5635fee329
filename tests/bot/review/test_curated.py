from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.review.curated import CuratedAnswerer, CuratedAnswers
from bot.store.database import Database
from bot.store.reviews import Review, ReviewAccess, Reviews
from bot.store.turns import DocumentRef, Turns
from retrieval.answering.answerer import Answerer
from retrieval.answering.judge import Judge
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.linking import LinkRules
from retrieval.llm.generator import load_generator
from retrieval.records import PUBLIC, AnswerRequest, Demonstration, Message, Vectors
from retrieval.settings import Settings
from tests.bot.logged import logged, proposed
from tests.endpoint_server import EndpointServer
from tests.fakes import SentenceAnswerer, SentenceDocuments, passage
from tests.retrieval.word_embedder import WordEmbedder

LEAVE = "How many days of paid leave do I have?"
ALIKE = "how many paid leave days do I have"
HR = frozenset({PUBLIC, "hr"})


@pytest.fixture
def documents() -> SentenceDocuments:
    return SentenceDocuments()


@pytest.fixture
def curated(database: Database, documents: SentenceDocuments) -> CuratedAnswers:
    return CuratedAnswers(database, documents)


def review(
    database: Database,
    *,
    question: str = LEAVE,
    answer: str = "31 days, as of this year.",
    audience: frozenset[str] = frozenset({PUBLIC}),
    document: DocumentRef | None = None,
) -> Review:
    reviews, turn_id = Reviews(database), logged(database, question, audience=audience)
    turn = Turns(database).get(turn_id)
    assert turn is not None
    reviews.add(proposed(turn, answer, document=document))
    reader = ReviewAccess(audience, everywhere=True, channels={}, label_of=lambda _: None)
    return reviews.queue(reader, limit=10)[0][-1]


def served(curated: CuratedAnswers) -> CuratedAnswerer:
    return CuratedAnswerer(curated, SentenceAnswerer())


def test_an_approved_answer_is_given_to_who_asks_the_same(
    database: Database, curated: CuratedAnswers
) -> None:
    curated_id = curated.add(review(database), reviewer="U9", author_name="Ada")
    answer = served(curated).answer(AnswerRequest(ALIKE))
    assert (answer.text, answer.method) == ("31 days, as of this year.", "curated")
    assert (answer.author, answer.generator) == ("Ada", f"curated/{curated_id}")
    assert answer.confidence >= 0.7


@pytest.mark.parametrize(
    "question",
    ["How many days of unpaid leave do I have?", "Who is the printer?", "每年有多少天年假？"],
)
def test_other_questions_are_answered_from_the_documents(
    database: Database, curated: CuratedAnswers, question: str
) -> None:
    curated.add(review(database), reviewer="U9", author_name="Ada")
    assert served(curated).answer(AnswerRequest(question)).method != "curated"


def test_a_curated_answer_links_only_to_hosts_that_may_be_linked(
    database: Database, curated: CuratedAnswers, documents: SentenceDocuments
) -> None:
    held = documents.held()
    ref, passage = next(iter(held.passages.items()))
    text = f"See {passage.source.url} for all of it."
    curated.add(review(database, answer=text, document=ref), reviewer="U9", author_name="Ada")
    for links, is_kept in ((LinkRules(), True), (LinkRules(("wiki.example",)), False)):
        answering = CuratedAnswerer(curated, SentenceAnswerer(), links=links)
        answer = answering.answer(AnswerRequest(ALIKE))
        assert answer.method == "curated"
        assert (str(passage.source.url) in answer.text) is is_kept


def test_a_curated_answer_stays_within_its_audience(
    database: Database, curated: CuratedAnswers
) -> None:
    curated.add(review(database, audience=HR), reviewer="U9", author_name="Ada")
    answerer = served(curated)
    assert answerer.answer(AnswerRequest(LEAVE)).method != "curated"
    assert answerer.answer(AnswerRequest(LEAVE, audience=HR)).method == "curated"


def test_it_cites_its_document_and_expires_when_that_changes(
    database: Database, curated: CuratedAnswers, documents: SentenceDocuments
) -> None:
    leave = documents.passages[0]
    document = DocumentRef(leave.source.id, leave.content_hash)
    curated.add(review(database, document=document), reviewer="U9", author_name="Ada")
    answer = served(curated).answer(AnswerRequest(LEAVE))
    assert answer.text == "31 days, as of this year. [1]"
    assert answer.citations[0].quote in leave.text
    documents.passages[0] = passage("Leave", "Every employee has 32 days of paid leave a year.")
    assert served(curated).answer(AnswerRequest(LEAVE)).method == "extracted"
    documents.passages[0] = leave  # what has expired stays so
    assert served(curated).answer(AnswerRequest(LEAVE)).method == "extracted"


def test_the_document_itself_may_be_for_fewer_people(
    database: Database, curated: CuratedAnswers, documents: SentenceDocuments
) -> None:
    salaries = next(p for p in documents.passages if p.source.audience == "hr")
    document = DocumentRef(salaries.source.id, salaries.content_hash)
    curated.add(review(database, document=document), reviewer="U9", author_name="Ada")
    answerer = served(curated)
    assert answerer.answer(AnswerRequest(LEAVE)).method != "curated"
    assert answerer.answer(AnswerRequest(LEAVE, audience=HR)).method == "curated"


def test_sources_and_language_of_a_channel_hold_for_curated_answers(
    database: Database, curated: CuratedAnswers
) -> None:
    curated.add(review(database), reviewer="U9", author_name="Ada")
    answerer = served(curated)
    assert answerer.answer(AnswerRequest(LEAVE, sources=("handbook/",))).method != "curated"
    assert answerer.answer(AnswerRequest(LEAVE, language="zh")).method != "curated"


def test_another_embedder_finds_them_too(
    database: Database, curated: CuratedAnswers, documents: SentenceDocuments
) -> None:
    curated.add(review(database), reviewer="U9", author_name="Ada")
    documents.embedder = WordEmbedder(dimension=256, seed=7)
    documents.embedder.id = "other words"
    assert served(curated).answer(AnswerRequest(ALIKE)).method == "curated"
    (row,) = database.connection.query("SELECT embedder, length(vector) AS size FROM curated")
    assert row == {"embedder": "other words", "size": 4 * 256}


def test_a_follow_up_is_matched_with_what_it_points_back_to(
    database: Database, curated: CuratedAnswers
) -> None:
    curated.add(review(database), reviewer="U9", author_name="Ada")
    history = (Message("user", "Who repairs the printer?"), Message("assistant", "Heron."))
    answerer = served(curated)
    assert answerer.answer(AnswerRequest(LEAVE, history=history)).method == "curated"
    assert answerer.answer(AnswerRequest(f"And {LEAVE}", history=history)).method != "curated"


def test_an_address_is_shown_only_if_it_is_the_documents(
    database: Database, curated: CuratedAnswers
) -> None:
    found = review(database, answer="Look at [this](https://evil.example/leave).")
    curated.add(found, reviewer="U9", author_name="Ada")
    assert "evil.example" not in served(curated).answer(AnswerRequest(LEAVE)).text


def test_approving_twice_makes_one_answer(database: Database, curated: CuratedAnswers) -> None:
    found = review(database)
    first = curated.add(found, reviewer="U9", author_name="Ada")
    assert curated.add(found, reviewer="U9", author_name="Ada") == first
    assert curated.latest() == first


def test_the_latest_approved_answer_counts(database: Database, curated: CuratedAnswers) -> None:
    curated.add(review(database), reviewer="U9", author_name="Ada")
    newer = review(database, question=ALIKE, answer="32 days.")
    curated.add(newer, reviewer="U9", author_name="Bo")
    assert served(curated).answer(AnswerRequest(LEAVE)).text == "32 days."


def test_an_index_that_is_replaced_while_a_question_is_matched_has_no_part_in_its_answer(
    database: Database, curated: CuratedAnswers, documents: SentenceDocuments
) -> None:
    class Replacing(WordEmbedder):
        def embed_queries(self, texts: Sequence[str]) -> Vectors:
            documents.embedder, documents.generation = WordEmbedder(seed=7), "g2"
            documents.embedder.id = "other words"
            return super().embed_queries(texts)

    curated.add(review(database), reviewer="U9", author_name="Ada")
    documents.embedder = Replacing(dimension=512)
    answer = served(curated).answer(AnswerRequest(ALIKE))
    assert (answer.method, answer.embedder, answer.generation) == ("curated", "words", "g1")


PARENTAL = "How many days of parental leave do I have?"


def shown(curated: CuratedAnswers, request: AnswerRequest) -> Sequence[Demonstration]:
    """What the answerer is shown that is asked where no curated answer fits."""
    asked = SentenceAnswerer()
    CuratedAnswerer(curated, asked).answer(request)
    return asked.asked[0].demonstrations


def test_approved_answers_to_questions_that_are_near_show_how_to_answer(
    database: Database, curated: CuratedAnswers
) -> None:
    curated.add(review(database), reviewer="U9", author_name="Ada")
    far = review(database, question="Who repairs the printer on floor 2?", answer="Heron's maker.")
    curated.add(far, reviewer="U9", author_name="Ada")
    (demonstration,) = shown(curated, AnswerRequest(PARENTAL))
    assert demonstration == Demonstration(LEAVE, "31 days, as of this year.")


def test_the_nearest_of_them_comes_first_and_there_are_at_most_five(
    database: Database, curated: CuratedAnswers
) -> None:
    for n in range(6):
        newer = review(database, question=f"{LEAVE} Or {n}?", answer=f"{n} days.")
        curated.add(newer, reviewer="U9", author_name="Ada")
    curated.add(review(database), reviewer="U9", author_name="Ada")
    found = shown(curated, AnswerRequest(f"{LEAVE} Or is it unpaid?"))
    assert len(found) == 5


def test_approved_answers_show_nothing_to_who_may_not_read_them(
    database: Database, curated: CuratedAnswers, documents: SentenceDocuments
) -> None:
    salaries = next(p for p in documents.passages if p.source.audience == "hr")
    document = DocumentRef(salaries.source.id, salaries.content_hash)
    curated.add(review(database, document=document), reviewer="U9", author_name="Ada")
    private = review(database, question=ALIKE, audience=frozenset({PUBLIC, "in:C7"}))
    curated.add(private, reviewer="U9", author_name="Ada")
    assert shown(curated, AnswerRequest(PARENTAL)) == ()
    (hr,) = shown(curated, AnswerRequest(PARENTAL, audience=HR))
    assert hr.audience == HR
    (here,) = shown(curated, AnswerRequest(PARENTAL, audience=private.proposal.audience))
    assert here.audience == {PUBLIC, "in:C7"}


def test_what_has_expired_shows_nothing(
    database: Database, curated: CuratedAnswers, documents: SentenceDocuments
) -> None:
    leave = documents.passages[0]
    document = DocumentRef(leave.source.id, leave.content_hash)
    found = review(database, document=document)
    curated.add(found, reviewer="U9", author_name="Ada")
    documents.passages[0] = passage("Leave", "Every employee has 32 days of paid leave a year.")
    assert shown(curated, AnswerRequest(PARENTAL)) == ()
    curated.add(review(database, question=ALIKE), reviewer="U9", author_name="Ada")
    assert len(shown(curated, AnswerRequest(PARENTAL))) == 1
    curated.retire(
        Reviews(database).served(ReviewAccess(HR, True, {}, lambda _: None), limit=1)[0].id
    )
    assert shown(curated, AnswerRequest(PARENTAL)) == ()


def test_a_strong_model_behind_an_endpoint_is_shown_only_what_the_asker_may_read(
    database: Database, curated: CuratedAnswers, tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "leave.md").write_text("# Leave\n\nParental leave is 98 days.\n")
    with EndpointServer("Parental leave is 98 days [1].") as server:
        settings = Settings(home=tmp_path, generator=f"{server.url}/v1")
        update_index([tmp_path / "docs"], settings, WordEmbedder())
        searcher = Library(settings, WordEmbedder()).searcher()
        sure = Judge({"gap": 0.0}, 4.0, 0.5, 0.1, "words", "")
        answerer = Answerer(searcher, sure, settings, load_generator(settings))
        curated.add(review(database), reviewer="U9", author_name="Ada")
        secret = review(database, question=ALIKE, answer="Keepers: 77 days.", audience=HR)
        curated.add(secret, reviewer="U9", author_name="Ada")
        for audience in (frozenset({PUBLIC}), HR):
            request = AnswerRequest(PARENTAL, audience=audience)
            answer = CuratedAnswerer(curated, answerer).answer(request)
            assert answer.text == "Parental leave is 98 days. [1]"
            assert {*answer.background} == audience
            prompt = server.asked[-1]["messages"][1]["content"]
            assert "> Its answer: 31 days, as of this year." in prompt
            assert ("77 days" in prompt) is ("hr" in audience)
