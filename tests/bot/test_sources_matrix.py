"""Who is shown what of a source that restricts its documents: people × places × what changes there.

The documents are synced and indexed for real; everything that leaves for Slack is searched.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from retrieval.index.building import update_index
from retrieval.index.content import read_content
from retrieval.records import Passage
from retrieval.registry.folders import served
from retrieval.settings import Settings, SourceTable
from retrieval.sources.connector import Omission, sources_of
from retrieval.sources.mirror import labels_held
from retrieval.sources.syncing import pull_source
from tests.bot.conftest import House
from tests.bot.test_audience_matrix import ALL, PLAIN, QUIET, TEAM_ROOM, Town, leaks
from tests.fakes import SentenceDocuments
from tests.retrieval.sources.shelf import Shelf
from tests.retrieval.word_embedder import WordEmbedder

ANN, BEN, EVE, GUEST, UNCONFIRMED, ELSEWHERE, ADMIN = "U1", "U2", "U3", "U4", "U5", "U6", "U9"
"""Two who are named, one who is not; a guest, one who did not confirm the address, and one of
another organisation, who are named and must not be believed; an admin."""

MAIL = {
    ANN: "Ann@Example.com",
    BEN: "ben@example.com",
    EVE: "eve@example.com",
    GUEST: "cy@example.com",
    UNCONFIRMED: "dee@example.com",
    ELSEWHERE: "gus@example.com",
    ADMIN: "admin@example.com",
}
ANN_ALONE = frozenset({"ann@example.com"})
BOTH = ANN_ALONE | {"ben@example.com"}
NOBODY_HERE = frozenset({"cy@example.com", "dee@example.com", "gus@example.com"})

QUESTIONS = (
    "What is the code of the vault?",
    "What is the price of the boat?",
    "What is the date of the party?",
    "What is the name of the tune?",
)
NOBODY = r"(?!)"
BY_SELF = "(dm|home|C1|C2|G1|G2)"  # a reply to /ask in a channel is for who asked alone


def shelf() -> Shelf:
    shelf = Shelf()
    for key, text, readers in (
        ("vault", "The code of the vault is annword.", ANN_ALONE),
        ("boat", "The price of the boat is bothword.", BOTH),
        ("party", "The date of the party is nobodyword.", NOBODY_HERE),
        ("tune", "The name of the tune is openword.", None),
    ):
        shelf.put(key, text, readers=readers, title=f"{text.split()[-1][:-5]}title")
    return shelf


class Wiki:
    """A source and the documents made of it, which a bot answers from."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home, sources={"wiki": SourceTable(kind="shelf")})
        self.shelf = shelf()
        self.held = SentenceDocuments([])

    def pull(self) -> None:
        pull_source(self.settings, sources_of(self.settings)["wiki"], self.shelf)

    def index(self) -> None:
        update_index((), self.settings, WordEmbedder())
        self.held.passages = self.passages()
        self.held.generation += "+"

    def passages(self) -> list[Passage]:
        generation = served(self.settings.index_folder)
        assert generation
        return list(read_content(generation).passages)

    def holdings(self, email: str) -> Sequence[str]:
        return labels_held(self.settings.sources_folder, email)


def change(wiki: Wiki, key: str, text: str, **rest: Any) -> None:
    version = str(int(wiki.shelf.documents[key].version) + 1)
    title = wiki.shelf.documents[key].title
    wiki.shelf.put(key, text, version, title=title, **rest)


async def bustle(town: Town) -> dict[str, str]:
    """Everybody asks everywhere and clicks on everything; what each of them is shown."""
    for question in QUESTIONS:
        for channel in (ALL, QUIET, TEAM_ROOM, PLAIN):
            await town.ask(question, ANN, channel)
        for person in MAIL:
            await town.ask(question, person, "dm")
        for person in (ANN, BEN, EVE, GUEST):
            await town.ask(question, person, "ask")
        await town.point_at(question)
    await town.click_everything()
    await town.look_at_home()
    await town.command()
    return await town.seen()


@pytest.mark.slow
async def test_a_source_s_own_permissions_hold_everywhere(house: House) -> None:
    wiki = Wiki(house.folder / "home")
    for person, email in MAIL.items():
        house.slack.users[person]["profile"] = {"email": email}
    house.slack.users[GUEST]["is_restricted"] = True
    house.slack.users[UNCONFIRMED]["is_email_confirmed"] = False
    house.slack.users[ELSEWHERE]["team_id"] = "T2"
    for room in (TEAM_ROOM, PLAIN):
        house.slack.channels[room]["is_private"] = True
    town = Town(house, wiki.held)
    wiki.pull()
    wiki.index()
    async with await town.serve(held_at_sources=wiki.holdings, guest_audiences=("visit",)):
        seen = await bustle(town)
        mine, ours = f"U1@{BY_SELF}", f"U[12]@{BY_SELF}"
        words = {
            "annword": mine, "anntitle": mine, "bothword": ours, "bothtitle": ours,
            "nobodyword": NOBODY, "nobodytitle": NOBODY,
        }  # fmt: skip
        assert leaks(seen, words) == []
        in_rooms = dict.fromkeys(words, r"U\d@(dm|home)|U[12]@C1")
        assert leaks(seen, in_rooms) == [], "only /ask shows anything in a channel"
        for canary, reader in (
            ("annword", "U1@dm"), ("bothword", "U2@dm"), ("bothword", "U2@C1"),
            ("openword", "U3@dm"), ("openword", "U2@G1"), ("openword", "U4@dm"),
        ):  # fmt: skip
            assert canary in seen.get(reader, ""), (canary, reader)

        # Ben loses the boat, the tune is for Ann alone from now on, the party has gone.
        change(wiki, "boat", "The price of the boat is bothword.", readers=ANN_ALONE)
        change(wiki, "tune", "The name of the tune is openword.", readers=ANN_ALONE)
        wiki.shelf.take("party")
        wiki.pull()
        seen = await bustle(town)  # the index is as it was
        assert leaks(seen, words | {"bothword": NOBODY, "bothtitle": NOBODY}) == []
        wiki.index()
        await town.seen()
        seen = await bustle(town)
        assert leaks(seen, dict.fromkeys([*words, "openword"], mine)) == []
        assert "openword" in seen["U1@dm"]
        assert "bothword" in seen["U1@dm"]

        # The vault cannot be read any more, who may read the boat cannot be told.
        change(wiki, "vault", "The code of the vault is annword.", readers=ANN_ALONE)
        wiki.shelf.unreadable = {"vault": 403}
        wiki.shelf.take("boat")
        wiki.shelf.left_out = [Omission("boat", "boat.md", "is for a group that is unknown")]
        wiki.pull()
        wiki.index()
        seen = await bustle(town)
        assert leaks(seen, {"openword": mine, "annword": NOBODY, "bothword": NOBODY}) == []
