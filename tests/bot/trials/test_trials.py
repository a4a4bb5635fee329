"""Trials as people meet them: through the bot, on a Slack on localhost, with models of words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest

from bot.app.bot import Bot
from bot.review.document_lookup import DocumentLookup
from bot.store.channels import ChannelConfig
from bot.trials.arms import read_arms
from bot.trials.harm import harm
from retrieval.records import Thread
from retrieval.registry.runs import Run, deployments, publish, retire, serving
from retrieval.registry.trials import Trial, begin, under_way
from retrieval.serving.installation import Installation
from retrieval.serving.live import Live
from retrieval.settings import Settings
from tests.bot.admin.test_commands import command
from tests.bot.conftest import House, settled
from tests.bot.review.test_ratings import button
from tests.retrieval.words_of_runs import (
    BASE_WORDS,
    QUESTION,
    WordsOfRuns,
    install,
    open_live,
    trained,
)
from tests.slack_server import WAIT_S, click, event, mention

LATER = 2_000_000_000
"""In Unix seconds, when threads begin."""

WORDS = "Keepers have 27 days of paid leave a year [1]."


@dataclass
class Team:
    """People who ask the bot and rate its answers."""

    house: House
    bot: Bot
    live: Live
    roles: WordsOfRuns
    settings: Settings
    jobs: int = 0

    @property
    def home(self) -> Path:
        return self.settings.runs_folder

    async def ask(self, threads: Iterable[str], *, channel: str = "C1") -> None:
        """Ask the same in several threads at once."""
        for thread in threads:
            self.jobs += 1
            body = mention(QUESTION, ts=thread, channel=channel)
            await self.house.slack.deliver(event(body, f"Ev{self.jobs}"))

    async def settle(self) -> None:
        await settled(self.bot, done=self.jobs)

    async def rate(self, thread: str, *, is_good: bool, by: str | None = None) -> None:
        """Click a button under the answer in a thread."""
        posted = self.house.slack.posted("C1")
        (message,) = [post for post in posted if post["thread_ts"] == thread]
        side = "positive_button" if is_good else "negative_button"
        self.jobs += 1
        clicked = click(
            button(message, side), trigger_id=f"t{self.jobs}", user=by or f"U{self.jobs}"
        )
        await self.house.slack.deliver(clicked)

    async def command(self, text: str) -> str:
        self.jobs += 1
        return await command(self.house, self.bot, text, done=self.jobs)

    async def follow(self) -> None:
        """Wait until the bot has seen what is published and on trial."""
        await asyncio.to_thread(self.live.refresh)

    async def try_words(self, words: str, *, share: float) -> Trial:
        trial = begin(self.home, trained(self.settings, words), share=share, reason="eased in")
        await self.follow()
        return trial

    def turns(self, column: str) -> list[Any]:
        rows = self.bot.inbox.database.connection.query("SELECT * FROM turns ORDER BY rowid")
        return [row[column] for row in rows]


@pytest.fixture
async def team(house: House) -> Team:
    settings = install(house.folder)
    live, roles = open_live(settings)
    house.slack.users["U1"]["is_admin"] = True
    bot = house.bot(
        live,
        settings=house.settings(admins=("U1",)),
        installation=Installation(live.library, live.models),
        documents=DocumentLookup(live),
        candidates=live,
    )
    return Team(house, await house.enter(bot), live, roles, settings)


def of_arm(trial: Trial, how_many: int, *, is_candidate: bool) -> list[str]:
    """Threads that an arm answers."""
    threads = (f"{n}.0" for n in count(LATER))
    taken = (
        thread for thread in threads if trial.takes(Thread(f"C1:{thread}", LATER)) is is_candidate
    )
    return list(islice(taken, how_many))


def of_both(trial: Trial, how_many: int) -> list[tuple[str, bool]]:
    """Threads of either arm, each with whether the candidate answers it."""
    arms = (of_arm(trial, how_many, is_candidate=arm) for arm in (False, True))
    return [
        (thread, bool(is_candidate))
        for pair in zip(*arms, strict=True)
        for is_candidate, thread in enumerate(pair)
    ]


async def test_questions_in_flight_are_answered_while_the_generator_is_swapped(team: Team) -> None:
    team.roles.gate.clear()
    await team.ask(f"{n}.0" for n in range(1, 5))
    for _ in range(4):
        await asyncio.to_thread(team.roles.begun.acquire, timeout=WAIT_S)
    run = trained(team.settings, WORDS)
    publish(team.home, run, reason="better")
    await asyncio.to_thread(team.roles.has_loaded.wait, WAIT_S)
    await team.follow()
    await team.ask(["5.0"])
    team.roles.gate.set()
    await team.settle()
    assert sorted(team.turns("generator")) == sorted([run.id, *["writer@1"] * 4])
    assert len(team.house.slack.posted("C1")) == 5


async def test_a_rollback_by_kind_is_followed(team: Team) -> None:
    run = trained(team.settings, WORDS)
    publish(team.home, run, reason="better")
    await team.follow()
    await team.ask(["1.0"])
    await team.settle()
    said = await team.command("rollback generator")
    await team.follow()
    await team.ask(["2.0"])
    await team.settle()
    assert "the model as configured serves as Generator again" in said
    assert team.turns("generator") == [run.id, "writer@1"]


async def test_a_turn_keeps_its_arm_and_the_models_that_made_it(team: Team) -> None:
    trial = await team.try_words(WORDS, share=0.5)
    (served, _), (candidate, _) = of_both(trial, 1)
    await team.ask([served])
    await team.settle()
    await team.ask([candidate])
    await team.settle()
    assert team.turns("arm") == ["served", "candidate"]
    assert team.turns("generator") == ["writer@1", trial.run]
    assert set(team.turns("trial")) == {trial.run}
    assert set(team.turns("share")) == {0.5}
    assert all(team.turns("judge"))
    assert set(team.turns("embedder")) == {"words"}


async def test_a_candidate_that_is_voted_down_is_taken_back(team: Team) -> None:
    trial = await team.try_words(WORDS, share=0.5)
    threads = of_both(trial, 12)
    await team.ask(thread for thread, _ in threads)
    await team.settle()
    for thread, is_candidate in threads:
        await team.rate(thread, is_good=not is_candidate)
    await team.house.slack.until(lambda: bool(team.house.slack.posted("D1")))
    (told,) = team.house.slack.posted("D1")
    assert f"taken back Generator `{trial.run}`: people rate its answers worse" in str(told)
    assert under_way(team.home) is None
    assert deployments(team.home)[-1].how == "stop"
    await team.settle()


async def test_nobody_alone_takes_a_model_back(team: Team) -> None:
    trial = await team.try_words(WORDS, share=0.5)
    threads = of_both(trial, 12)
    await team.ask(thread for thread, _ in threads)
    await team.settle()
    for thread, is_candidate in threads:
        await team.rate(thread, is_good=not is_candidate, by="U7")
    await team.settle()
    assert len(read_arms(team.bot.inbox.database, trial).ratings) == 10
    assert under_way(team.home) == trial


async def test_equal_arms_are_left_alone(team: Team) -> None:
    trial = await team.try_words(BASE_WORDS, share=0.5)
    threads = of_both(trial, 12)
    await team.ask(thread for thread, _ in threads)
    await team.settle()
    for place, (thread, _) in enumerate(threads):
        await team.rate(thread, is_good=place % 6 < 4)
    await team.settle()
    assert harm(read_arms(team.bot.inbox.database, trial)) is None
    assert under_way(team.home) == trial
    said = await team.command("trial")
    assert "On trial: 12 questions, 12 answered; 12 ratings, 8 good" in said
    assert "not enough ratings yet" in said


async def test_a_candidate_that_fails_is_taken_back_and_everybody_is_answered(team: Team) -> None:
    trial = await team.try_words("failing", share=0.5)
    await team.ask(of_arm(trial, 3, is_candidate=True))
    await team.settle()
    await team.house.slack.until(lambda: bool(team.house.slack.posted("D1")))
    assert "it failed in 3 of 3 questions" in str(team.house.slack.posted("D1"))
    assert len(team.house.slack.posted("C1")) == 3
    assert team.turns("arm") == ["failed"] * 3


async def test_what_was_published_after_its_trial_is_still_taken_back(team: Team) -> None:
    trial = await team.try_words(WORDS, share=0.5)
    threads = of_both(trial, 12)
    await team.ask(thread for thread, _ in threads)
    await team.settle()
    for thread, is_candidate in threads:
        if not is_candidate:
            await team.rate(thread, is_good=True)
    await team.settle()
    assert "answers everybody" in await team.command(f"trial publish {trial.run}")
    for thread, is_candidate in threads:
        if is_candidate:
            await team.rate(thread, is_good=False)
    await team.house.slack.until(lambda: bool(team.house.slack.posted("D1")))
    assert serving(team.home, "generator") is None
    assert deployments(team.home)[-1].how == "rollback"
    await team.settle()


async def test_the_shadow_answers_for_nobody_to_see(team: Team) -> None:
    trial = await team.try_words(WORDS, share=0)
    await team.ask([f"{LATER}.0"])
    await team.settle()
    database = team.bot.inbox.database
    async with asyncio.timeout(WAIT_S):
        while not (rows := list(database.connection.query("SELECT * FROM shadows"))):
            await team.follow()
    assert (rows[0]["trial"], rows[0]["kind"], rows[0]["overlap"]) == (trial.run, "answer", 1.0)
    assert WORDS.removesuffix(" [1].") in rows[0]["answer"]
    (shown,) = team.house.slack.posted("C1")
    assert "A keeper has 27 days" in str(shown)
    said = await team.command("models")
    assert "It answers for nobody to see" in said
    assert "Compared in 1 questions: 100% of the passages found are the same" in said


async def test_a_channel_can_keep_out_of_trials(team: Team) -> None:
    team.bot.channels.set("C1", ChannelConfig(trials=False), by="U1")
    trial = await team.try_words(WORDS, share=0.5)
    await team.ask(of_arm(trial, 1, is_candidate=True))
    await team.settle()
    assert (team.turns("generator"), team.turns("trial")) == (["writer@1"], [None])


async def test_an_admin_publishes_once_from_the_card(team: Team) -> None:
    trial = await team.try_words(WORDS, share=0.2)
    said = [await team.command(f"trial publish{id_}") for id_ in (f" {trial.run}", "")]
    assert said[0] == said[1]
    assert [change.how for change in deployments(team.home)] == ["trial", "publish"]
    found = under_way(team.home)
    assert found is not None
    assert found.mode == "all"


async def test_the_card_has_buttons_that_ask_first_and_end_the_trial(team: Team) -> None:
    trial = await team.try_words(WORDS, share=0.2)
    await team.command("models")
    card = team.house.slack.responses["models"][-1]
    publish_it, stop_it = card["blocks"][-1]["elements"]
    assert all("next question" in str(button_["confirm"]) for button_ in (publish_it, stop_it))
    assert publish_it["value"] == f"trial publish {trial.run}"
    team.jobs += 1
    await team.house.slack.deliver(click(stop_it, trigger_id="clicked"))
    await team.settle()
    assert under_way(team.home) is None
    assert "is not on trial any more" in str(team.house.slack.posted("D1"))


async def test_stopping_a_trial_twice_stops_it_once(team: Team) -> None:
    trial = await team.try_words(WORDS, share=0.2)
    first, second = [await team.command(f"trial stop{id_}") for id_ in (f" {trial.run}", "")]
    assert "is not on trial any more" in first
    assert "No model is on trial" in second
    assert under_way(team.home) is None


async def test_who_is_no_admin_ends_no_trial(house: House) -> None:
    bot = await house.start()
    assert "Only admins" in await command(house, bot, "trial stop")


async def test_a_forgotten_persons_model_is_no_longer_tried(team: Team) -> None:
    trial = await team.try_words(WORDS, share=0.5)
    run: Run = next(model.run for model in Installation(team.live.library).learned())
    retire(team.home, run, reason="somebody was forgotten")
    await team.follow()
    await team.ask(of_arm(trial, 1, is_candidate=True))
    await team.settle()
    assert team.turns("generator") == ["writer@1"]
