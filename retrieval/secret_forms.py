"""What keys and tokens look like, so that they can be taken out of texts."""

from __future__ import annotations

import re
from typing import Literal

SecretForm = Literal["KEY", "TOKEN"]


def form(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """The pattern of what has a form, also in the middle of Chinese."""
    # Chinese has no spaces: only letters and digits of ASCII can be a part of what has a form.
    return re.compile(pattern.replace(r"\b", r"(?a:\b)"), flags)


SECRETS: tuple[tuple[SecretForm, re.Pattern[str]], ...] = (
    (
        "KEY",
        form(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL),
    ),
    ("TOKEN", form(r"\bxox[a-z](?:\.xox[a-z])?-[\w.-]{8,}|\bxapp-[\w-]{8,}")),
    ("TOKEN", form(r"\bhooks\.slack\.com/(?:services|workflows|triggers)/\S+")),
    ("TOKEN", form(r"\beyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*")),
    ("KEY", form(r"\b(?:AKIA|ASIA|AGPA|AROA|AIDA)[A-Z0-9]{16}\b")),
    ("TOKEN", form(r"\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,})")),
    ("TOKEN", form(r"\b(?:sk|pk|rk)[-_](?:live|test|proj|ant)?[-_]?[A-Za-z0-9_-]{16,}")),
    ("KEY", form(r"\bAIza[\w-]{30,}")),
    ("KEY", form(r"\bwhimbrel_[0-9a-f]{12}_[\w-]{20,}")),
    (
        "KEY",
        form(
            r"(?i)(?:secret|token|api.?key|password|passwd|pwd|密码|密钥)[\"']?\s*"
            r"(?:[:=：]|\bis\b|是)\s*[\"']?(?=\S*\d)[^\s\"']{6,}"
        ),
    ),
)
"""Each kind with a pattern of it."""


def has_secret(text: str) -> bool:
    """Whether a text holds what looks like a key or a token."""
    return any(pattern.search(text) for _, pattern in SECRETS)


def without_secrets(text: str) -> str:
    """A text with `<KEY>` or `<TOKEN>` where one of them was."""
    for kind, pattern in SECRETS:
        text = pattern.sub(f"<{kind}>", text)
    return text
