"""What App Home looks like: a pure function from what is known to blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bot.review.fixes import Fix
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
from bot.slack.outgoing.mrkdwn import quoted
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
AND_APPROVED = "and_approved"


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """A question of the person's and what people thought of the answer. `mine` is their rating."""

    question: str
    asked: str
    good: int
    bad: int
    mine: int
    is_fixed: bool


@dataclass(frozen=True, slots=True)
class Page:
    """All that one person's App Home shows.

    `approved` are answers that came from them and stay unless they say so. `said` is an answer to
    what they have just done; the `report` in a sentence is for admins.
    """

    questions: Sequence[AskedQuestion]
    fixed: Sequence[Fix]
    preferences: Preferences
    is_reviewer: bool
    reviews: Sequence[Review]
    waiting: int
    served: Sequence[Review]
    approved: int = 0
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
    yield _header(strings.home.questions)
    if not page.questions:
        yield _section(strings.home.no_questions)
    for asked in page.questions[:QUESTIONS]:
        ratings = strings.home.ratings.format(good=asked.good, bad=asked.bad)
        mine = {1: strings.home.rated_good, -1: strings.home.rated_bad}.get(asked.mine)
        fixed = strings.home.is_fixed if asked.is_fixed else None
        notes = " · ".join(note for note in (asked.asked[:10], ratings, mine, fixed) if note)
        yield _section(f"{short(asked.question, MAX_QUESTION)}\n_{notes}_")


def _fixed(page: Page, strings: Strings) -> Iterator[BlockJson]:
    if not page.fixed:
        return
    yield _header(strings.home.fixed)
    for fixed in page.fixed[:FIXED]:
        question = short(fixed.question or "", MAX_QUESTION)
        answer = strings.home.ask_again if fixed.answer is None else short(fixed.answer, MAX_NEWS)
        yield _section(f"*{question}*\n{answer}")


def _queue(page: Page, strings: Strings) -> Iterator[BlockJson]:
    if not page.is_reviewer:
        return
    yield _header(strings.review.title)
    yield _section(strings.review.empty if not page.waiting else strings.review.intro)
    for review in page.reviews[:REVIEWS]:
        yield from _review(review, strings)
    more = page.waiting - len(page.reviews[:REVIEWS])
    if more > 0:
        yield _section(strings.review.more.format(count=more))
    if page.served:
        yield _header(strings.review.served_title)
    for review in page.served[:SERVED]:
        yield _served(review, strings)


def _review(review: Review, strings: Strings) -> Iterator[BlockJson]:
    proposal, value = review.proposal, str(review.id)
    document = proposal.document
    named = document_label(document) if document else proposal.document_name
    origin = strings.review.proposal_sources[proposal.source]
    notes = [origin, strings.review.document.format(name=quoted(named))] if named else [origin]
    yield _section(
        f"*{short(proposal.question, MAX_QUESTION)}*\n{short(proposal.answer, MAX_ANSWER)}\n"
        f"_{' · '.join(notes)}_"
    )
    yield {
        "type": "actions",
        "elements": [
            _button(strings.review.approve, APPROVE_REVIEW, value, style="primary"),
            _button(strings.review.edit, EDIT_REVIEW, value),
            _button(strings.review.reject, REJECT_REVIEW, value, style="danger"),
        ],
    }


def _served(review: Review, strings: Strings) -> BlockJson:
    proposal = review.proposal
    retire = _button(strings.review.retire, RETIRE_ANSWER, str(review.id))
    sure = _sure(
        strings.review.retire_sure, strings.review.retire_what, strings.review.retire, strings
    )
    said = f"*{short(proposal.question, MAX_QUESTION)}*\n{short(proposal.answer, MAX_NEWS)}"
    return _section(said, retire | {"confirm": sure})


def _report(page: Page, strings: Strings) -> Iterator[BlockJson]:
    if page.report is None:
        return
    yield _header(strings.home.report)
    yield _section(quoted(page.report))
    yield {
        "type": "actions",
        "elements": [
            _button(strings.commands.buttons[name], RUN + name, name)
            for name in ("report", "status", "models")
        ],
    }


def _privacy(page: Page, strings: Strings) -> Iterator[BlockJson]:
    chosen = page.preferences
    yield _header(strings.home.privacy)
    on, off = (
        (strings.home.learning_on, strings.home.learning_stop),
        (strings.home.learning_off, strings.home.learning_start),
    )
    said, label = on if chosen.may_learn else off
    yield _section(said, _button(label, SET_LEARNING, str(int(not chosen.may_learn))))
    start = _button(strings.home.notify_start, NEWS_ON, "1")
    stop = _button(strings.home.notify_stop, NEWS_OFF, "0")
    said, buttons = {
        None: (strings.home.notify_unset, [start, stop]),
        True: (strings.home.notify_on, [stop]),
        False: (strings.home.notify_off, [start]),
    }[chosen.notify]
    yield _section(said)
    yield {"type": "actions", "elements": buttons}
    yield _section(strings.home.forget_intro)
    yield from _forgetting(page, strings)


def _forgetting(page: Page, strings: Strings) -> Iterator[BlockJson]:
    texts = strings.home
    ways = [(texts.forget, "me", texts.forget_what)]
    if page.approved:
        also = texts.forget_approved_what.format(count=page.approved)
        ways.append((texts.forget_approved, AND_APPROVED, f"{texts.forget_what} {also}"))
    for label, value, what in ways:
        sure = _sure(texts.forget_sure, what, texts.forget, strings)
        button = _button(label, FORGET_ME, value, style="danger") | {"confirm": sure}
        yield {"type": "actions", "elements": [button]}


def _sure(title: str, text: str, confirm: str, strings: Strings) -> BlockJson:
    return {
        "title": _plain(title),
        "text": _plain(text),
        "confirm": _plain(confirm),
        "deny": _plain(strings.feedback.cancel),
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
    """The beginning of a text, quoted, in no more than so many characters."""
    line = whole = text.strip()
    while len(quoted(line)) > max_chars - (line != whole):
        line = line[: len(line) * 9 // 10]
    return quoted(line) + ("…" if line != whole else "")
