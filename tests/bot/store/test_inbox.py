from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bot.store.database import Database
from bot.store.inbox import (
    TURN_S,
    WORTH_TELLING,
    Delivery,
    Inbox,
    Job,
    JobKind,
    LeaseLostError,
)


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def inbox(database: Database, clock: Clock) -> Inbox:
    return Inbox(database, lease_s=30, max_waiting=3, clock=clock)


def delivery(event_id: str, *, thread: str = "", work_key: str | None = None) -> Delivery:
    return Delivery(event_id, "question", "T1", "C1", "U1", thread or event_id, {"n": 1}, work_key)


def claim(inbox: Inbox, owner: str = "w1", kind: JobKind = "question") -> Job:
    job = inbox.claim(owner, (kind,))
    assert job is not None
    return job


def test_an_event_is_stored_once_and_for_ever(inbox: Inbox) -> None:
    assert inbox.accept(delivery("Ev1"))
    inbox.finish(claim(inbox))
    assert not inbox.accept(delivery("Ev1"))
    assert inbox.claim("w1", ("question",)) is None


def test_two_events_about_one_message_are_one_job(inbox: Inbox) -> None:
    assert inbox.accept(delivery("Ev1", work_key="T1:C1:1.0"))
    assert not inbox.accept(delivery("Ev2", work_key="T1:C1:1.0"))


def test_a_thread_keeps_its_order_while_another_thread_goes_on(inbox: Inbox) -> None:
    for event_id, thread in (("Ev1", "a"), ("Ev2", "a"), ("Ev3", "b")):
        inbox.accept(delivery(event_id, thread=thread))
    first, other = claim(inbox), claim(inbox)
    assert (first.event_id, other.event_id) == ("Ev1", "Ev3")
    assert inbox.claim("w1", ("question",)) is None
    inbox.finish(first)
    assert claim(inbox).event_id == "Ev2"


def test_a_job_waiting_to_be_tried_again_holds_its_thread(inbox: Inbox, clock: Clock) -> None:
    inbox.accept(delivery("Ev1", thread="a"))
    inbox.accept(delivery("Ev2", thread="a"))
    inbox.retry(claim(inbox), delay_s=5)
    assert inbox.claim("w1", ("question",)) is None
    clock.now += 5
    assert claim(inbox).event_id == "Ev1"


def test_an_expired_lease_goes_to_another_worker(inbox: Inbox, clock: Clock) -> None:
    inbox.accept(delivery("Ev1"))
    lost = claim(inbox, "w1")
    inbox.set_reply(lost, "C1", "9.9")
    assert inbox.claim("w2", ("question",)) is None
    clock.now += 30
    job = claim(inbox, "w2")
    assert (job.attempts, job.faults, inbox.reply(job)) == (2, 2, ("C1", "9.9"))
    with pytest.raises(LeaseLostError):
        inbox.finish(lost)


def test_a_job_claimed_anew_is_lost_to_its_first_claim_even_of_the_same_worker(
    inbox: Inbox, clock: Clock
) -> None:
    inbox.accept(delivery("Ev1"))
    first = claim(inbox, "w1")
    clock.now += 30
    second = claim(inbox, "w1")
    with pytest.raises(LeaseLostError):
        inbox.heartbeat(first)
    inbox.finish(second)


def test_a_heartbeat_keeps_the_lease(inbox: Inbox, clock: Clock) -> None:
    inbox.accept(delivery("Ev1"))
    job = claim(inbox)
    clock.now += 29
    inbox.heartbeat(job)
    clock.now += 29
    assert inbox.claim("w2", ("question",)) is None


def test_released_jobs_are_due_at_once_and_it_is_not_held_against_them(inbox: Inbox) -> None:
    inbox.accept(delivery("Ev1"))
    claim(inbox, "w1")
    assert inbox.release("w1") == 1
    job = claim(inbox, "w2")
    assert (job.attempts, job.faults) == (2, 1)


