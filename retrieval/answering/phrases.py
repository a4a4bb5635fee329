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
