"""Lets through what a model writes, unless it says that the passages do not hold the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from retrieval.answering.citations import CheckedStream
from retrieval.language import sentence_spans

# A strong model says it in words of its own, of which "you need not provide a form" is none.
_NO = r"(?:\b(?:not|no|nothing|none|nowhere|neither|unable)\b|n['’]t\b)"
_PLACE = (
    r"\b(?:documents?|documentation|passages?|handbook|texts?|sources?|context|excerpts?|"
    r"materials?|pages?|manual|guides?)\b"
)
_TELL = (
    r"(?:\b(?:mention|specif|provid|contain|includ|cover|address|describ|answer|inform|detail|"
    r"discuss|giv|locat)\w*|\b(?:states?|stated|says?|said|finds?|found|about|available|see)\b)"
)
_ZH_PLACE, _ZH_NO = (
    r"(?:文档|文件|段落|资料|手册|原文|文中)",
    r"(?:没有?|未能?|并无|无法|找不到|不含)",
)
_ZH_TELL = r"(?:提到|提及|提供|说明|找到|涉及|包含|记载|相关|答案|信息|规定|回答)"
_NOT_THERE = re.compile(
    rf"^\W*not[ _]found\b"
    rf"|\bI\b[^.]*{_NO}[^.]*\b(?:find|found|locate|see|know|determine|answer|tell|say)\b"
    rf"|\bwe\b[^.]*{_NO}[^.]*\b(?:find|found|locate)\b"
    rf"|{_NO}[^.]*{_TELL}[^.]*{_PLACE}|{_NO}[^.]*{_PLACE}[^.]*{_TELL}"
    rf"|{_PLACE}[^.]*{_NO}[^.]*{_TELL}"
    r"|\bno\s+(?:relevant\s+|specific\s+|such\s+)?(?:information|mention|answer)\b"
    rf"|{_ZH_PLACE}[^。]*{_ZH_NO}[^。]*{_ZH_TELL}|{_ZH_NO}[^。]*{_ZH_PLACE}[^。]*{_ZH_TELL}"
    r"|(?:没有?|未能?|无法)(?:找到|提到|提及)|找不到[^。]*(?:信息|内容|答案)|我(?:不知道|无法回答)",
    re.IGNORECASE,
)
_DECLINED = re.compile(
    r"\b(?:not|n't|no)\b[^.]*\b(?:mention|specif|provid|contain|includ|state|information|answer)"
    r"|没有(?:提到|提及|提供|说明|相关)|未(?:提及|提到|提供|说明)|无法(?:确定|回答|得知)",
    re.IGNORECASE,
)
_MARKED = re.compile(r"[\[【]\d+[\]】]")


class DeclineFilter:
    """What a model writes, on its way to be checked; `said` is all of it.

    One that is trusted to read has declined once its first sentence says so: then nothing of it
    is let through.
    """

    def __init__(self, stream: CheckedStream, *, may_decline: bool) -> None:
        self.said = ""
        self.stream = stream
        self.has_declined = False
        self._is_decided = not may_decline

    def feed(self, piece: str) -> str:
        """What of it may be shown by now."""
        self.said += piece
        if self._is_decided:
            return "" if self.has_declined else self.stream.feed(piece)
        spans = sentence_spans(self.said)
        return self._decide(spans) if len(spans) > 1 else ""

    def close(self, *, is_whole: bool) -> str:
        """Let through what the end completes; a sentence that was cut off is not said."""
        shown = "" if self._is_decided else self._decide(sentence_spans(self.said))
        is_said = is_whole and not self.has_declined
        return shown + (self.stream.close() if is_said else "")

    def _decide(self, spans: Sequence[tuple[int, int]]) -> str:
        self._is_decided = True
        begin, end = spans[0] if spans else (0, 0)
        first = self.said[begin:end]
        is_marked = _MARKED.search(first) or _MARKED.match(self.said[end:].lstrip())
        self.has_declined = not is_marked and is_not_there(first)
        return "" if self.has_declined else self.stream.feed(self.said)


def is_not_there(text: str) -> bool:
    """Whether a text says, in English or Chinese, that the documents do not tell."""
    return bool(_NOT_THERE.search(text))


def declines(text: str) -> bool:
    """Whether a small model says, in English or Chinese, that the passages do not hold the answer.

    It says so in fewer ways than a strong one, and not always in its first sentence.
    """
    return bool(_DECLINED.search(text))
