"""What an answered question teaches: pure rules from turns, ratings and corrections to examples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeVar

from bot.export.admission import Passages
from bot.export.records import (
    ABOUT_PASSAGES,
    ABOUT_STYLE,
    Correction,
    DownRatingReason,
    ExampleDraft,
    Exclusion,
    ExportedTurn,
    Log,
    RatingEvent,
    ReasonCode,
    ShownPassage,
)
from bot.export.verdicts import RatingVerdict, Trust, verdict
from retrieval.answering.citations import Citer
from retrieval.answering.support import SUPPORT_THRESHOLD
from retrieval.examples import Example, ExampleKind, PassageText, content_id
from retrieval.language import sentences
from retrieval.records import Passage, Source

EvidenceSource = Literal["votes", "correction", "approved", "imported"]

T = TypeVar("T", RatingEvent, DownRatingReason, Correction)

RULES_VERSION = 6
"""Raised whenever the same log would give another data set."""


@dataclass(frozen=True)
class RatedCase:
    """The same question answered in the same way, once or several times, and what people said.

    The first turn speaks for all.
    """

    turns: tuple[ExportedTurn, ...]
    ratings: tuple[RatingEvent, ...]
    reasons: tuple[DownRatingReason, ...]
    corrections: tuple[Correction, ...]
    verdict: RatingVerdict

    @property
    def turn(self) -> ExportedTurn:
        """The latest of the turns."""
        return self.turns[0]

    @cached_property
    def id(self) -> str:
        """An id that tells nothing to somebody who has only the data set."""
        return content_id("case", *sorted(turn.id for turn in self.turns))

    @property
    def is_pinned(self) -> bool:
        """Whether an import wants it held out."""
        return any(turn.given_split == "test" for turn in self.turns)

    @property
    def codes(self) -> frozenset[str]:
        """Why people disliked the answer."""
        return frozenset(reason.code for reason in self._disliked if reason.code)

    @property
    def named(self) -> str | None:
        """The passage found that holds the answer, if those who disliked it name one and agree."""
        found = {passage.content_hash for turn in self.turns for passage in turn.passages}
        named = {reason.passage for reason in self._disliked if reason.passage}
        return next(iter(named)) if len(named) == 1 and named <= found else None

    @property
    def _disliked(self) -> list[DownRatingReason]:
        down = {rating.rater for rating in self.ratings if rating.value < 0}
        return [reason for reason in self.reasons if reason.person in down]


def cases_of(
    log: Log, ratings: Sequence[RatingEvent], same: Mapping[str, int], trust: Trust
) -> list[RatedCase]:
    """The turns with one question (`same` numbers them) and one answer, as one case each.

    The latest turn speaks for all. Of somebody who rated on several, the last rating counts.
    """
    turns = {turn.id: turn for turn in log.turns}
    groups: dict[tuple[object, ...], list[ExportedTurn]] = {}
    for turn in sorted(log.turns, key=lambda turn: (turn.created, turn.id), reverse=True):
        groups.setdefault(_evidence(turn, same), []).append(turn)
    cast, reasons, corrections = _by_turn(ratings), _by_turn(log.reasons), _by_turn(log.corrections)
    cases = []
    for group in groups.values():
        own = _last_of_each(rating for turn in group for rating in cast[turn.id])
        cases.append(
            RatedCase(
                turns=tuple(group),
                ratings=own,
                reasons=tuple(reason for turn in group for reason in reasons[turn.id]),
                corrections=tuple(
                    correction for turn in group for correction in corrections[turn.id]
                ),
                verdict=verdict(own, turns, trust, log),
            )
        )
    return cases


def _by_turn(rows: Iterable[T]) -> dict[str, list[T]]:
    found: dict[str, list[T]] = defaultdict(list)
    for row in rows:
        found[row.turn_id].append(row)
    return found


def _evidence(turn: ExportedTurn, same: Mapping[str, int]) -> tuple[object, ...]:
    """What a rating is about: the question and the passages, or the words where none are cited."""
    cited = frozenset(passage.content_hash for passage in turn.cited)
    said = None if turn.is_abstention else cited or turn.answer
    return same[turn.question], turn.given_split == "test", turn.is_abstention, said


def _last_of_each(ratings: Iterable[RatingEvent]) -> tuple[RatingEvent, ...]:
    ordered = sorted(ratings, key=lambda rating: rating.number)
    return tuple({rating.rater: rating for rating in ordered}.values())


def drafts_of(case: RatedCase, passages: Passages) -> Iterator[ExampleDraft | Exclusion]:
    """What a case teaches, and what it does not teach and why."""
    if all(turn.is_unasked for turn in case.turns):
        yield from _message(case)
    approved = [correction for correction in case.corrections if correction.is_approved]
    if approved:
        yield from _corrected(case, approved[-1], passages)
        return
    if case.corrections:
        yield Exclusion("example", case.id, "unapproved_correction")
    if case.verdict.reason is not None:
        yield Exclusion("turn", case.id, case.verdict.reason)
    elif case.turn.is_abstention:
        yield from _abstention(case, passages)
    elif case.verdict.word == "good":
        yield from _good(case, passages)
    else:
        yield from _bad(case, passages)


def _message(case: RatedCase) -> Iterator[ExampleDraft]:
    """Whether what was answered unasked was a question: a wrong answer says that it was."""
    is_bad = case.verdict.word == "bad"
    if case.verdict.reason is None and (case.codes or not is_bad):
        is_none = is_bad and case.codes == {"not_understood"}
        yield _draft(case, "message", (), is_good=not is_none)


def _good(case: RatedCase, passages: Passages) -> Iterator[ExampleDraft | Exclusion]:
    shown, reason = _shown(case.turn, passages)
    if reason:
        yield Exclusion("example", case.id, reason)
        return
    best = max(case.turn.cited, key=lambda passage: passage.support)
    yield _draft(case, "pair", (passages[best.content_hash],))
    if case.turn.answer:
        yield _draft(case, "answer", shown, answer=case.turn.answer)
    yield _draft(case, "judgement", shown, answer=case.turn.answer or None)


def _bad(case: RatedCase, passages: Passages) -> Iterator[ExampleDraft | Exclusion]:
    right, cited = passages.get(case.named or ""), _current(case.turn.cited, passages)
    if right is not None and right not in cited:
        yield _draft(case, "pair", (right, *_blamed(case, cited)))
    if "outdated" in case.codes:
        yield Exclusion("turn", case.id, "outdated")
        return
    if case.codes and case.codes <= ABOUT_STYLE:
        yield Exclusion("turn", case.id, "matter_of_style")
        return
    if not case.codes and right is None:
        yield Exclusion("example", case.id, "unexplained_down")
    shown, reason = _shown(case.turn, passages)
    if reason:
        yield Exclusion("example", case.id, reason)
        return
    spares = not case.codes & ABOUT_PASSAGES
    answer = case.turn.answer or None
    yield _draft(case, "judgement", shown, answer=answer, is_good=False, spares_passages=spares)


def _blamed(case: RatedCase, shown: Iterable[PassageText]) -> list[PassageText]:
    """The passages cited, if a person said that the source was wrong; nobody else blames any."""
    wrong = {p.content_hash for p in case.turn.cited} if "wrong_source" in case.codes else ()
    return [passage for passage in shown if passage.content_hash in wrong]


def _abstention(case: RatedCase, passages: Passages) -> Iterator[ExampleDraft | Exclusion]:
    if case.verdict.word == "bad":
        right = passages.get(case.named or "")
        if right is None:
            yield Exclusion("turn", case.id, "abstention_downvoted")
            return
        yield _draft(case, "pair", (right,))
        yield _draft(case, "judgement", (right,))
    elif not case.verdict.is_expert:
        yield Exclusion("turn", case.id, "abstention_unconfirmed")
    else:
        shown = _current(case.turn.passages, passages)
        yield _draft(case, "answer", shown, is_good=False)


def _corrected(
    case: RatedCase, better: Correction, passages: Passages
) -> Iterator[ExampleDraft | Exclusion]:
    named = [passages[hash_] for hash_ in better.passages if hash_ in passages]
    if not better.passages and "wrong_source" not in case.codes:
        cited = _current(case.turn.cited, passages)
        named = [passage for passage in cited if _says(passage, better.answer, case.turn)]
    shown = [passage for passage in _current(case.turn.passages, passages) if passage not in named]
    if len(named) < len(better.passages) or not (named or shown):
        yield Exclusion("example", case.id, "document_changed")
        return
    evidence = (*named, *shown)
    yield _draft(case, "answer", evidence, answer=better.answer, correction=better)
    if case.turn.answer and not case.turn.is_abstention and case.turn.answer != better.answer:
        yield _draft(
            case,
            "preference",
            evidence,
            answer=better.answer,
            rejected=case.turn.answer,
            correction=better,
        )
    if named:
        yield _draft(case, "pair", (named[0], *_blamed(case, shown)), correction=better)


def _says(passage: PassageText, answer: str, turn: ExportedTurn) -> bool:
    """Whether a passage says each sentence of an answer: then only what was made of it is wrong."""
    source = Source(passage.document_id, passage.title, "", turn.language, "", "")
    held = Passage(passage.content_hash, source, passage.text, 0, len(passage.text))
    citer = Citer(turn.question, [held])
    said = [citer.support(sentence) for sentence in sentences(answer)]
    return min(said, default=0.0) >= SUPPORT_THRESHOLD


def _shown(
    turn: ExportedTurn, passages: Passages
) -> tuple[tuple[PassageText, ...], ReasonCode | None]:
    """The turn's passages, cited ones first; or why they teach nothing."""
    if not turn.cited:
        return (), "no_passage"
    if any(passage.content_hash not in passages for passage in turn.cited):
        return (), "document_changed"
    return _current((*turn.cited, *turn.passages), passages), None


