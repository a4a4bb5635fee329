"""What App Home looks like: a pure function from what is known to blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bot.review.modals import document_label
from bot.slack.incoming.interactions import (
    APPROVE_REVIEW,
    EDIT_REVIEW,
    FORGET_ME,
    NEWS_OFF,
    NEWS_ON,
    REJECT_REVIEW,
    RETIRE_ANSWER,
    RUN,
    SET_LEARNING,
)
from bot.slack.outgoing.cards import escape
from bot.store.preferences import Preferences
from bot.store.reviews import Review
from bot.strings import Strings

BlockJson = dict[str, Any]

QUESTIONS = 10
FIXED = 5
REVIEWS = 10
SERVED = 5
MAX_QUESTION = 200
MAX_ANSWER = 1_200
MAX_NEWS = 600


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """A question of the person's and what people thought of the answer. `mine` is their vote."""

    question: str
    asked: str
    good: int
    bad: int
    mine: int
    is_fixed: bool


@dataclass(frozen=True, slots=True)
class FixedQuestion:
    """A question that the person asked or rated, and its better answer, if they may read that."""

    question: str
    answer: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """All that one person's App Home shows.

    `said` is an answer to what they have just done; the `report` in a sentence is for admins.
    """

    questions: Sequence[AskedQuestion]
    fixed: Sequence[FixedQuestion]
    preferences: Preferences
    is_reviewer: bool
    reviews: Sequence[Review]
    waiting: int
    served: Sequence[Review]
    said: str | None = None
    report: str | None = None


def home_view(page: Page, strings: Strings) -> BlockJson:
    """The view, within Slack's hundred blocks whatever the page holds."""
    blocks = [
        *_said(page),
        *_questions(page, strings),
        *_fixed(page, strings),
        *_queue(page, strings),
        *_report(page, strings),
        *_privacy(page, strings),
    ]
    return {"type": "home", "blocks": blocks}


def _said(page: Page) -> Iterator[BlockJson]:
    if page.said:
        yield _section(page.said)
        yield {"type": "divider"}


def _questions(page: Page, strings: Strings) -> Iterator[BlockJson]:
    yield _header(strings.home_questions)
    if not page.questions:
        yield _section(strings.home_no_questions)
    for asked in page.questions[:QUESTIONS]:
        votes = strings.home_votes.format(good=asked.good, bad=asked.bad)
        mine = {1: strings.home_rated_good, -1: strings.home_rated_bad}.get(asked.mine)
        fixed = strings.home_is_fixed if asked.is_fixed else None
        notes = " · ".join(note for note in (asked.asked[:10], votes, mine, fixed) if note)
        yield _section(f"{short(asked.question, MAX_QUESTION)}\n_{notes}_")


def _fixed(page: Page, strings: Strings) -> Iterator[BlockJson]:
    if not page.fixed:
        return
    yield _header(strings.home_fixed)
    for fixed in page.fixed[:FIXED]:
        answer = strings.home_ask_again if fixed.answer is None else short(fixed.answer, MAX_NEWS)
        yield _section(f"*{short(fixed.question, MAX_QUESTION)}*\n{answer}")


def _queue(page: Page, strings: Strings) -> Iterator[BlockJson]:
    if not page.is_reviewer:
        return
    yield _header(strings.queue_title)
    yield _section(strings.queue_empty if not page.waiting else strings.queue_intro)
    for review in page.reviews[:REVIEWS]:
        yield from _review(review, strings)
    more = page.waiting - len(page.reviews[:REVIEWS])
    if more > 0:
        yield _section(strings.queue_more.format(count=more))
    if page.served:
        yield _header(strings.served_title)
    for review in page.served[:SERVED]:
        yield _served(review, strings)


def _review(review: Review, strings: Strings) -> Iterator[BlockJson]:
    proposal, value = review.proposal, str(review.id)
    document = proposal.document
    named = document_label(document) if document else proposal.document_name
    origin = strings.proposal_sources[proposal.source]
    notes = [origin, strings.queue_document.format(name=escape(named))] if named else [origin]
    yield _section(
        f"*{short(proposal.question, MAX_QUESTION)}*\n{short(proposal.answer, MAX_ANSWER)}\n"
        f"_{' · '.join(notes)}_"
    )
    yield {
        "type": "actions",
        "elements": [
            _button(strings.approve, APPROVE_REVIEW, value, style="primary"),
            _button(strings.edit, EDIT_REVIEW, value),
            _button(strings.reject, REJECT_REVIEW, value, style="danger"),
        ],
    }


def _served(review: Review, strings: Strings) -> BlockJson:
    proposal = review.proposal
    retire = _button(strings.retire, RETIRE_ANSWER, str(review.id))
    sure = _sure(strings.retire_sure, strings.retire_what, strings.retire, strings)
    said = f"*{short(proposal.question, MAX_QUESTION)}*\n{short(proposal.answer, MAX_NEWS)}"
    return _section(said, retire | {"confirm": sure})


def _report(page: Page, strings: Strings) -> Iterator[BlockJson]:
    if page.report is None:
        return
    yield _header(strings.home_admin)
    yield _section(escape(page.report))
    yield {
        "type": "actions",
        "elements": [
            _button(strings.command_buttons[name], RUN + name, name)
            for name in ("report", "status", "models")
        ],
    }


def _privacy(page: Page, strings: Strings) -> Iterator[BlockJson]:
    chosen = page.preferences
    yield _header(strings.home_privacy)
    on, off = (strings.learning_on, strings.learn_stop), (strings.learning_off, strings.learn_start)
    said, label = on if chosen.may_learn else off
    yield _section(said, _button(label, SET_LEARNING, str(int(not chosen.may_learn))))
    start = _button(strings.notify_start, NEWS_ON, "1")
    stop = _button(strings.notify_stop, NEWS_OFF, "0")
    said, buttons = {
        None: (strings.notify_unset, [start, stop]),
        True: (strings.notify_on, [stop]),
        False: (strings.notify_off, [start]),
    }[chosen.notify]
    yield _section(said)
    yield {"type": "actions", "elements": buttons}
    yield _section(strings.forget_intro)
    forget = _button(strings.forget, FORGET_ME, "me", style="danger")
    sure = _sure(strings.forget_sure, strings.forget_what, strings.forget, strings)
    yield {"type": "actions", "elements": [forget | {"confirm": sure}]}


def _sure(title: str, text: str, confirm: str, strings: Strings) -> BlockJson:
    return {
        "title": _plain(title),
        "text": _plain(text),
        "confirm": _plain(confirm),
        "deny": _plain(strings.modal_skip),
        "style": "danger",
    }


def _button(text: str, name: str, value: str, *, style: str | None = None) -> BlockJson:
    button = {"type": "button", "text": _plain(text), "action_id": name, "value": value}
    return button | ({"style": style} if style else {})


def _section(text: str, accessory: BlockJson | None = None) -> BlockJson:
    section: BlockJson = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
    return section | ({"accessory": accessory} if accessory else {})


def _header(text: str) -> BlockJson:
    return {"type": "header", "text": _plain(text)}


def _plain(text: str) -> BlockJson:
    return {"type": "plain_text", "text": text}


def short(text: str, max_chars: int) -> str:
    """The beginning of a text, escaped, in no more than so many characters."""
    line = whole = text.strip()
    while len(escape(line)) > max_chars - (line != whole):
        line = line[: len(line) * 9 // 10]
    return escape(line) + ("…" if line != whole else "")
