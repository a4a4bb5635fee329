"""Which turns and ratings may be learned from at all: consent, audience, privacy, secrets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.export.records import Correction, Exclusion, ExportedTurn, Log, Policy, ReasonCode
from bot.scrubbing import Scrubber
from bot.slack.audience import of_documents
from retrieval.examples import PassageText, content_id
from retrieval.records import PUBLIC
from retrieval.secret_forms import has_secret

Passages = Mapping[str, PassageText]
"""The text of each passage that still is what it was, by its content hash."""


@dataclass(frozen=True, slots=True)
class AdmittedLog:
    """What is left of a log when everything that may not be learned from is taken out."""

    log: Log
    exclusions: tuple[Exclusion, ...]


def turn_id(turn: ExportedTurn) -> str:
    """An id that tells nothing to somebody who has only the data set."""
    return content_id("turn", turn.id)


def admit(log: Log, policy: Policy, passages: Passages, public: frozenset[str]) -> AdmittedLog:
    """The scrubbed turns, ratings and corrections of people who agreed, made from public documents.

    Args:
        log: Everything.
        policy: What is let in besides.
        passages: The passages as they are now.
        public: The content hashes of those that everybody may see.
    """
    of_turn: dict[str, list[Correction]] = defaultdict(list)
    for correction in log.corrections:
        of_turn[correction.turn_id].append(correction)
    turns: list[ExportedTurn] = []
    corrections: list[Correction] = []
    exclusions: list[Exclusion] = []
    for turn in log.turns:
        reason = _refusal(turn, log, policy, passages, public)
        if reason is None:
            better = [
                correction
                for correction in of_turn[turn.id]
                if log.may_use(correction.author, turn.id)
                and (
                    _is_public(correction, turn, passages, public)
                    or turn.channel in policy.channels
                )
            ]
            scrubbed, better, reason = scrub(turn, better, passages)
        if reason is None:
            turns.append(scrubbed)
            corrections += better
        else:
            exclusions.append(Exclusion("turn", turn_id(turn), reason))
    kept = {turn.id for turn in turns}
    rest = replace(
        log,
        turns=tuple(turns),
        corrections=tuple(corrections),
        events=tuple(
            e for e in log.events if e.turn_id in kept and log.may_use(e.rater, e.turn_id)
        ),
        reasons=tuple(
            r for r in log.reasons if r.turn_id in kept and log.may_use(r.person, r.turn_id)
        ),
    )
    return AdmittedLog(rest, tuple(exclusions))


def _refusal(
    turn: ExportedTurn, log: Log, policy: Policy, passages: Passages, public: frozenset[str]
) -> ReasonCode | None:
    if not all(log.may_use(person, turn.id) for person in (turn.asker, *turn.earlier_askers)):
        return "no_consent"
    if turn.is_private and not policy.with_direct_messages:
        return "private_conversation"
    is_opted_in = turn.channel in policy.channels
    if turn.in_private_channel and not (turn.is_private or is_opted_in):
        return "private_conversation"
    # Whether the place was private is asked above.
    is_public = of_documents(turn.audience) <= {PUBLIC} and all(
        passage.content_hash in public
        for passage in turn.passages
        if passage.content_hash in passages
    )
    if not (is_public or is_opted_in):
        return "restricted_audience"
    if any(
        has_secret(passages[p.content_hash].text)
        for p in turn.passages
        if p.content_hash in passages
    ):
        return "secret"
    return None


def _is_public(
    correction: Correction, turn: ExportedTurn, passages: Passages, public: frozenset[str]
) -> bool:
    """Whether a correction needs no more than the turn, which is let in, and public documents."""
    needed = correction.audience - turn.audience
    named = {passage for passage in correction.passages if passage in passages}
    return needed <= {PUBLIC} and named <= public


def scrub(
    turn: ExportedTurn, corrections: list[Correction], passages: Passages
) -> tuple[ExportedTurn, list[Correction], ReasonCode | None]:
    """The turn and its corrections with placeholders, and a reason if something may be left."""
    shown = (passages.get(passage.content_hash) for passage in turn.passages)
    scrubber = Scrubber(
        "\n".join(f"{passage.title}\n{passage.text}" for passage in shown if passage)
    )
    scrubbed = replace(
        turn, question=scrubber.scrub(turn.question), answer=scrubber.scrub(turn.answer)
    )
    better = [replace(given, answer=scrubber.scrub(given.answer)) for given in corrections]
    texts = (scrubbed.question, scrubbed.answer, *(correction.answer for correction in better))
    is_left = any(scrubber.leaves(text) for text in texts)
    return scrubbed, better, "personal_data" if is_left else None
