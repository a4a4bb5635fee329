"""The modal that tells why an answer is what it is: pure functions to views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from slack_sdk.models.blocks import Block, ContextBlock, MarkdownTextObject, SectionBlock
from slack_sdk.models.views import View

from bot.slack.outgoing.cards import Frame, source_line
from bot.slack.outgoing.mrkdwn import one_line, quoted
from bot.strings import Strings
from retrieval.answering.contributions import Contribution
from retrieval.documents.tables import read_out

QUOTE_CHARS = 500


def working(strings: Strings) -> dict[str, Any]:
    """The modal while the passages are still being looked at."""
    return _view([_section(strings.card_actions.why_working)], strings)


def explanation(
    contributions: Sequence[Contribution], frame: Frame, strings: Strings, *, is_whole: bool = True
) -> dict[str, Any]:
    """Each citation with its supporting sentence and what would be lost without it.

    It says so where it `is_whole` no longer, because some may not be shown.
    """
    blocks = [
        block for contribution in contributions for block in _citation(contribution, frame, strings)
    ]
    if not is_whole:
        blocks.append(_section(strings.card_actions.withheld))
    note = ContextBlock(elements=[MarkdownTextObject(text=strings.card_actions.why_measure)])
    return _view([*blocks, note], strings)


def _citation(contribution: Contribution, frame: Frame, strings: Strings) -> Iterator[Block]:
    citation = contribution.citation
    quote = one_line(read_out(citation.quote, citation.passage.text))
    if len(quote) > QUOTE_CHARS:
        quote = f"{quote[: QUOTE_CHARS - 1]}…"
    yield _section(f"*{citation.number}*  {source_line(citation.passage, frame, strings)}")
    share = strings.card_actions.why_share.format(share=contribution.share)
    yield _section(f"> {quoted(quote)}\n{share}")


def _section(text: str) -> Block:
    return SectionBlock(text=MarkdownTextObject(text=text))


def _view(blocks: Sequence[Block], strings: Strings) -> dict[str, Any]:
    view = View(
        type="modal",
        title=strings.card_actions.why_title,
        close=strings.card_actions.close,
        blocks=list(blocks),
    ).to_dict()
    return dict(view)
