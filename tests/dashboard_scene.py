"""A bot's home with some weeks of questions, so that a dashboard has something to show."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.store.database import Database
from bot.store.inbox import Delivery, Inbox
from bot.store.log import ConversationLog, Rating, Turn, Value
from bot.store.reviews import Proposal, Reviews
from bot.store.turns import Turns
from retrieval.index.building import update_index
from retrieval.index.generation import load_index
from retrieval.records import PUBLIC, AnswerRequest
from retrieval.settings import Settings
from tests.fakes import SentenceAnswerer
from tests.retrieval.word_embedder import WordEmbedder

FILES = {
    "handbook/leave.md": "# Leave\n\nEvery employee has 30 days of paid leave a year.\n",
    "handbook/printer.md": "# Printer\n\nThe printer on floor 2 is called Heron.\n",
    "handbook/salaries.md": "# Salaries\n\nThe salary band of engineers is E4.\n",
    "handbook/年假.md": "# 年假\n\n每位员工每年有三十天带薪年假。\n",
}
ASKED = (
    "How many days of paid leave are there?",
    "What is the printer on floor 2 called?",
    "每年有多少天带薪年假？",
    "Who won the cup?",
    "Where do I park my bike?",
)
SALARY = "What is the salary band of engineers?"
SECRET = "Is canary-41 ill again?"
HR = frozenset({PUBLIC, "hr", "in:U9"})


def settings_in(home: Path) -> Settings:
    return Settings(home=home, audiences={"*salaries*": "hr"})


def set_scene(home: Path, *, until: datetime | None = None, days: int = 30) -> dict[str, str]:
    """Fill a home; the ids of some turns by their questions.

    `SALARY` was asked in private by U9, who may read what is for `hr`, and so was `SECRET`.
    """
    settings, until = settings_in(home), until or datetime.now(UTC)
    folder = home / "documents" / "handbook"
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / Path(name).name).write_text(text, encoding="utf-8")
    update_index([folder], settings, WordEmbedder())
    answerer = SentenceAnswerer()
    answerer.passages = list(load_index(settings.index_folder, WordEmbedder()).passages)
    database = Database(settings.database_file)
    try:
        return _fill(database, answerer, until, days)
    finally:
        database.close()


def _fill(
    database: Database, answerer: SentenceAnswerer, until: datetime, days: int
) -> dict[str, str]:
    log, dice, ids = ConversationLog(database), random.Random(0), {}
    times = sorted(dice.triangular(0, days, days) for _ in range(days * 7))
    for day in times:
        at = until - timedelta(days=days - day)
        question = dice.choices(ASKED, weights=(6, 4, 3, 2, 1))[0]
        ids[question] = _ask(log, answerer, question, at, asker=f"U{dice.randrange(1, 8)}")
        if dice.random() < 0.5:
            value: Value = 1 if dice.random() < 0.8 else -1
            _rate(log, ids[question], value, at)
    for question in (SALARY, SECRET):
        ids[question] = _ask(log, answerer, question, until, asker="U9", audience=HR)
    _propose(database, ids)
    waiting = Delivery("EvW", "question", "T1", "C1", "U1", "t:1", {"text": "waits"})
    Inbox(database).accept(waiting)
    return ids


def _ask(
    log: ConversationLog,
    answerer: SentenceAnswerer,
    question: str,
    at: datetime,
    *,
    asker: str,
    audience: frozenset[str] = frozenset({PUBLIC}),
) -> str:
    answer = answerer.answer(AnswerRequest(question, audience=audience))
    timings = {"search": 0.02, "judge": 0.11, "generate": 0.9, "total": 1.05}
    is_private = len(audience) > 1
    turn = Turn(
        answer=replace(answer, timings=timings),
        event_id=f"event of {answer.id}",
        team="T1",
        channel="D9" if is_private else "C1",
        thread_ts="1.0",
        asker=asker,
        audience=audience,
        messages=(f"2.{answer.id}",),
        created=at.isoformat(timespec="seconds"),
        is_private=is_private,
    )
    log.add(turn)
    return answer.id


def _rate(log: ConversationLog, turn_id: str, value: Value, at: datetime) -> None:
    log.rate(Rating(turn_id, "U1", value, "button", f"vote {turn_id}", at.isoformat()))


def _propose(database: Database, ids: dict[str, str]) -> None:
    reviews, turns = Reviews(database), Turns(database)
    for question, words in ((ASKED[1], "It is called Heron, by the stairs."), (SALARY, "E4 or E5")):
        turn = turns.get(ids[question])
        assert turn is not None
        reviews.add(
            Proposal(
                key=f"correction:{turn.id}",
                source="correction",
                question=turn.query,
                answer=words,
                audience=turn.audience,
                channel=turn.channel,
                author="U2",
                proposer="U2",
                turn_id=turn.id,
                document=turn.cited,
            )
        )
