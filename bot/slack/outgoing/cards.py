"""What an answer looks like in Slack: pure functions from an `Answer` to messages of blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ConfirmObject,
    ContextActionsBlock,
    ContextBlock,
    FeedbackButtonObject,
    FeedbackButtonsElement,
    MarkdownBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)

from bot.slack.incoming.interactions import (
    ASK_EXPERT,
    BAD,
    DELETE,
    FEEDBACK_ACTION,
    GOOD,
    KEEP,
    RETRY,
    SHARE,
    WHY,
)
from bot.slack.outgoing.mentions import defang
from bot.slack.outgoing.mrkdwn import code, one_line, quoted
from bot.slack.outgoing.pages import split_markdown
from bot.store.channels import ChannelConfig
from bot.strings import Strings, strings_for
from retrieval.linking import ANY_HOST, LinkRules, host_of
from retrieval.records import Answer, Passage

SOURCES_CHARS = 3_000
FALLBACK_CHARS = 700
"""Escaping makes up to five characters of one, and an edit's `text` may have 4,000."""
LABEL_CHARS = 150
ADDRESS_CHARS = 800
OWNER_CHARS = 60
CONTEXT_ELEMENTS = 10
MAX_HELPERS = 3
MAX_SOURCES = 3
MONTH_DAYS, YEAR_DAYS = 30.44, 365.25

_ID = re.compile(r"[UW](?=[A-Z]*\d)[A-Z0-9]+")


@dataclass(frozen=True, slots=True)
class Card:
    """One Slack message: its blocks, and the text that notifications and screen readers use."""

    text: str
    blocks: tuple[Block, ...]

    def block_dicts(self) -> list[dict[str, Any]]:
        """The blocks as they are sent; raises where they break a rule of Slack's."""
        blocks: list[dict[str, Any]] = defang([block.to_dict() for block in self.blocks])
        return blocks


@dataclass(frozen=True, slots=True)
class Frame:
    """Where and how an answer is shown.

    `now` is in Unix seconds; without it, nothing is said of the age of documents. `is_private`
    means a message in a channel that only the asker sees, and `is_direct` their direct messages.
    `done` are the buttons that have had their effect and are gone, `links` what may be linked.
    """

    config: ChannelConfig = field(default_factory=ChannelConfig)
    now: float | None = None
    is_private: bool = False
    is_direct: bool = False
    done: frozenset[str] = frozenset()
    links: LinkRules = ANY_HOST


def answer_cards(answer: Answer, frame: Frame | None = None) -> tuple[Card, ...]:
    """An answer or an abstention as messages within Slack's limits, nearly always one."""
    frame = frame or Frame()
    strings = strings_for(answer.language)
    pieces = split_markdown(answer.text)
    cards = [Card(fallback(piece), (MarkdownBlock(text=piece),)) for piece in pieces]
    tail = (*_sources(answer, frame, strings), *_controls(answer, frame, strings))
    cards[-1] = Card(cards[-1].text, cards[-1].blocks + tail)
    return tuple(cards)


def helpers(answer: Answer, config: ChannelConfig) -> tuple[str, ...]:
    """The people who can be asked where the documents have no answer, as ids, at most three."""
    owners = (passage.source.owner for passage in answer.nearest)
    found = config.experts or [owner for owner in owners if owner and _ID.fullmatch(owner)]
    return tuple(dict.fromkeys(found))[:MAX_HELPERS]


def error_card(text: str, event_id: str, strings: Strings) -> Card:
    """What went wrong, in mrkdwn, and a button that asks the same question anew."""
    card = notice(text)
    return Card(text, (*card.blocks, _buttons([(RETRY, strings.cards.retry)], event_id)))


def notice(text: str) -> Card:
    """A message in the bot's own words, in Slack's mrkdwn."""
    return Card(text, (SectionBlock(text=MarkdownTextObject(text=text)),))


def escape(text: str) -> str:
    """Text that mrkdwn shows as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fallback(text: str) -> str:
    """The beginning of a text on one line, fit for `text`."""
    line = " ".join(text.split())
    return escape(line if len(line) <= FALLBACK_CHARS else line[: FALLBACK_CHARS - 1] + "…")


def _sources(answer: Answer, frame: Frame, strings: Strings) -> Iterator[Block]:
    lines = [f"*{c.number}*  {source_line(c.passage, frame, strings)}" for c in answer.citations]
    lines = [f"*{strings.cards.sources}*", *fitting(lines)] if lines else []
    if answer.kind == "answer":
        lines.append(_origin(answer, strings))
    else:
        lines += _searched(answer, frame, strings)
    for start in range(0, len(lines), CONTEXT_ELEMENTS):
        group = lines[start : start + CONTEXT_ELEMENTS]
        yield ContextBlock(elements=[MarkdownTextObject(text=line) for line in group])


def _origin(answer: Answer, strings: Strings) -> str:
    """How an answer came about."""
    if answer.method == "curated":
        said = strings.cards.curated.format(author=quoted(answer.author or "?"))
    else:
        hint = strings.cards.extracted if answer.method == "extracted" else strings.cards.generated
        said = hint.format(confidence=answer.confidence)
    return f"{strings.cards.cut_short} · {said}" if answer.stopped else said


def _searched(answer: Answer, frame: Frame, strings: Strings) -> Iterator[str]:
    """What an abstention was made from: what was searched, what was nearest, who may know."""
    sources = ", ".join(code(_shorten(s)) for s in frame.config.sources[:MAX_SOURCES])
    if answer.searched:
        template = strings.cards.searched_sources if sources else strings.cards.searched
        yield template.format(n=answer.searched, sources=sources)
    if answer.nearest:
        yield f"*{strings.cards.nearest}*"
        yield from fitting([source_line(passage, frame, strings) for passage in answer.nearest])
    owners = dict.fromkeys(filter(None, (_owner(passage) for passage in answer.nearest)))
    if owners:
        yield strings.cards.whom_to_ask.format(owners=", ".join(owners))


def source_line(passage: Passage, frame: Frame, strings: Strings) -> str:
    """A passage's place as a link, how old its document is and whose, in mrkdwn."""
    parts = list(_link(passage, frame.links, strings))
    if frame.now is not None:
        parts.append(age(passage.source.modified, frame.now, strings))
    owner = _owner(passage)
    return " · ".join(parts + ([strings.cards.owner.format(owner=owner)] if owner else []))


