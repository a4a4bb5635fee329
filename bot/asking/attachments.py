"""Files attached to a question: read where they hold text, named where they could not be."""

from __future__ import annotations

import asyncio
import logging
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.models.blocks import ContextBlock, MarkdownTextObject

from bot.slack.outgoing.cards import Card
from bot.slack.outgoing.mrkdwn import one_line, quoted
from bot.strings import Strings
from retrieval.documents.loaders import SUFFIXES
from retrieval.documents.loaders.pictures import PICTURES
from retrieval.documents.loaders.slack_words import preview
from retrieval.documents.sandbox import Sandbox
from retrieval.errors import RetrievalError, UnreadableError
from retrieval.language import words
from retrieval.models.client import proxy_for
from retrieval.records import Answer, Message

logger = logging.getLogger(__name__)

_POINTS = re.compile(
    r"(?:\W|\b(?:please|pls|kindly|hi|hello|hey|see|look|at|read|check|open|view|refer|answer|find|"
    r"here|the|this|these|my|our|a|an|in|is|are|to|of|and|it|them|its|you|can|could|attached|"
    r"attachments?|files?|documents?|docs?|pdfs?|enclosed|below|above|inside|for|questions?|"
    r"details?|as|per|asked|written|there|who|any|anyone|anybody|someone|somebody|ideas?|thoughts|know|"
    r"knows|help|me|us|with|about|one|do|does|will|would|fyi|fwd?|forwarded|thread|messages?)\b"
    r"|请|麻烦|帮忙|帮我|您好|你好|查看|阅读|参见|参考|详见|见|看|附件|文件|文档|附上|"
    r"这个|这份|里面?|在|中|的|问题|内容|一下|如|下|回答|谢谢|这条|消息|转发|上面|上|有人|有谁|谁|大家|"
    r"你|我|知道|能否|能不能|可以|能|吗)++",
    re.IGNORECASE,
)

MAX_FILES = 3
MAX_CHARS = 800
"""Of each file the beginning joins the question; a longer one would drown what was asked."""
PARSE_S = 15
MEMORY_MB = 2_048
OCR_PAGES = 2
DOWNLOAD_S = 15.0
_NAME_CHARS = 80


def only_points(text: str) -> bool:
    """Whether words only point at what is beside or above them, which then is the question."""
    return not words(text) or _POINTS.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Attached:
    """The beginnings of the files that could be read, by name, and the names of the others."""

    texts: Mapping[str, str]
    unread: tuple[str, ...] = ()

    def history(self) -> tuple[Message, ...]:
        """The files as if the person had pasted them before asking."""
        return tuple(Message("user", text) for text in self.texts.values())

    def noted(self, cards: Sequence[Card], answer: Answer, strings: Strings) -> tuple[Card, ...]:
        """The cards, the last of which says which files went into the answer and which did not."""
        used = [name for name, text in self.texts.items() if text in answer.query]
        marked = [f"{name} (OCR)" if is_picture(name) else name for name in used]
        lines = [strings.asking.attachment_used.format(names=_listed(marked))] if used else []
        others = [*(name for name in self.texts if name not in used), *self.unread]
        if others:
            lines.append(unread_note(others, _listed(others), strings))
        if not lines:
            return tuple(cards)
        note = ContextBlock(elements=[MarkdownTextObject(text=line) for line in lines])
        return (*cards[:-1], replace(cards[-1], blocks=(*cards[-1].blocks, note)))


def is_picture(name: str) -> bool:
    """Whether a file is read by OCR alone."""
    return Path(name).suffix.lower() in PICTURES


def unread_note(names: Sequence[str], listed: str, strings: Strings) -> str:
    """Which files were not read, as they are listed; and why, where they are pictures."""
    note = strings.asking.attachment_unread.format(names=listed)
    has_reason = any(map(is_picture, names)) and not SUFFIXES >= PICTURES
    return f"{note}\n{strings.asking.attachment_picture}" if has_reason else note


class Attachments:
    """Fetches files with the bot's token, which is never sent anywhere but to Slack."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        read_token: Callable[[], str],
        api_url: str,
        max_mb: int,
    ) -> None:
        self._session = session
        self._read_token = read_token
        self._slack = urlsplit(api_url)[:2]
        self._max_bytes = max_mb * 2**20

    async def read(self, files: Sequence[Mapping[str, Any]]) -> Attached:
        """What the files say; whatever is wrong with one, it is only named."""
        texts: dict[str, str] = {}
        unread: list[str] = []
        for file in files:
            name = str(file.get("name") or file.get("title") or file.get("id") or "?")
            try:
                if len(texts) == MAX_FILES:
                    raise UnreadableError("is one of too many")
                texts[name] = await self._text(file, name)
            except (RetrievalError, aiohttp.ClientError, TimeoutError) as error:
                logger.info("attachment not read: %s", type(error).__name__)
                shown = " ".join(preview(file).split())[:MAX_CHARS].strip()
                if shown and len(texts) < MAX_FILES:
                    texts[name] = shown
                else:
                    unread.append(name)
        return Attached(texts, tuple(unread))

    async def _text(self, file: Mapping[str, Any], name: str) -> str:
        suffix = _suffix(file, name)
        url = str(file.get("url_private_download") or file.get("url_private") or "")
        if suffix not in SUFFIXES or not self._is_slack(url):
            raise UnreadableError("is of a type that is not read")
        if int(file.get("size") or 0) > self._max_bytes:
            raise UnreadableError("is too large")
        data = await self._download(url)
        text = await asyncio.to_thread(_parse, data, suffix)
        return " ".join(text.split())[:MAX_CHARS].strip()

    def _is_slack(self, url: str) -> bool:
        parts = urlsplit(url)
        if parts[:2] == self._slack:
            return True
        host = parts.hostname or ""
        return parts.scheme == "https" and (host == "slack.com" or host.endswith(".slack.com"))

    async def _download(self, url: str) -> bytes:
        headers = {"Authorization": f"Bearer {self._read_token()}"}
        timeout = aiohttp.ClientTimeout(total=DOWNLOAD_S)
        # A redirect leads to the log-in page, or away from Slack.
        async with self._session.get(
            url, headers=headers, allow_redirects=False, timeout=timeout, proxy=proxy_for(url)
        ) as response:
            if response.status != 200:
                raise UnreadableError(f"cannot be fetched ({response.status})")
            data = bytearray()
            async for piece in response.content.iter_chunked(2**16):
                data += piece
                if len(data) > self._max_bytes:
                    raise UnreadableError("is too large")
        return bytes(data)


def _parse(data: bytes, suffix: str) -> str:
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(timeout_s=PARSE_S, memory_mb=MEMORY_MB, ocr_pages=OCR_PAGES) as sandbox,
    ):
        path = Path(folder, f"attachment{suffix}")
        path.write_bytes(data)
        _, documents = sandbox.load(path)
    return "\n".join(section.text for document in documents for section in document.sections)


def _suffix(file: Mapping[str, Any], name: str) -> str:
    suffix = Path(name).suffix.lower() or f".{file.get('filetype', '')}"
    is_plain = suffix not in SUFFIXES and str(file.get("mimetype", "")).startswith("text/")
    return ".txt" if is_plain else suffix


def _listed(names: Sequence[str]) -> str:
    return ", ".join(_short(names))


def _short(names: Sequence[str]) -> Iterator[str]:
    for name in map(one_line, names):
        yield quoted(name if len(name) <= _NAME_CHARS else f"{name[: _NAME_CHARS - 1]}…")