def _current(shown: Iterable[ShownPassage], passages: Passages) -> tuple[PassageText, ...]:
    found = (passages.get(known.content_hash) for known in shown)
    return tuple(dict.fromkeys(passage for passage in found if passage is not None))


def _draft(
    case: RatedCase,
    kind: ExampleKind,
    passages: Sequence[PassageText],
    *,
    answer: str | None = None,
    rejected: str | None = None,
    is_good: bool = True,
    spares_passages: bool = False,
    correction: Correction | None = None,
) -> ExampleDraft:
    turn, verdict = case.turn, case.verdict
    hashes = [passage.content_hash for passage in passages]
    example = Example(
        id=content_id(kind, turn.question, *hashes, answer or "", rejected or "", str(is_good)),
        kind=kind,
        question=turn.question,
        language=turn.language,
        passages=tuple(passages),
        source="correction" if correction else _source(case),
        day=min(turn.created for turn in case.turns)[:10],
        answer=answer,
        rejected=rejected,
        is_good=is_good,
        weight=1.0 if correction else verdict.weight,
        propensity=turn.propensity,
        spares_passages=spares_passages,
    )
    askers = frozenset().union(*({turn.asker} | turn.earlier_askers for turn in case.turns))
    authors = {correction.author} if correction else set()
    return ExampleDraft(
        example,
        turn_ids=frozenset(turn.id for turn in case.turns),
        askers=askers,
        people=askers.union(authors, (rating.rater for rating in case.ratings)),
        raters=frozenset() if correction or verdict.is_expert else verdict.raters,
        is_approved=correction is not None or verdict.is_expert,
        is_pinned=case.is_pinned,
    )


def _source(case: RatedCase) -> EvidenceSource:
    if case.verdict.is_expert:
        return "approved"
    return "imported" if case.turn.is_imported else "votes"