def _owner(passage: Passage) -> str | None:
    """The name of a document's owner; an id says nothing to people, and must not ping."""
    owner = passage.source.owner
    return None if owner is None or _ID.fullmatch(owner) else quoted(_shorten(owner, OWNER_CHARS))


def age(modified: str, now: float, strings: Strings) -> str:
    """When a document was changed, ISO 8601 in UTC, as people say it."""
    days = int((now - datetime.fromisoformat(modified).timestamp()) // 86_400)
    if days < 1:
        return strings.cards.updated_today
    if days < 2:
        return strings.cards.updated_yesterday
    if days < 2 * MONTH_DAYS:
        return strings.cards.updated_days.format(n=days)
    if days < 2 * YEAR_DAYS:
        return strings.cards.updated_months.format(n=int(days / MONTH_DAYS))
    return strings.cards.updated_years.format(n=int(days / YEAR_DAYS))


def fitting(lines: Sequence[str], max_chars: int = SOURCES_CHARS) -> list[str]:
    """The lines from the first on that fit together."""
    return [
        line
        for line, end in zip(lines, accumulate(map(len, lines)), strict=True)
        if end <= max_chars
    ]


def _link(passage: Passage, links: LinkRules, strings: Strings) -> Iterator[str]:
    """A passage's place, as a link where its document may be linked, and where that leads."""
    source = passage.source
    trail = dict.fromkeys(part for part in (source.title, *passage.headings) if part)
    label, address = quoted(_shorten(" > ".join(trail) or source.id)), links.address(passage.link)
    page = "" if passage.page is None else f", {strings.cards.page.format(page=passage.page)}"
    if address is None or len(link := escape(address)) > ADDRESS_CHARS:
        yield f"{label} ({code(_shorten(source.id))}){page}"
        return
    yield f"<{link}|{label.replace('|', '¦')}>{page}"
    if links.shows_host:
        yield escape(str(host_of(address)).removeprefix("https://"))


def _shorten(text: str, max_chars: int = LABEL_CHARS) -> str:
    line = one_line(text)
    return line if len(line) <= max_chars else f"{line[: max_chars - 1]}…"


def _controls(answer: Answer, frame: Frame, strings: Strings) -> Iterator[Block]:
    """Buttons to rate an answer and, calmly, a few to do something with it."""
    if not frame.config.buttons:
        return
    offers = [
        (WHY, strings.cards.why, bool(answer.citations)),
        (SHARE, strings.cards.share, frame.is_private),
        (KEEP, strings.cards.keep, frame.is_private and answer.kind == "answer"),
        (ASK_EXPERT, strings.cards.ask_expert, _may_escalate(answer, frame)),
        (DELETE, strings.cards.delete, not frame.is_private),
    ]
    wanted = [(id_, text) for id_, text, is_on in offers if is_on and id_ not in frame.done]
    if wanted:
        yield _buttons(wanted, answer.id, confirm=_sure(strings))
    yield _feedback(answer, strings)


def _may_escalate(answer: Answer, frame: Frame) -> bool:
    is_seen = not frame.is_private and not frame.is_direct
    return answer.kind == "abstention" and is_seen and bool(helpers(answer, frame.config))


def _buttons(
    offers: Sequence[tuple[str, str]], value: str, *, confirm: ConfirmObject | None = None
) -> Block:
    return ActionsBlock(
        elements=[
            ButtonElement(
                text=text,
                action_id=action_id,
                value=value,
                confirm=confirm if action_id == DELETE else None,
            )
            for action_id, text in offers
        ]
    )


def _sure(strings: Strings) -> ConfirmObject:
    return ConfirmObject(
        title=strings.cards.delete,
        text=PlainTextObject(text=strings.cards.delete_sure),
        confirm=strings.cards.delete,
        deny=strings.cards.cancel,
    )


def _feedback(answer: Answer, strings: Strings) -> Block:
    return ContextActionsBlock(
        elements=[
            FeedbackButtonsElement(
                action_id=FEEDBACK_ACTION,
                positive_button=FeedbackButtonObject(
                    text=strings.cards.good, value=f"{GOOD}:{answer.id}"
                ),
                negative_button=FeedbackButtonObject(
                    text=strings.cards.bad, value=f"{BAD}:{answer.id}"
                ),
            )
        ]
    )
