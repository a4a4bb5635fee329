"""What a person asked, made fit for searching: checked, cleaned and made to stand by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

from retrieval.errors import QuestionError
from retrieval.language import language_of, words
from retrieval.records import Message

_SPACE = re.compile(r"\s+")
_EMOJI_NAME = re.compile(r":[a-z0-9_+'-]+:")

# Words that point back at what was said before, and openings that continue it.
_POINTER = re.compile(
    r"\b(it|its|that|those|these|this|they|them|their|there|he|she|him|her|one|ones|same|"
    r"else|instead|otherwise|then|former|latter|attached|attachments?)\b|附件|它|他们|她们|这个|那个|这些|那些|这样|那样|其中|上述|前者|后者",
    re.IGNORECASE,
)
_CONTINUATION = re.compile(
    r"^\s*(and|but|or|so|also|what about|how about|what if|who else|which ones?)\b"
    r"|^\s*why( not)?\s*[?？]"
    r"|^\s*(那么?|还有|另外|但是?|如果|为什么\s*[?？])|呢\s*[?？]?\s*$",
    re.IGNORECASE,
)
# Questions whose answer is a name, a number, a place or a time, in English and in Chinese.
# Amid a sentence "when" and "where" name a case: "should I write a copy when I reply".
_FACT = re.compile(
    r"\b(who|whom|whose|which)\b"
    r"|(?:^\W*(?:\w+\W+){0,2}|[,;:?]\s*|\b(?:by|since|until|till|from|to|and|know|me)\s+)"
    r"(when|where)\b|\b(when|where)\W*$"
    r"|\bhow (many|much|long|old|far|often|big|large|high|tall|fast|late|early|soon|accurate)\b"
    r"|\b(what|by what|at what|on what) (?!is\b|are\b|was\b|were\b|do\b|does\b|did\b|can\b|"
    r"should\b|must\b|if\b|about\b|happens\b|happened\b|kind\b|makes\b|now\b|next\b|then\b)\w+"
    r"|谁|哪|几(?!乎)|多少|多久|多长|多大|多高|多远|何时|何地|(?:(?<!为)|(?<=[称叫名译作成]为))什么(?![是都也])",
    re.IGNORECASE,
)
# What asks for a way or a reason, or tells of a case: "what to do when", "which steps", "为什么".
_EXPLANATION = re.compile(
    r"^\W*(how (?:do|does|did|can|could|should|shall|to|would|is|are|was|were)|what (?:to do|(?:do|"
    r"should|can|must) (?:i|we|you))|why|explain|describe|summar\w+|tell me about)\b"
    r"|\b(steps|procedure|instructions)\b|步骤|流程|(?<![称叫名译作成])为[什啥何]|怎么|怎样|咋|如何|凭什么|干嘛"
    r"|\bhow come\b",
    re.IGNORECASE,
)
# What is answered with yes or no; "can you tell me when" is not.
_YES_OR_NO = re.compile(
    r"^\W*(?:(?:so|and|hi|hey|hello|but|ok|please)\W+)*"
    r"(?:is|are|am|was|were|do|does|did|can|could|may|might|must|should|shall|will|would|has|have|"
    r"had)\b(?!\s+(?:you|we|they|people|anyone|anybody|someone|somebody)\s+(?:please\s+)?"
    r"(?:know|tell|say|remember|remind|explain)\b)",
    re.IGNORECASE,
)
# Several things are more than a fact: "what types are there", "how much for each", "what and how",
# "what is the difference".
_SEVERAL = re.compile(
    r"\b(what|which)\b[^?]*\bare there\b"
    r"|\b(each(?! (?:hour|day|week|month|year)\b)|respectively|differ(?:s|ence|ences)?)\b"
    r"|区别|差别|不同|哪些|(?:谁|哪[个种])(?:更|比较|[大小高低多少快慢先]|优先)"
    r"|\b(?:which|who|what)\b[^?]*\w,? or \w"
    r"|\band (who|when|where|which|what|how|why)\b",
    re.IGNORECASE,
)
_AMOUNT = re.compile(
    r"\bhow (?:much|many|long|far|old)\b|多[少久长远]|(?<![哪期周拜茶])几(?![乎点号月时率何楼])",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"(?:^\W*(?:\w+\W+){0,2}|[,;:?]\s*|\b(?:by|since|until|till|from|to|and|know|me)\s+)when\b"
    r"|\bwhen\W*$",
    re.IGNORECASE,
)
_OTHERWISE = re.compile(r"\b(?:who|whom|whose|what|which|where|why|how)\b", re.IGNORECASE)
"""Beside "when", it makes that a case: when somebody leaves, who gets the laptop?"""

_TIME = re.compile(
    r"\b(?:what|which) (?:time|hour|day|date|month|year)\b"
    r"|什么时[候间]|什么日期|何[时年]|几时|(?:星期|周|礼拜)几"
    r"|(?<!有)几点(?!建议|意见|要求|注意)|几月|几号(?![楼门线馆])|哪一?[年天月日]",
    re.IGNORECASE,
)
_SHORT_WORDS = 3
_REMEMBERED_QUESTIONS = 2


def clean(question: str, *, max_chars: int) -> str:
    """The question with white space folded and emoji names removed.

    Raises:
        QuestionError: If nothing is left that could be searched, or if it is longer than
            `max_chars`; the message is fit for the person who asked, in their language.
    """
    text = question.encode(errors="replace").decode()  # a terminal may pass on other bytes
    folded = _SPACE.sub(" ", _EMOJI_NAME.sub(" ", text)).strip()
    if len(folded) > max_chars:
        raise QuestionError(_too_long(folded, max_chars))
    if not words(folded):
        raise QuestionError(
            "I could not find a question in that. Ask me something in a sentence, for example: "
            "How many days of leave do I have? · 没有看到问题，请用一句话提问。"
        )
    return folded


def _too_long(question: str, max_chars: int) -> str:
    if language_of(question) == "zh":
        return f"问题太长（{len(question):,} 个字符，上限 {max_chars:,}），请缩短后再问。"
    return (
        f"That question is too long ({len(question):,} characters; I read up to {max_chars:,}). "
        "Please ask it in fewer words."
    )


def depends_on_thread(question: str) -> bool:
    """Whether a question cannot be understood without what was said before it."""
    return (
        bool(_CONTINUATION.search(question) or _POINTER.search(question))
        or len(words(question)) <= _SHORT_WORDS
    )


def asks_for_fact(question: str) -> bool:
    """Whether a few words answer the question, rather than an explanation or a list of steps."""
    return bool(_FACT.search(question)) and not (
        _EXPLANATION.search(question) or _SEVERAL.search(question) or _YES_OR_NO.search(question)
    )


def asks_for_amount(question: str) -> bool:
    """Whether nothing answers the question that has no number, nor a word such as "unlimited"."""
    return bool(_AMOUNT.search(question)) and not _SEVERAL.search(question)


def asks_for_time(question: str) -> bool:
    """Whether nothing answers the question that names no time, nor a case such as "after"."""
    is_when = bool(_WHEN.search(question)) and not _OTHERWISE.search(question)
    return (is_when or bool(_TIME.search(question))) and not _SEVERAL.search(question)


def standalone(question: str, history: Sequence[Message]) -> str:
    """The question as one that can be searched without its thread.

    A question that points back is joined to the questions before it, up to and including the first
    that stands by itself. Joining never loses a word of what was asked, as a small model would that
    rewrites.
    """
    if not depends_on_thread(question):
        return question
    parts = [question]
    earlier = [message.text for message in history if message.role == "user"]
    for previous in reversed(earlier[-_REMEMBERED_QUESTIONS:]):
        parts.insert(0, _SPACE.sub(" ", previous).strip())
        if not depends_on_thread(previous):
            break
    return " ".join(parts)
