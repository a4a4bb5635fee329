"""Documents that people call outdated: whose word counts, and the admins' way to lift one."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial

from bot.admin.admin_cards import NAMES_SHOWN, section
from bot.admin.commands import CommandRequest
from bot.admin.config import SourcesOf
from bot.export.caps import DOUBTED, together
from bot.export.log_reader import read_log
from bot.export.records import Log, Policy
from bot.export.verdicts import consolidate, trust_of, unproven, within_week
from bot.review.document_lookup import DocumentLookup
from bot.slack.outgoing.cards import Card, notice
from bot.slack.outgoing.mrkdwn import code
from bot.slack.workspace import Workspace
from bot.store.database import Database
from bot.store.outdated import Outdated, OutdatedDocument, Statement, current
from bot.store.reasons import Reasons
from bot.store.turns import Turns
from bot.strings import Strings
from bot.trials.watching import repeat
from retrieval.records import Source

EXPERT = 1.4
"""The weight of an expert's word. Others' is how far they are trusted, less than 1: it takes an
expert and somebody else, or three people."""


async def watch(database: Database, documents: DocumentLookup, *, every_s: float) -> None:
    """Weigh again and again what people call outdated, until cancelled."""
    await repeat(partial(database.run, weigh, database, documents), every_s)


def weigh(database: Database, documents: DocumentLookup) -> None:
    """Look at what was called outdated since the last time, and decide anew whose word counts.

    A reason is about the document that the answer cites first, if that still holds the passage.

    Raises:
        RetrievalError: If the documents cannot be looked up.
    """
    outdated = Outdated(database)
    if not (new := outdated.unnoted()):
        return
    for turn_id, person in new:
        outdated.note(turn_id, person, _blamed(turn_id, person, database, documents))
    said = outdated.statements()
    if any(found.people > 1 for found in outdated.documents()):  # nobody is enough alone
        outdated.weigh(weights(said, read_log(database)))


def _blamed(
    turn_id: str, person: str, database: Database, documents: DocumentLookup
) -> Source | None:
    """The document that a person calls outdated; not the one that they say holds the answer."""
    turn = Turns(database).get(turn_id)
    cited = turn.cited if turn else None
    passage = documents.held().passages.get(cited) if cited else None
    reason = Reasons(database).of(turn_id, person)
    right = reason.document.document_id if reason and reason.document else None
    return passage.source if passage and passage.source.id != right else None


def weights(said: Sequence[Statement], log: Log) -> dict[Statement, float]:
    """How much each statement counts, by the rules that hold for ratings that are learned from.

    Of those who rate together, and of all whom nobody proven agrees with, one counts for each
    document; ratings beyond the most of a week count for nothing.
    """
    ratings, _ = within_week(consolidate(log.events), Policy().max_votes_a_week)
    trust = trust_of(ratings, log)
    alike: dict[tuple[str, int], set[str]] = defaultdict(set)
    for rating in ratings:
        alike[rating.turn_id, rating.value].add(rating.rater)
    voices = together(alike.values())
    voices |= dict.fromkeys(unproven(ratings, log, trust), DOUBTED)
    counted = {(rating.turn_id, rating.rater) for rating in ratings if rating.value < 0}
    found = {
        statement: _weight(statement, log, trust)
        if (statement.turn_id, statement.person) in counted
        else 0.0
        for statement in said
    }
    best: dict[tuple[str, str, str], Statement] = {}
    for statement in sorted(said, key=lambda statement: -found[statement]):
        voice = voices.get(statement.person, statement.person)
        best.setdefault((statement.document, statement.sha256, voice), statement)
    counts = {*best.values()}
    return {said: weight if said in counts else 0.0 for said, weight in found.items()}


def _weight(statement: Statement, log: Log, trust: Mapping[str, float]) -> float:
    is_expert = log.is_expert(statement.person, statement.channel)
    return EXPERT if is_expert else trust.get(statement.person, 0.0)


class Lifting:
    """`/whimbrel outdated [document]`: which documents stand lower; lifts one."""

    def __init__(self, database: Database, workspace: Workspace, sources_of: SourcesOf) -> None:
        self._database = database
        self._outdated = Outdated(database)
        self._audiences = workspace.audiences
        self._sources_of = sources_of

    async def run(self, request: CommandRequest) -> Card:
        """Tell it, or lift a document, of those that the admin may read."""
        labels = await self._audiences.of_person(request.job.user)
        sources = await asyncio.to_thread(self._sources_of)
        documents = await self._database.run(self._outdated.documents)
        found = [
            (document, source)
            for document, source in current(documents, sources)
            if document.is_lowered and source.audience in labels
        ]
        strings, wanted = request.strings, " ".join(request.arguments)
        if not wanted:
            return _listed(found, strings)
        same = [source for _, source in found if source.id.lower() == wanted]
        same = same or [source for _, source in found if wanted in source.id.lower()]
        if len(same) != 1:
            return notice(strings.outdated.unknown.format(document=code(wanted)))
        await self._database.run(self._outdated.dismiss, same[0].id)
        return notice(strings.outdated.lifted.format(document=code(same[0].id)))


def _listed(found: Sequence[tuple[OutdatedDocument, Source]], strings: Strings) -> Card:
    texts = strings.outdated
    if not found:
        return notice(texts.none)
    lines = [
        texts.document.format(
            document=code(source.id), people=document.people, owner=code(source.owner or "–")
        )
        for document, source in found[:NAMES_SHOWN]
    ]
    text = "\n".join([texts.lowered, *lines, texts.lift])
    return Card(text, (section(text),))
