from __future__ import annotations

from typing import Any

import pytest

from benchmarks.redaction import LEAST, measure
from bot.redaction import Redactor, is_installed
from bot.slack.incoming.interactions import RETRY
from retrieval.errors import GeneratorError
from retrieval.records import Answer, AnswerRequest
from tests.bot.conftest import House, settled
from tests.bot.story import story
from tests.fakes import SentenceAnswerer, answer_to, passage
from tests.slack_forms import press
from tests.slack_server import event, mention

MAIL, PHONE, KEY = "ada.byron@example.com", "13812345678", "AKIA" + "IOSFODNN7EXAMPLE"
ASKED = f"How many days of leave has {MAIL} ({PHONE}, {KEY})?"


def test_nothing_is_taken_out_unless_that_is_set() -> None:
    assert Redactor().text(ASKED) == ASKED


def test_secrets_alone_may_be_taken_out() -> None:
    redacted = Redactor("secrets").text(ASKED)
    assert (MAIL in redacted, KEY in redacted) == (True, False)


def test_a_value_has_one_mark_in_all_texts_of_an_answer() -> None:
    answer = Redactor("personal").answer(answer_to(ASKED))
    assert answer.question == "How many days of leave has <EMAIL_1> (<PHONE_1>, <KEY_1>)?"
    assert answer.query == answer.question


def test_what_a_document_publishes_stays_in_its_answer() -> None:
    answerer = SentenceAnswerer()
    answerer.passages = [passage("Helpdesk", f"The help desk reads {MAIL}.")]
    answer = answerer.answer(AnswerRequest("Who reads the mail of the help desk?"))
    assert MAIL in Redactor("personal").answer(answer).text


def test_little_is_missed_and_nothing_taken_that_need_not_be() -> None:
    found = measure(Redactor("personal", regions=("US", "GB", "CN")))
    assert found.recall("all") >= LEAST
    assert found.precision("all") == 1.0


@pytest.mark.skipif(not is_installed("detect_secrets"), reason="detect-secrets is not installed")
def test_keys_of_services_are_known_by_a_library() -> None:
    key = "SG." + "ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr"
    assert Redactor("secrets").text(f"Is {key} old?") == "Is <KEY_1> old?"


class FailingOnce(SentenceAnswerer):
    """Fails at the first question."""

    def answer(self, request: AnswerRequest, **rest: Any) -> Answer:
        answer = super().answer(request, **rest)
        if len(self.asked) == 1:
            raise GeneratorError("no memory")
        return answer


def everything(house: House) -> bytes:
    return b"".join(path.read_bytes() for path in house.folder.rglob("*") if path.is_file())


async def test_a_question_is_answered_as_it_was_asked_and_stored_redacted(house: House) -> None:
    answerer = SentenceAnswerer()
    told = await story(house, answerer, redact="personal")
    _, turn_id = await told.ask(ASKED, user="U2")
    assert answerer.asked[0].text == ASKED
    await told.rate(turn_id, "bad", user="U3")
    await told.submit({"answer": f"31, says {MAIL}.", "document_name": PHONE}, user="U3")
    assert told.rows("SELECT question FROM turns") == [
        ("How many days of leave has <EMAIL_1> (<PHONE_1>, <KEY_1>)?",)
    ]
    told.bot.inbox.database.purge()
    held = everything(house)
    assert [word.encode() in held for word in (MAIL, PHONE, KEY)] == [False, False, False]
    assert told.rows("SELECT answer FROM reviews") == [("31, says <EMAIL_1>.",)]


async def test_a_question_that_failed_is_kept_redacted_and_asked_again_so(house: House) -> None:
    answerer = FailingOnce()
    bot = await house.start(answerer, settings=house.settings(redact="personal"))
    await house.slack.deliver(event(mention(ASKED, ts="1.0"), "Ev1"))
    await settled(bot, done=0, dead=1)
    bot.inbox.database.purge()
    assert MAIL.encode() not in everything(house)
    await house.slack.deliver(press(RETRY, "Ev1"))
    await settled(bot, done=2, dead=1)
    asked = "How many days of leave has <EMAIL_1> (<PHONE_1>, <KEY_1>)?"
    assert [request.text for request in answerer.asked] == [ASKED, asked]
