"""The whole loop in Slack: a bot that runs learns from its log with the real program."""

from __future__ import annotations

import asyncio

import pytest

from bot.admin.learner import LearningProcess
from bot.app.bot import Bot
from bot.review.document_lookup import DocumentLookup
from bot.store.database import Database
from retrieval.examples import content_id
from retrieval.index.generation import load_index
from retrieval.index.library import Library
from retrieval.registry.runs import serving
from retrieval.search.embedding import Embedder
from retrieval.serving.installation import Installation
from retrieval.serving.live import Live
from retrieval.serving.model_loader import InstalledModels
from retrieval.settings import Settings
from tests.bot.admin.test_commands import command
from tests.bot.conftest import House, settled
from tests.slack_server import event, mention
from tests.training import jargon
from tests.training.test_loop import Company, bring_in, honest

pytestmark = pytest.mark.slow

LEARNED_S = 900
"""It takes half a minute, but steps back behind whatever else the machine does."""


def rated_company(house: House) -> Settings:
    """A company's documents, indexed, and the votes of its people in the log of the bot."""
    model = Embedder.load(Settings(embedder="all-minilm-l6-v2"))
    settings = jargon.build(house.folder, model)
    company = Company(settings, model, load_index(settings.index_folder, model))
    database = Database(settings.database_file)
    bring_in(honest(company), house.folder, database)
    database.close()
    house.folder = settings.home
    return settings


def installed(settings: Settings) -> Live:
    """What answers, as `whimbrel serve` loads it."""
    return Live(
        settings, Library.load(settings, Embedder.load(settings)), InstalledModels(settings)
    )


def real_bot(house: House, settings: Settings, live: Live) -> Bot:
    """The bot as `whimbrel serve` puts it together."""
    return house.bot(
        live,
        learner=LearningProcess(settings),
        installation=Installation(live.library, live.models),
        documents=DocumentLookup(live),
        candidates=live,
    )


async def answer(house: House, bot: Bot, number: int, *, done: int) -> str:
    """What the bot says to a question that was held out, asked by mentioning it."""
    ts = f"{number}.0"
    question = "Is there a projector in the archive?"
    await house.slack.deliver(event(mention(question, ts=ts), f"Ev{number}"))
    await settled(bot, done=done)
    return str(house.slack.posted("C1")[-1]["blocks"])


async def test_an_admin_lets_it_learn_what_people_voted_for_and_takes_it_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.slack.users["U1"]["is_admin"] = True
    settings = rated_company(house)
    for name in ("home", "embedder", "generator"):
        monkeypatch.setenv(f"WHIMBREL_{name.upper()}", str(getattr(settings, name)))
    right = f"The drovic of the archive belongs to team {content_id('drovic', 'archive')[:4]}"
    live = installed(settings)
    bot = await house.enter(real_bot(house, settings, live))
    assert right not in await answer(house, bot, 1, done=1)
    await command(house, bot, "learn", done=2, within_s=LEARNED_S)
    run = serving(settings.runs_folder, "retriever")
    assert run is not None
    assert "*Retriever, by a map*: better, serves now." in house.slack.posted("D1")[0]["text"]
    assert f"{run.id}.png" in house.slack.uploads.shared["D1"]
    await asyncio.to_thread(live.refresh)  # until then the model before may answer
    assert right in await answer(house, bot, 2, done=3)
    said = await command(house, bot, "rollback", done=4)
    assert f"the model as configured serves as Retriever again, not `{run.id}`" in said
    assert "The documents are the same" in said
    await asyncio.to_thread(live.refresh)
    assert right not in await answer(house, bot, 3, done=5)
