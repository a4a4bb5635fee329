"""`POST /v1/answers`: asked over HTTP as in Slack, and logged alike."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.store.audit import AuditLog
from bot.store.keys import ApiKeys
from retrieval.records import Answer, AnswerRequest, Citation
from tests.bot.api.conftest import Counter, Noticing, Speaking
from tests.fakes import SentenceAnswerer, passage
from tests.slack_server import WAIT_S

LEAVE = "How many days of leave do I have?"
BAND = "What is the salary band of engineers?"


async def test_a_question_is_answered_with_citations_and_logged_as_a_turn(counter: Counter) -> None:
    await counter.open()
    reply = await counter.ask(LEAVE, key=counter.key(), user="alice@example.com")
    told = reply.json
    assert (reply.status, told["kind"]) == (200, "answer")
    assert "30 days" in told["text"]
    assert told["citations"][0]["document"]["title"] == "Leave"
    rows = sqlite3.connect(counter.folder / "whimbrel.db").execute(
        "SELECT id, channel, thread_ts, asker, audience, is_private FROM turns"
    )
    (id_, channel, thread, asker, audience, is_private) = rows.fetchone()
    assert (id_, channel, thread) == (told["id"], "api:web", told["conversation"])
    assert asker.startswith("api:web:")
    assert "alice" not in asker
    assert (json.loads(audience), is_private) == (["public"], 1)


async def test_what_is_not_in_the_documents_is_an_abstention(counter: Counter) -> None:
    await counter.open()
    told = (await counter.ask("Who won the chess cup?", key=counter.key())).json
    assert (told["kind"], told["citations"]) == ("abstention", [])


async def test_a_key_sees_its_labels_and_what_it_was_shown_is_audited(counter: Counter) -> None:
    await counter.open()
    assert (await counter.ask(BAND, key=counter.key())).json["kind"] == "abstention"
    told = (await counter.ask(BAND, key=counter.key("hr-desk", "hr"))).json
    assert "E4" in told["text"]
    (row,) = list(AuditLog(counter.database()).rows())[1:]
    assert (row["act"], row["channel"]) == ("shown", "api:hr-desk")
    assert json.loads(row["details"])["documents"] == [["handbook/Salaries.md", "hr"]]


async def test_sentences_come_as_events_and_the_whole_answer_in_the_end(counter: Counter) -> None:
    await counter.open(Speaking())
    events = (await counter.ask(LEAVE, key=counter.key(), stream=True)).events
    assert [name for name, _ in events] == ["text", "text", "answer"]
    assert events[0][1]["text"] + events[1][1]["text"] == events[2][1]["text"]


async def test_who_hangs_up_on_a_stream_stops_it_and_nothing_is_told_as_wrong(
    counter: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    answerer, gone = Speaking(), threading.Event()
    answerer.between = gone.wait
    await counter.open(answerer)
    headers = {"Authorization": f"Bearer {counter.key()}"}
    url, body = f"{counter.url}/v1/answers", {"question": LEAVE, "stream": True}
    async with counter.session.post(url, json=body, headers=headers) as response:
        await response.content.readline()
    gone.set()
    await counter.stack.aclose()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_words_are_held_back_once_the_key_is_revoked(counter: Counter) -> None:
    answerer = Speaking()
    await counter.open(answerer)
    key, database = counter.key("hr-desk", "hr"), counter.database()
    answerer.between = lambda: ApiKeys(database).revoke("hr-desk")
    events = (await counter.ask(BAND, key=key, stream=True)).events
    assert [name for name, _ in events] == ["text", "error"]
    assert events[-1][1]["status"] == 401


class OfTwoDocuments(Speaking):
    """Answers of two restricted documents, sentence by sentence."""

    changes_before = 0

    def answer(
        self,
        request: AnswerRequest,
        *,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Answer:
        first, second = (passage(title, f"{title}.", audience="hr") for title in ("One", "Two"))
        answer = SentenceAnswerer.answer(self, request, should_stop=should_stop)
        for n, sentence in enumerate(("One. [1]", " Two. [2]")):
            if n == self.changes_before:
                self.between()
            if on_text is not None:
                on_text(sentence)
        cited = (Citation(1, first, first.text, 1.0), Citation(2, second, second.text, 1.0))
        return replace(answer, kind="answer", text="One. [1] Two. [2]", citations=cited)


@pytest.mark.parametrize(("revoked_before", "audited"), [
    (0, []), (1, [["handbook/One.md", "hr"]]),
])  # fmt: skip
async def test_what_a_revoked_key_did_not_see_is_not_audited_as_shown(
    counter: Counter, revoked_before: int, audited: list[list[str]]
) -> None:
    answerer = OfTwoDocuments()
    await counter.open(answerer)
    key, database = counter.key("hr-desk", "hr"), counter.database()
    answerer.changes_before = revoked_before
    answerer.between = lambda: ApiKeys(database).revoke("hr-desk")
    events = (await counter.ask(BAND, key=key, stream=True)).events
    assert "Two" not in str(events)
    rows = [json.loads(row["details"]) for row in list(AuditLog(database).rows())[1:]]
    assert [document for row in rows for document in row["documents"]] == audited


async def test_words_are_held_back_once_the_documents_are_others(counter: Counter) -> None:
    answerer = Speaking()
    await counter.open(answerer)

    def change() -> None:
        counter.held.generation, counter.held.passages = "g2", []

    answerer.between = change
    events = (await counter.ask(LEAVE, key=counter.key(), stream=True)).events
    assert [name for name, _ in events] == ["text", "error"]
    assert events[-1][1]["status"] == 503


async def test_a_bug_is_told_by_an_id_that_the_log_has(
    counter: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Speaking):
        def between(self) -> None:
            raise ZeroDivisionError

    await counter.open(Broken())
    (_, (name, told)) = (await counter.ask(LEAVE, key=counter.key(), stream=True)).events
    assert (name, told["status"]) == ("error", 500)
    assert told["detail"].split()[-4] in caplog.text


async def test_a_problem_before_the_first_word_is_no_stream(counter: Counter) -> None:
    await counter.open()
    reply = await counter.ask("x" * 5_000, key=counter.key(), stream=True)
    assert (reply.status, reply.headers["Content-Type"]) == (422, "application/problem+json")


async def test_a_conversation_goes_on_for_who_began_it_alone(counter: Counter) -> None:
    answerer = SentenceAnswerer()
    await counter.open(answerer)
    key, other = counter.key(), counter.key("other")
    talk = (await counter.ask(LEAVE, key=key)).json["conversation"]
    for secret, user in ((key, ""), (key, "bob"), (other, "")):
        await counter.ask("And for a year?", key=secret, user=user, conversation=talk)
    assert [len(asked.history) for asked in answerer.asked] == [0, 2, 0, 0]


async def test_a_conversation_holds_nothing_that_may_not_be_seen_any_more(counter: Counter) -> None:
    answerer = SentenceAnswerer()
    answerer.passages = counter.held.passages
    await counter.open(answerer)
    key = counter.key("hr-desk", "hr")
    talk = (await counter.ask(BAND, key=key)).json["conversation"]
    counter.held.passages = [p for p in counter.held.passages if p.source.title != "Salaries"]
    await counter.ask("And of managers?", key=key, conversation=talk)
    assert answerer.asked[-1].history == ()


async def test_who_hangs_up_stops_the_answer_and_nothing_is_logged(counter: Counter) -> None:
    answerer = Noticing()
    await counter.open(answerer)
    asking = asyncio.create_task(counter.ask(LEAVE, key=counter.key()))
    await asyncio.to_thread(answerer.begun.wait, WAIT_S)
    asking.cancel()
    assert await asyncio.to_thread(answerer.stopped.wait, WAIT_S)
    await counter.stack.aclose()
    turns = sqlite3.connect(counter.folder / "whimbrel.db").execute("SELECT count(*) FROM turns")
    assert turns.fetchone() == (0,)


async def test_who_comes_when_too_many_wait_is_told_when_to_come_again(counter: Counter) -> None:
    answerer = Noticing()
    await counter.open(answerer, workers=1, max_waiting=0)
    key = counter.key()
    first = asyncio.create_task(counter.ask(LEAVE, key=key))
    await asyncio.to_thread(answerer.begun.wait, WAIT_S)
    reply = await counter.ask(LEAVE, key=key)
    answerer.gate.set()
    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
    assert (await first).status == 200


async def test_what_is_refused_because_of_others_is_not_counted(counter: Counter) -> None:
    answerer = Noticing()
    await counter.open(answerer, workers=1, max_waiting=0, max_waiting_per_key=0)
    key = counter.key(per_month=2)
    first = asyncio.create_task(counter.ask(LEAVE, key=key))
    await asyncio.to_thread(answerer.begun.wait, WAIT_S)
    search = await counter.call("/v1/search", {"query": "leave"}, key=key)
    refused = [await counter.ask(LEAVE, key=key), search]
    answerer.gate.set()
    told = [await first, *refused, await counter.ask(LEAVE, key=key)]
    assert [reply.status for reply in told] == [200, 503, 503, 200]


async def test_an_answer_that_has_to_be_asked_for_again_is_counted_once(counter: Counter) -> None:
    answerer = Noticing()
    await counter.open(answerer)
    key, passages = counter.key(per_month=1, per_minute=1), counter.held.passages
    asking = asyncio.create_task(counter.ask(LEAVE, key=key))
    await asyncio.to_thread(answerer.begun.wait, WAIT_S)
    counter.held.passages = []
    answerer.gate.set()
    assert (await asking).status == 503
    counter.held.passages = passages
    assert [(await counter.ask(LEAVE, key=key)).status for _ in range(2)] == [200, 429]


async def test_a_key_that_asks_much_leaves_room_for_the_others(counter: Counter) -> None:
    answerer = Noticing()
    await counter.open(answerer, workers=1, max_waiting=3, max_waiting_per_key=1)
    busy, other, third = (counter.key(name) for name in ("busy", "other", "third"))
    asking = [asyncio.create_task(counter.ask(LEAVE, key=busy)) for _ in range(3)]
    (refused,), _ = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
    asking += [asyncio.create_task(counter.ask(LEAVE, key=key)) for key in (other, third)]
    answerer.gate.set()
    assert "too many calls" in refused.result().text
    assert sorted([(await call).status for call in asking]) == [200, 200, 200, 200, 503]


async def test_a_key_that_has_no_call_here_waits_even_where_others_fill_the_queue(
    counter: Counter,
) -> None:
    answerer = Noticing()
    await counter.open(answerer, workers=1, max_waiting=1)
    busy, other = counter.key("busy"), counter.key("other")
    asking = [asyncio.create_task(counter.ask(LEAVE, key=busy)) for _ in range(3)]
    await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
    last = asyncio.create_task(counter.ask(LEAVE, key=other))
    answerer.gate.set()
    assert (await last).status == 200
    assert sorted([(await call).status for call in asking]) == [200, 200, 503]


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/answers", {"question": LEAVE}), ("/v1/search", {"query": "leave"})],
)
async def test_who_hangs_up_while_waiting_leaves_room_and_is_not_counted(
    counter: Counter, path: str, body: dict[str, str]
) -> None:
    answerer = Noticing()
    await counter.open(answerer, workers=1, max_waiting_per_key=1)
    busy, other = counter.key("busy"), counter.key("other", per_month=1)
    first = asyncio.create_task(counter.ask(LEAVE, key=busy))
    await asyncio.to_thread(answerer.begun.wait, WAIT_S)
    hung_up = asyncio.create_task(counter.call(path, body, key=other))
    await asyncio.wait([hung_up], timeout=0.3)
    hung_up.cancel()
    for _ in range(30):
        last = asyncio.create_task(counter.call(path, body, key=other))
        refused, _ = await asyncio.wait([last], timeout=1.0)
        if not refused:
            break
        await asyncio.sleep(0.1)
    answerer.gate.set()
    assert [(await first).status, (await last).status] == [200, 200]


async def test_a_key_has_no_more_than_its_share_of_those_that_wait(counter: Counter) -> None:
    answerer = Noticing(calls=2)
    await counter.open(answerer, workers=2, max_waiting_per_key=1)
    busy, other = counter.key("busy"), counter.key("other")
    asking = [asyncio.create_task(counter.ask(LEAVE, key=busy)) for _ in range(2)]
    await asyncio.to_thread(answerer.begun.wait, WAIT_S)
    late = [asyncio.create_task(counter.ask(LEAVE, key=other)) for _ in range(2)]
    refused, _ = await asyncio.wait(late, timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
    answerer.gate.set()
    assert [reply.result().status for reply in refused] == [503]
    assert sorted([(await call).status for call in (*asking, *late)]) == [200, 200, 200, 503]


async def test_a_call_in_progress_ends_before_the_server_does(counter: Counter) -> None:
    answerer = Noticing()
    await counter.open(answerer)
    asking = asyncio.create_task(counter.ask(LEAVE, key=counter.key()))
    await asyncio.to_thread(answerer.begun.wait, WAIT_S)
    closing = asyncio.create_task(counter.stack.aclose())
    answerer.gate.set()
    assert "30 days" in (await asking).json["text"]
    await closing


@pytest.mark.slow
async def test_an_answer_that_takes_too_long_is_broken_off(counter: Counter) -> None:
    await counter.open(Noticing(), answer_seconds=1)
    reply = await counter.ask(LEAVE, key=counter.key())
    assert (reply.status, "too long" in reply.json["detail"]) == (503, True)


async def test_a_key_that_is_revoked_meanwhile_gets_no_answer(counter: Counter) -> None:
    answerer = Noticing()
    await counter.open(answerer)
    asking = asyncio.create_task(counter.ask(BAND, key=counter.key("hr-desk", "hr")))
    await asyncio.to_thread(answerer.begun.wait, WAIT_S)
    ApiKeys(counter.database()).revoke("hr-desk")
    answerer.gate.set()
    reply = await asking
    assert (reply.status, "E4" in reply.text) == (401, False)


async def test_a_document_that_is_closed_meanwhile_is_not_told(counter: Counter) -> None:
    answerer = Noticing()
    await counter.open(answerer)
    asking = asyncio.create_task(counter.ask(LEAVE, key=counter.key()))
    await asyncio.to_thread(answerer.begun.wait, WAIT_S)
    counter.held.passages = []
    answerer.gate.set()
    reply = await asking
    assert (reply.status, "30 days" in reply.text) == (503, False)


async def test_a_request_that_is_sent_again_is_answered_once(counter: Counter) -> None:
    answerer = SentenceAnswerer()
    await counter.open(answerer)
    key, name = counter.key(), {"Idempotency-Key": "request-1"}
    first = await counter.ask(LEAVE, key=key, headers=name)
    again = await counter.ask(LEAVE, key=key, headers=name)
    other = await counter.ask(BAND, key=key, headers=name)
    assert first.json == again.json
    assert (len(answerer.asked), other.status) == (1, 409)
    (used,) = ApiKeys(counter.database()).usage()
    assert used.questions == 1


async def test_a_request_that_is_being_worked_on_is_not_begun_again(counter: Counter) -> None:
    answerer = Noticing()
    await counter.open(answerer)
    key, name = counter.key(), {"Idempotency-Key": "request-1"}
    first = asyncio.create_task(counter.ask(LEAVE, key=key, headers=name))
    await asyncio.to_thread(answerer.begun.wait, WAIT_S)
    second = await counter.ask(LEAVE, key=key, headers=name)
    answerer.gate.set()
    assert (second.status, second.headers["Retry-After"]) == (409, "1")
    assert (await first).status == 200


async def test_a_request_that_failed_may_be_sent_again(counter: Counter) -> None:
    await counter.open()
    key, name = counter.key(), {"Idempotency-Key": "request-1"}
    long = "x" * 5_000
    assert [(await counter.ask(long, key=key, headers=name)).status for _ in (1, 2)] == [422, 422]


async def test_what_is_sent_again_is_not_told_if_it_may_not_be_seen_any_more(
    counter: Counter,
) -> None:
    await counter.open()
    key, name = counter.key("hr-desk", "hr"), {"Idempotency-Key": "request-1"}
    assert "E4" in (await counter.ask(BAND, key=key, headers=name)).text
    counter.held.passages = [p for p in counter.held.passages if p.source.title != "Salaries"]
    again = await counter.ask(BAND, key=key, headers=name)
    assert (again.status, "E4" in again.text) == (410, False)
