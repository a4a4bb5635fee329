"""What the bot itself says, in the language of the question."""

from __future__ import annotations

_PHRASES = {
    "not_found": {
        "en": "I did not find an answer to that in the documents.",
        "zh": "我在文档中没有找到这个问题的答案。",
    },
    "stopped": {
        "en": "Stopped before there was a sentence that the documents support.",
        "zh": "在写出有文档依据的句子之前已停止。",
    },
    "goes_on": {"en": "… The document goes on.", "zh": "……原文后面还有内容。"},
    "no_model": {
        "en": "The language model cannot be reached at the moment, so this is quoted, not written:",
        "zh": "目前无法连接语言模型，以下为文档原文：",
    },
    "no_model_nor_quote": {
        "en": "The language model cannot be reached at the moment, and no quote answers this "
        "for sure. Please ask again later.",
        "zh": "目前无法连接语言模型，也没有能确切回答这个问题的原文，请稍后再问。",
    },
    "broken_off": {
        "en": "(The language model broke off here; there may be more in the sources.)",
        "zh": "（语言模型在此中断，来源中可能还有更多内容。）",
    },
    "cut": {
        "en": "(The answer was cut here at its limit; the rest is in the sources.)",
        "zh": "（答案已达长度上限，其余内容见来源。）",
    },
    "foreign": {
        "en": "The document is in {}; in its own words:",
        "zh": "以下引自{}文档的原文：",
    },
    "language_en": {"en": "English", "zh": "英文"},
    "language_zh": {"en": "Chinese", "zh": "中文"},
    "language_ja": {"en": "Japanese", "zh": "日文"},
    "language_ko": {"en": "Korean", "zh": "韩文"},
    "sources": {"en": "Sources", "zh": "来源"},
    "nearest": {"en": "Perhaps near", "zh": "可能相关"},
    "page": {"en": "page {}", "zh": "第 {} 页"},
}


def phrase(name: str, language: str) -> str:
    """The phrase in that language; English where there is no translation."""
    translations = _PHRASES[name]
    return translations.get(language, translations["en"])


def notice_of_language(document: str, language: str) -> str:
    """What stands, in `language`, above a quote in the language `document`, a short code."""
    key = f"language_{document}"
    named = phrase(key, language) if key in _PHRASES else document
    return phrase("foreign", language).format(named)
