from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from bot.settings import SlackSettings
from retrieval.errors import IndexNotFoundError
from retrieval.records import Answer, AnswerRequest
from tests.bot.conftest import House, settled
from tests.bot.story import Story
from tests.fakes import SentenceAnswerer
from tests.slack_server import Fault, event, mention

ROOT = Path(__file__).parents[3]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


async def read(settings: SlackSettings) -> tuple[int, str]:
    url = f"http://127.0.0.1:{settings.health_port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


def values(text: str) -> dict[str, float]:
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_a_running_bot_tells_what_it_answered(house: House) -> None:
    settings = house.settings(health_port=free_port())
    bot = await house.start(settings=settings)
    before = values((await read(settings))[1])
    await house.slack.deliver(event(mention("How many days of leave?", ts="1.0"), "Ev1"))
    await settled(bot)
    await house.slack.deliver(event(mention("Who painted the moon?", ts="2.0"), "Ev2"))
    await settled(bot, done=2)
    after = values((await read(settings))[1])
    gained = {name: after[name] - before.get(name, 0) for name in after}
    assert gained["whimbrel_questions_total answered"] == 1
    assert gained["whimbrel_questions_total abstained"] == 1
    assert gained["whimbrel_jobs_total question done"] == 2
    assert gained["whimbrel_answer_seconds_count card"] == 2
    assert gained["whimbrel_slack_calls_total chat.postMessage ok"] >= 1
    assert after["whimbrel_queue_jobs question"] == 0
    assert after["whimbrel_index_passages"] == 812
    assert after["process_resident_memory_bytes"] > 0


async def test_numbers_name_nobody_and_nothing_that_was_asked(house: House) -> None:
    settings = house.settings(health_port=free_port())
    bot = await house.start(settings=settings)
    asked = mention("Does canary-7f3 get paid leave days?", ts="1.0", user="UCANARY1", channel="C9")
    await house.slack.deliver(event(asked, "EvCanary"))
    await settled(bot)
    _, text = await read(settings)
    assert not re.search(r"(?i)canary|\bC9\b|leave|handbook|EvCan", text)
    labels = set(re.findall(r"[{,](\w+)=", text))
    assert labels <= {
        "outcome", "stage", "le", "kind", "value", "method", "model", "source", "learner"
    }  # fmt: skip


async def test_a_setting_turns_the_numbers_off(house: House) -> None:
    settings = house.settings(health_port=free_port(), metrics=False)
    await house.start(settings=settings)
    status, _ = await read(settings)
    assert status == 404


async def test_the_dashboard_asks_for_what_the_bot_tells_and_for_all_of_it(house: House) -> None:
    settings = house.settings(health_port=free_port())
    await house.start(settings=settings)
    _, text = await read(settings)
    told = {
        re.sub(r"_total$", "", name) for name in re.findall(r"^# TYPE (\w+)", text, re.MULTILINE)
    }
    board = json.loads((ROOT / "deploy" / "grafana.json").read_text())
    asked = {
        re.sub(r"_(total|bucket|sum|count)$", "", name)
        for panel in board["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\b(?:whimbrel|process)_\w+", target["expr"])
    }
    assert asked - told == set()
    assert {name for name in told if name.startswith("whimbrel_")} - asked == set()


async def test_what_slack_throttles_what_fails_and_votes_are_counted(house: House) -> None:
    class Failing(SentenceAnswerer):
        def answer(self, request: AnswerRequest, **_: Any) -> Answer:
            if "leave" not in request.text:
                raise IndexNotFoundError("there is no index")
            return super().answer(request)

    settings = house.settings(health_port=free_port())
    story = Story(house, await house.start(Failing(), settings=settings))
    before = values((await read(settings))[1])
    house.slack.fail("chat.postMessage", Fault("throttled"))
    _, turn = await story.ask("How many days of leave are there?")
    await story.rate(turn, "good")
    await house.slack.deliver(event(mention("Who won the cup?", ts="9.0"), "EvF"))
    await settled(story.bot, done=2, dead=1)
    after = values((await read(settings))[1])
    gained = {name: after[name] - before.get(name, 0) for name in after}
    assert gained["whimbrel_slack_throttled_total chat.postMessage"] == 1
    assert gained["whimbrel_votes_total up"] == 1
    assert gained["whimbrel_questions_total error"] == 1
    assert gained["whimbrel_jobs_total question failed"] == 1