def test_of_the_jobs_of_a_process_that_keeps_dying_one_alone_takes_the_blame(
    inbox: Inbox,
) -> None:
    """`Ev1` kills its process whenever it is done; the others just happen to be there."""
    for n in range(3):
        inbox.accept(delivery(f"Ev{n}"))
    done: dict[str, int] = {}
    for process in range(9):
        held = []
        while (job := inbox.claim(f"p{process}", ("question",))) is not None:
            held.append(job)
        for job in held:
            if job.faults > 3:
                inbox.bury(job, "given up")
        if not any(job.event_id == "Ev1" and job.faults <= 3 for job in held):
            for job in held:
                if job.faults <= 3:
                    inbox.finish(job)
                    done[job.event_id] = job.faults
        inbox.release_left(lambda _: True)
    assert done.keys() == {"Ev0", "Ev2"}
    assert inbox.counts() == {"done": 2, "dead": 1}


def test_what_an_ended_process_held_is_due_at_once_and_what_another_holds_is_not(
    inbox: Inbox,
) -> None:
    for event_id in ("Ev1", "Ev2"):
        inbox.accept(delivery(event_id))
    claim(inbox, "dead")
    claim(inbox, "alive")
    assert inbox.release_left(lambda owner: owner == "dead") == 1
    job = claim(inbox, "next")
    assert (job.event_id, job.attempts, job.faults) == ("Ev1", 2, 2)
    assert inbox.claim("next", ("question",)) is None


def test_too_many_waiting_questions_turn_the_next_into_a_refusal(inbox: Inbox) -> None:
    for n in range(4):
        assert inbox.accept(delivery(f"Ev{n}", thread="a"))
    assert inbox.waiting("question") == 3
    assert claim(inbox, kind="refusal").event_id == "Ev3"


def test_a_full_queue_takes_one_question_of_who_has_none_in_it(inbox: Inbox) -> None:
    for n in range(4):
        inbox.accept(delivery(f"Ev{n}"))
    for n in range(4):
        for again in range(2):
            inbox.accept(replace(delivery(f"Of{n}.{again}"), user=f"Other{n}"))
    rows = inbox.database.connection.execute(
        "SELECT event_id FROM inbox WHERE kind = 'question' ORDER BY id"
    )
    # Twice as many as the limit, and then nobody's.
    taken = ["Ev0", "Ev1", "Ev2", "Of0.0", "Of1.0", "Of2.0"]
    assert [event_id for (event_id,) in rows] == taken


def test_a_finished_job_keeps_nothing_of_what_was_asked(inbox: Inbox) -> None:
    inbox.accept(delivery("Ev1"))
    inbox.finish(claim(inbox))
    row = inbox.database.connection.execute("SELECT payload FROM inbox").fetchone()
    assert row == ("{}",)


def test_a_transaction_that_fails_leaves_the_job_as_it_was(inbox: Inbox) -> None:
    inbox.accept(delivery("Ev1"))
    job = claim(inbox)

    def finish_and_fail() -> None:
        with inbox.database.transaction():
            inbox.finish(job)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        finish_and_fail()
    assert inbox.counts() == {"doing": 1}


WORK = """
import sys
from pathlib import Path
from bot.store.database import Database
from bot.store.inbox import Inbox
database = Database(Path(sys.argv[1]), address=sys.argv[3] or None)
inbox = Inbox(database, lease_s=0.05)
print("ready", flush=True)
while inbox.counts().keys() - {"done"}:
    job = inbox.claim(sys.argv[2], ("question",))
    if job is None:
        continue
    with database.transaction() as db:
        db.execute("INSERT INTO effects VALUES (?, ?)", (job.event_id, job.payload["thread"]))
        inbox.finish(job)
    print("done", flush=True)
"""


