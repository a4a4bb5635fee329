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
    "sources": {"en": "Sources", "zh": "来源"},
    "nearest": {"en": "Perhaps near", "zh": "可能相关"},
    "page": {"en": "page {}", "zh": "第 {} 页"},
}


def phrase(name: str, language: str) -> str:
    """The phrase in that language; English where there is no translation."""
    translations = _PHRASES[name]
    return translations.get(language, translations["en"])
