"""What an answer looks like in Slack: pure functions from an `Answer` to messages of blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from slack_sdk.models.blocks import (
    Block,
    ContextActionsBlock,
    ContextBlock,
    FeedbackButtonObject,
    FeedbackButtonsElement,
    MarkdownBlock,
    MarkdownTextObject,
    SectionBlock,
)

from bot.incoming.gestures import BAD, FEEDBACK_ACTION, GOOD
from bot.outgoing.pages import split_markdown
from bot.strings import Strings, strings_for
from retrieval.records import Answer, Passage

SOURCES_CHARS = 3_000
FALLBACK_CHARS = 700
"""Escaping makes up to five characters of one, and an edit's `text` may have 4,000."""
LABEL_CHARS = 150
ADDRESS_CHARS = 1_000
CONTEXT_ELEMENTS = 10


@dataclass(frozen=True, slots=True)
class Card:
    """One Slack message: its blocks, and the text that notifications and screen readers use."""

    text: str
    blocks: tuple[Block, ...]

    def block_dicts(self) -> list[dict[str, Any]]:
        """The blocks as Slack's API takes them; raises where they break a rule of Slack's."""
        return [block.to_dict() for block in self.blocks]


def answer_cards(answer: Answer) -> tuple[Card, ...]:
    """An answer or an abstention as messages within Slack's limits, nearly always one."""
    strings = strings_for(answer.language)
    pieces = split_markdown(answer.text)
    cards = [Card(fallback(piece), (MarkdownBlock(text=piece),)) for piece in pieces]
    tail = (*_sources(answer, strings), _feedback(answer, strings))
    cards[-1] = Card(cards[-1].text, cards[-1].blocks + tail)
    return tuple(cards)


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


def _sources(answer: Answer, strings: Strings) -> Iterator[Block]:
    if answer.citations:
        title = strings.sources
        lines = [f"*{c.number}*  {_link(c.passage, strings)}" for c in answer.citations]
        hint = strings.extracted if answer.method == "extracted" else strings.generated
        lines = [*_fitting(lines), hint.format(confidence=answer.confidence)]
    else:
        title = strings.nearest
        lines = _fitting([_link(passage, strings) for passage in answer.nearest])
    if not lines:
        return
    lines.insert(0, f"*{title}*")
    for start in range(0, len(lines), CONTEXT_ELEMENTS):
        group = lines[start : start + CONTEXT_ELEMENTS]
        yield ContextBlock(elements=[MarkdownTextObject(text=line) for line in group])


def _fitting(lines: list[str]) -> list[str]:
    """The lines from the first on that fit together."""
    return [
        line
        for line, end in zip(lines, accumulate(map(len, lines)), strict=True)
        if end <= SOURCES_CHARS
    ]


def _link(passage: Passage, strings: Strings) -> str:
    trail = dict.fromkeys(part for part in (passage.source.title, *passage.headings) if part)
    label = escape(_shorten(" > ".join(trail) or passage.source.path))
    url = passage.link
    if url and url.startswith(("https://", "http://")) and len(url) <= ADDRESS_CHARS:
        where = f"<{_address(url)}|{label.replace('|', '¦')}>"
    else:
        where = f"{label} (`{escape(_shorten(passage.source.path)).replace('`', '')}`)"
    page = strings.page.format(page=passage.page)
    return where if passage.page is None else f"{where}, {page}"


def _address(url: str) -> str:
    for character, code in (("&", "&amp;"), ("|", "%7C"), ("<", "%3C"), (">", "%3E"), (" ", "%20")):
        url = url.replace(character, code)
    return url


def _shorten(text: str) -> str:
    return text if len(text) <= LABEL_CHARS else f"{text[: LABEL_CHARS - 1]}…"


def _feedback(answer: Answer, strings: Strings) -> Block:
    return ContextActionsBlock(
        elements=[
            FeedbackButtonsElement(
                action_id=FEEDBACK_ACTION,
                positive_button=FeedbackButtonObject(
                    text=strings.good, value=f"{GOOD}:{answer.id}"
                ),
                negative_button=FeedbackButtonObject(text=strings.bad, value=f"{BAD}:{answer.id}"),
            )
        ]
    )