@pytest.mark.slow
def test_workers_killed_at_any_moment_lose_nothing_and_do_nothing_twice(
    database: Database,
) -> None:
    database.connection.execute("CREATE TABLE effects (event_id TEXT, thread TEXT)")
    inbox = Inbox(database)
    events = [(f"Ev{n:03}", f"thread{n % 7}") for n in range(120)]
    for event_id, thread in events:
        payload = {"thread": thread}
        inbox.accept(Delivery(event_id, "question", "T", "C", "U", thread, payload))
    for kill in range(6):
        with _worker(database, f"w{kill}") as worker:
            for _ in range(2 + 3 * kill):
                assert worker.stdout is not None
                worker.stdout.readline()
            worker.send_signal(signal.SIGKILL)
    with _worker(database, "last") as worker:
        assert worker.wait(timeout=60) == 0
    done = database.connection.execute("SELECT event_id, thread FROM effects").fetchall()
    assert Counter(done) == Counter(events)
    assert all(
        [e for e, t in done if t == thread] == [e for e, t in events if t == thread]
        for thread in {t for _, t in events}
    )


def _worker(database: Database, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", WORK, database.path, name, database.address or ""],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_what_nobody_put_to_us_is_not_kept_when_it_is_given_up(inbox: Inbox) -> None:
    inbox.accept(replace(delivery("Ev1"), kind="overheard"))
    inbox.accept(replace(delivery("Ev2"), payload={"text": "leave?", "is_overheard": True}))
    inbox.accept(delivery("Ev3"))
    for kind in ("overheard", "question", "question"):
        inbox.bury(claim(inbox, kind=kind), "it failed")
    rows = inbox.database.connection.query("SELECT payload FROM inbox ORDER BY event_id")
    assert [row["payload"] for row in rows] == ["{}", "{}", '{"n": 1}']


@pytest.mark.parametrize("payload", ["[" * 100_000, "{", "7", b"\xff{"])
def test_what_cannot_be_read_is_claimed_all_the_same(inbox: Inbox, payload: str | bytes) -> None:
    inbox.accept(delivery("Ev1"))
    with inbox.database.transaction() as db:
        db.execute("UPDATE inbox SET payload = CAST(? AS TEXT)", (payload,))
    assert claim(inbox).payload == {}


def test_what_no_handler_knows_is_ended_and_its_thread_goes_on(inbox: Inbox) -> None:
    for event_id in ("Ev1", "Ev2"):
        inbox.accept(delivery(event_id, thread="t"))
    with inbox.database.transaction() as db:
        db.execute("UPDATE inbox SET kind = 'dream' WHERE event_id = 'Ev1'")
    assert inbox.bury_others(("question",)) == 1
    assert claim(inbox).event_id == "Ev2"


def test_people_take_turns_however_many_questions_one_has_waiting(database: Database) -> None:
    inbox = Inbox(database, clock=lambda: 1_000.0)
    for n in range(20):
        inbox.accept(replace(delivery(f"many{n}"), user="U1"))
    for user in ("U2", "U3"):
        for n in range(2):
            inbox.accept(replace(delivery(f"{user}-{n}"), user=user))
    begun = [claim(inbox).event_id for _ in range(24)]
    assert begun[:7] == ["many0", "U2-0", "U3-0", "many1", "U2-1", "U3-1", "many2"]
    assert begun[7:] == [f"many{n}" for n in range(3, 20)]


def test_channels_take_turns_where_many_people_ask_in_one(database: Database) -> None:
    inbox = Inbox(database)
    for n in range(10):
        inbox.accept(replace(delivery(f"busy{n}"), user=f"U{n}", channel="C1"))
    inbox.accept(replace(delivery("calm"), user="U99", channel="C2"))
    assert [claim(inbox).event_id for _ in range(3)] == ["busy0", "calm", "busy1"]


def test_who_asked_much_is_as_good_as_anybody_after_a_while(inbox: Inbox, clock: Clock) -> None:
    for n in range(3):
        inbox.accept(replace(delivery(f"early{n}"), user="U1"))
        inbox.finish(claim(inbox))
    clock.now += TURN_S
    inbox.accept(replace(delivery("U1"), user="U1"))
    inbox.accept(replace(delivery("U2"), user="U2"))
    assert claim(inbox).event_id == "U1"


def test_limits_of_a_person_and_of_a_channel_refuse_theirs_alone(database: Database) -> None:
    inbox = Inbox(database, max_per_person=2, max_per_channel=3)
    asked = [("U1", "C1"), ("U1", "C2"), ("U1", "C1"), ("U2", "C1"), ("U3", "C1"), ("U4", "C1")]
    for n, (user, channel) in enumerate(asked):
        inbox.accept(replace(delivery(f"Ev{n}"), user=user, channel=channel))
    refused = [claim(inbox, kind="refusal") for _ in range(2)]
    assert [(job.event_id, job.payload["refused"]) for job in refused] == [
        ("Ev2", "person"),
        ("Ev5", "channel"),
    ]
    assert inbox.waiting("question") == 4


def test_a_place_in_the_queue_counts_who_goes_before(database: Database) -> None:
    inbox = Inbox(database)
    for n in range(WORTH_TELLING + 5):
        inbox.accept(replace(delivery(f"Ev{n}"), user=f"U{n % 3}"))
    for event_id, expected in (("last", 3), ("later", 7)):
        inbox.accept(replace(delivery(event_id), user="U9"))
        assert inbox.before(event_id) == expected
    assert inbox.before("Ev14") == 16
    begun = [claim(inbox).event_id for _ in range(17)]
    assert (begun.index("last"), begun.index("later")) == (3, 7)
    assert inbox.before("last") is None


def test_who_waits_behind_many_is_told_once(database: Database) -> None:
    inbox = Inbox(database)
    for n in range(WORTH_TELLING):
        inbox.accept(replace(delivery(f"Ev{n}"), user=f"U{n}"))
    assert inbox.waiting("queued") == 0
    for event_id in ("last", "again"):
        inbox.accept(replace(delivery(event_id), user="U99"))
    assert claim(inbox, kind="queued").event_id == "queued:last"
    assert inbox.waiting("queued") == 0


def test_a_question_is_withdrawn_by_who_asked_it_until_it_is_begun(inbox: Inbox) -> None:
    inbox.accept(delivery("Ev1", work_key="T1:C1:1.0"))
    assert not inbox.withdraw("Ev1", "U2")
    assert inbox.withdraw("T1:C1:1.0", "U1")
    assert inbox.claim("w", ("question",)) is None
    inbox.accept(delivery("Ev2"))
    claim(inbox)
    assert not inbox.withdraw("Ev2", "U1")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_no_byte_of_what_was_overheard_is_left_whatever_came_with_it(
    tmp_path: Path, seed: int
) -> None:
    """Pages are split and merged while deliveries of all sizes come and go."""
    inbox = Inbox(Database(tmp_path / "inbox.db"))
    draw, words, waiting = random.Random(seed), [], 0
    for n in range(150):
        words.append(f"canary{n:04d}")
        text = words[-1] + "x" * draw.choice((5, 50, 300, 900, 2_000, 4_000, 9_000))
        heard = replace(delivery(f"Ev{n}"), payload={"text": text})
        waiting += inbox.accept(replace(heard, kind=draw.choice(("overheard", "vote"))))
        for _ in range(draw.randint(0, min(waiting, 2))):
            inbox.finish(claim_any(inbox))
            waiting -= 1
    for _ in range(waiting):
        inbox.finish(claim_any(inbox))
    assert inbox.database.purge()
    files = inbox.database.home.glob("inbox.db*")
    kept = b"".join(path.read_bytes() for path in files)
    inbox.database.close()
    assert not [word for word in words if word.encode() in kept]


def claim_any(inbox: Inbox) -> Job:
    job = inbox.claim("w1", ("overheard", "vote"))
    assert job is not None
    return job
