"""Takes personal data and secrets out of what people wrote, and says when it is not sure.

What is found becomes a placeholder such as `<EMAIL_1>`, the same for the same value throughout one
turn. It finds what has a form; it does not know people's names.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import partial
from typing import Literal

SecretKind = Literal["EMAIL", "PHONE", "IBAN", "CARD", "IP", "SLACK", "TOKEN", "KEY"]

_SECRETS: tuple[tuple[SecretKind, re.Pattern[str]], ...] = (
    (
        "KEY",
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL),
    ),
    ("TOKEN", re.compile(r"\bxox[a-z](?:\.xox[a-z])?-[\w.-]{8,}|\bxapp-[\w-]{8,}")),
    ("TOKEN", re.compile(r"\bhooks\.slack\.com/(?:services|workflows|triggers)/\S+")),
    ("TOKEN", re.compile(r"\beyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*")),
    ("KEY", re.compile(r"\b(?:AKIA|ASIA|AGPA|AROA|AIDA)[A-Z0-9]{16}\b")),
    ("TOKEN", re.compile(r"\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,})")),
    ("TOKEN", re.compile(r"\b(?:sk|pk|rk)[-_](?:live|test|proj|ant)?[-_]?[A-Za-z0-9_-]{16,}")),
    ("KEY", re.compile(r"\bAIza[\w-]{30,}")),
    (
        "KEY",
        re.compile(
            r"(?i)(?:secret|token|api.?key|password|passwd|pwd|密码|密钥)[\"']?\s*"
            r"(?:[:=：]|\bis\b|是)\s*[\"']?(?=\S*\d)[^\s\"']{6,}"
        ),
    ),
)

_PERSONAL: tuple[tuple[SecretKind, re.Pattern[str]], ...] = (
    ("EMAIL", re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[\w-]+(?:\.[\w-]+)+")),
    ("SLACK", re.compile(r"<[@!#][^>]*>|\b[UWCDGTB](?=[A-Z0-9]*\d)[A-Z0-9]{8,11}\b")),
    ("IBAN", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")),
    ("CARD", re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w.]*\d)")),
    ("IP", re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)")),
    ("IP", re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])")),
    ("PHONE", re.compile(r"(?<![\w.])1[3-9]\d(?:[ -]?\d{4}){2}(?!\d)")),
    ("PHONE", re.compile(r"(?<![\w.])(?:\+|00)\d(?:[ ()./-]{0,2}\d){7,13}(?!\d)")),
    ("PHONE", re.compile(r"(?<![\w./-])\(?0\d{1,4}\)?(?:[ ./-]\d{2,}){1,4}(?!\d)")),
    ("PHONE", re.compile(r"(?<![\w.])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?!\d)")),
)

# What may have slipped through: an @ between words, long numbers, long random strings.
_LEFT = (
    re.compile(r"\w\s?(?:@|\(at\)|\[at\])\s?\w+\s?(?:\.|\(dot\)|\[dot\])\s?\w"),
    re.compile(r"(?<![\w.])\d(?:[ -]?\d){8,}(?!\d)"),
    re.compile(r"(?=[\w+=-]*\d)(?=[\w+=-]*[A-Z])(?=[\w+=-]*[a-z])[\w+=-]{32,}"),
    re.compile(r"\b[0-9a-f]{32,}\b"),
    re.compile(r"PRIVATE KEY|\bxox[a-z]-|\bxapp-"),
)


def has_secret(text: str) -> bool:
    """Whether a text holds what looks like a key or a token."""
    return any(pattern.search(text) for _, pattern in _SECRETS)


class Scrubber:
    """Scrubs the texts of one turn, in which a value always has the same placeholder.

    `known` is the text of the passages shown: an address or a number that a document publishes is
    not personal, so it stays. Secrets never do.
    """

    def __init__(self, known: str = "") -> None:
        self._known = known
        self._names: dict[str, str] = {}

    def scrub(self, text: str) -> str:
        """The text with placeholders."""
        for kind, pattern in _SECRETS:
            text = pattern.sub(partial(self._secret, kind), text)
        for kind, pattern in _PERSONAL:
            text = pattern.sub(partial(self._personal, kind), text)
        return text

    def leaves(self, scrubbed: str) -> bool:
        """Whether something that may be personal or secret is left in a scrubbed text."""
        return any(
            match[0] not in self._known for pattern in _LEFT for match in pattern.finditer(scrubbed)
        ) or has_secret(scrubbed)

    def _secret(self, kind: SecretKind, match: re.Match[str]) -> str:
        return self._name(kind, match[0])

    def _personal(self, kind: SecretKind, match: re.Match[str]) -> str:
        found = match[0]
        if found in self._known and kind != "SLACK":
            return found
        return self._name(kind, found) if _CHECKS.get(kind, _always)(found) else found

    def _name(self, kind: SecretKind, found: str) -> str:
        if found not in self._names:
            number = 1 + sum(name.startswith(f"<{kind}_") for name in self._names.values())
            self._names[found] = f"<{kind}_{number}>"
        return self._names[found]


def _always(_found: str) -> bool:
    return True


def _is_phone(found: str) -> bool:
    """Dates have eight digits, numbers of cases and rooms fewer."""
    return sum(character.isdigit() for character in found) > 8


def _is_card(found: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1)."""
    digits = [int(character) for character in reversed(found) if character.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _is_iban(found: str) -> bool:
    """The check digits of ISO 13616: the rearranged number is 1 modulo 97."""
    plain = found.replace(" ", "")
    digits = "".join(str(int(character, 36)) for character in plain[4:] + plain[:4])
    return int(digits) % 97 == 1


def _is_address(found: str) -> bool:
    try:
        ipaddress.ip_address(found)
    except ValueError:
        return False
    return True


_CHECKS: dict[SecretKind, Callable[[str], bool]] = {
    "CARD": _is_card,
    "IBAN": _is_iban,
    "IP": _is_address,
    "PHONE": _is_phone,
}
