"""Decisions of the review page, handed to the bot as if they had been clicked in Slack."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict

from bot.slack.incoming.interactions import APPROVE_REVIEW, EDITED_REVIEW, REJECT_REVIEW
from bot.slack.incoming.payloads import Interaction
from bot.store.inbox import Delivery, Inbox
from bot.store.reviews import Review

ACTS = {"approve": APPROVE_REVIEW, "edit": EDITED_REVIEW, "reject": REJECT_REVIEW}
FIELDS = ("question", "answer", "document")
MAX_TEXT = 3_000
LOOKS, LOOK_S = 30, 0.1


class Deciding:
    """Writes decisions into the inbox; whether somebody may decide, the bot asks once more."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def decide(self, act: str, review: Review, person: str, said: Mapping[str, str]) -> None:
        """Hand a decision over.

        Raises:
            ValueError: If there is no such act, or a text is too long.
        """
        inputs = {name: said.get(name, "") for name in FIELDS} if act == "edit" else {}
        if act not in ACTS or any(len(text) > MAX_TEXT for text in inputs.values()):
            raise ValueError(f"found {act!r} with {sum(map(len, inputs.values()))} characters")
        delivery = Delivery(
            event_id=f"page:{secrets.token_hex(16)}",
            kind="review",
            team="",
            channel="",
            user=person,
            thread_key=f"review:{person}",
            payload=asdict(Interaction(ACTS[act], value=str(review.id), inputs=inputs)),
        )
        await self._inbox.database.run(self._inbox.accept, delivery)


async def outcome(act: str, state: Callable[[], str]) -> str:
    """What became of a decision, for people: the bot may need a moment, or not be there."""
    for _ in range(LOOKS):
        now = await asyncio.to_thread(state)
        if now != "open":
            meant = "rejected" if act == "reject" else "approved"
            return now if now == meant else "taken"
        await asyncio.sleep(LOOK_S)
    return "handed"
