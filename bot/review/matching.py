"""Whether two questions ask the same thing: alike in meaning, and in no word that matters apart."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import Stemmer

from retrieval.answering.triage import QueryEmbedder
from retrieval.language import CJK, language_of, words
from retrieval.records import Vectors

SAME_WORDS = 0.7
"""The least likeness of questions made of the same words, which may mean something else in another
order. This and the next: measured by `benchmarks/curated.py`."""

OTHER_WORDS = 0.95
"""The least likeness of English questions of which one has a word that the other has not: sick
leave is not leave, but to embedders a question about the one is 0.86 like one about the other."""

BACKGROUND = {
    "en": (
        "Where can I park my bicycle?",
        "Who approves a new supplier?",
        "How do I restart the database after an outage?",
        "What is the dress code for customer visits?",
        "When does the canteen close on Fridays?",
        "How long are server logs kept?",
        "Why was my expense report rejected?",
        "Which team owns the payment service?",
    ),
    "zh": (
        "自行车可以停在哪里？",
        "新供应商由谁审批？",
        "数据库故障后怎么重启？",
        "拜访客户时着装有什么要求？",
        "食堂周五几点关门？",
        "服务器日志保留多久？",
        "我的报销单为什么被退回？",
        "支付服务由哪个团队负责？",
    ),
}
"""Questions that have nothing to do with each other. Embedders differ in how near they put those:
about 0.8 for the default one, 0.1 for others; likeness is counted from there."""


class Likeness:
    """How alike questions are to an embedder: 0 for unrelated ones, 1 for the same.

    Cosine corrected for chance: the part of the way from the usual cosine of unrelated questions
    to 1. So one threshold serves embedders whose cosines live in different bands.
    """

    def __init__(self, embedder: QueryEmbedder) -> None:
        self.embedder = embedder
        self._usual = usual_cosines(embedder)

    def of(self, asked: Vectors, known: Vectors, language: str) -> npt.NDArray[np.float32]:
        """One value for each row of `known`; `asked` has shape (1, d)."""
        usual = self._usual["zh" if language == "zh" else "en"]
        cosines: npt.NDArray[np.float32] = (known @ asked[0] - usual) / (1 - usual)
        return cosines


def usual_cosines(embedder: QueryEmbedder) -> dict[str, float]:
    """The cosine that unrelated questions have on average, by language."""
    usual = {}
    for language, questions in BACKGROUND.items():
        vectors = embedder.embed_queries(questions)
        cosines = vectors @ vectors.T
        usual[language] = float(cosines[~np.eye(len(vectors), dtype=bool)].mean())
    return usual


def is_same(asked: str, known: str, likeness: float) -> bool:
    """Whether two questions, so alike to an embedder, can be given the same answer.

    Numbers, names, negation, opposites (before and after) and what is asked for (a person, a place,
    a time...) must agree, and so must the words, unless the likeness leaves no doubt. This refuses
    many wordings of one question, which costs little: those are answered from the documents.
    """
    if likeness < SAME_WORDS or not agree(asked, known):
        return False
    if _content(asked) == _content(known):
        return True
    return likeness >= OTHER_WORDS and language_of(known) == "en"


_NEGATION = re.compile(
    r"\b(?:not?|never|without|cannot|except|nor|neither|un(?:able|paid|available))\b|n['’]t\b"
    r"|不|没|無|无|未|禁止|别|勿|非"
)
# A Chinese question of the form "can-not-can" negates nothing.
_EITHER_OR = re.compile(rf"([{CJK}])[不没]\1|有没有")
_DIGITS = re.compile(r"\d+(?:[.,:]\d+)*")
_NUMBER_WORDS = {
    word: str(value)
    for value, group in enumerate(
        (
            "zero",
            "one first 一",
            "two second twice 二 两",
            "three third 三",
            "four fourth 四",
            "five fifth 五",
            "six sixth 六",
            "seven seventh 七",
            "eight eighth 八",
            "nine ninth 九",
            "ten tenth 十",
        )
    )
    for word in group.split()
}
_NAME = re.compile(rf"(?<![^\W{CJK}])[A-Z][\w.+-]*\w|\b\w*[a-z][A-Z]\w*\b|\b\w+[-_.]\w+\b")
_ASKS = {
    "person": r"\b(?:who|whom|whose)\b|谁|哪位",
    "place": r"\bwhere\b|哪里|哪儿|何处|在哪",
    "time": r"\b(?:when|what time|by what date)\b|什么时候|何时|几点|几号|哪天",
    "reason": r"\bwhy\b|为什么|为何|什么原因",
    "amount": r"\bhow (?:much|many|old|big|large|far)\b|多少|几[天个年月小]",
    "length": r"\bhow long\b|多久(?!.*一次)|多长",
    "frequency": r"\bhow (?:often|frequently)\b|多久.*一次|几次|频率",
    "way": r"\bhow (?:do|does|can|should|to|would|is|are)\b|怎么|如何|怎样",
}
_ASKS_FOR = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _ASKS.items()}
_OPPOSITES = tuple(
    tuple(side.split("|") for side in pair.split(" / "))
    for pair in (
        "start|begin|join|joining|onboarding / end|stop|leave|leaving|offboarding|quit",
        "open / close|closed",
        "enable|activate|switch on|turn on / disable|deactivate|switch off|turn off",
        "add|install|create / remove|uninstall|delete",
        "before / after",
        "minimum|least|lowest / maximum|most|highest",
        "increase|raise / decrease|reduce|lower",
        "approve|accept / reject|refuse|decline",
        "buy / sell",
        "send / receive",
        "import / export",
        "upload / download",
        "upgrade / downgrade",
        "last|previous / next|coming",
        "above|over|more than|at least / below|under|less than|at most",
        "超过|以上|高于 / 低于|以下|不到",
        "internal / external",
        "paid / unpaid",
        "full-time|full time / part-time|part time",
        "permanent / temporary|contract",
        "weekday|weekdays / weekend|weekends",
        "domestic / international|abroad",
        "入职 / 离职",
        "开启|启用|打开|开通 / 关闭|停用|禁用|注销",
        "安装|添加|新增|创建 / 卸载|删除|移除",
        "之前|以前 / 之后|以后",
        "最少|最低|至少 / 最多|最高|至多",
        "增加|提高 / 减少|降低",
        "批准|通过 / 拒绝|驳回",
        "上传 / 下载",
        "导入 / 导出",
        "升级 / 降级",
        "上个|上一|去年 / 下个|下一|明年",
        "内部 / 外部",
        "全职 / 兼职",
        "国内 / 国外|国际|海外",
        "工作日 / 周末",
        "带薪 / 无薪",
        "购买 / 出售",
    )
)

_LIGHT = frozenset(
    words(
        "a about also am an and any are as at be been by can could currently did do does each"
        " every exactly find for from get go got had has have how i if in into is it its just know"
        " long many may me might much must my need now of often on or our per please s shall"
        " should so still t tell than that the their them then there these they this those to us"
        " want was we were what when where which who whom whose why will with would you your"
        " allowed"
    )
)
_LIGHT_CJK = re.compile(
    "请问|一共|总共|应该|可不可以|可以|能不能|能否|能|是不是|是否|怎么样?|如何|怎样|什么时候|什么|哪里|哪儿|哪个"
    "|多少|多久|多长时间|几|谁|吗|呢|啊|的|了|我们?|你们?|您|会|要|去|到|在|是|由|来|有|每|一"
)
_SYNONYMS_CJK = {"之后": "后", "之前": "前", "打开": "开启", "启用": "开启", "预定": "预订"}
_STEMMER = Stemmer.Stemmer("english")


def _content(text: str) -> set[str]:
    """The words that say what a question is about, stemmed; CJK characters one by one."""
    for word, usual in _SYNONYMS_CJK.items():
        text = text.replace(word, usual)
    rest = [word for word in words(_LIGHT_CJK.sub(" ", text)) if word not in _LIGHT]
    return set(_STEMMER.stemWords([_NUMBER_WORDS.get(word, word) for word in rest]))


def agree(one: str, other: str) -> bool:
    """Whether nothing that an embedder overlooks sets two questions apart."""
    return (
        language_of(one) == language_of(other)
        and _numbers(one) == _numbers(other)
        and _names_agree(one, other)
        and _is_negated(one) == _is_negated(other)
        and not _are_opposed(one, other)
        and not _ask_otherwise(one, other)
    )


def _numbers(text: str) -> set[str]:
    digits = set(_DIGITS.findall(text))
    spelt = {_NUMBER_WORDS[word] for word in words(text) if word in _NUMBER_WORDS}
    return digits | spelt - {"1"}  # "one" and 一 mostly count nothing


def _names_agree(one: str, other: str) -> bool:
    return _names(one) <= _plain_words(other) and _names(other) <= _plain_words(one)


def _names(text: str) -> set[str]:
    """Words written as names in the middle of a sentence, in lower case."""
    found = (match for match in _NAME.finditer(text) if match.start() > 0)
    return {word for match in found for word in words(match.group()) if word != "i"}


def _plain_words(text: str) -> set[str]:
    return set(words(text))


def _is_negated(text: str) -> bool:
    return bool(_NEGATION.search(_EITHER_OR.sub("", text.lower())))


def _are_opposed(one: str, other: str) -> bool:
    return any(
        (_has(one, left) and _has(other, right) and not (_has(one, right) or _has(other, left)))
        or (_has(one, right) and _has(other, left) and not (_has(one, left) or _has(other, right)))
        for left, right in _OPPOSITES
    )


def _has(text: str, phrases: Sequence[str]) -> bool:
    return any(re.search(rf"\b{p}\b" if p.isascii() else p, text.lower()) for p in phrases)


def _ask_otherwise(one: str, other: str) -> bool:
    ones, others = (
        {name for name, pattern in _ASKS_FOR.items() if pattern.search(text)}
        for text in (one, other)
    )
    return bool(ones and others and not ones & others)
