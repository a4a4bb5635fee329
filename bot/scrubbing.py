"""Takes personal data and secrets out of what people wrote, and says when it is not sure.

What is found becomes a placeholder such as `<EMAIL_1>`, the same for the same value throughout one
turn. It finds what has a form; it does not know people's names.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Literal

from retrieval.secret_forms import SECRETS, form, has_secret

SecretKind = Literal["EMAIL", "PHONE", "ID", "IBAN", "CARD", "IP", "SLACK", "TOKEN", "KEY"]

SHORTEST = 6
"""What is shorter is no key and no number, whoever finds it."""


_PERSONAL: tuple[tuple[SecretKind, re.Pattern[str]], ...] = (
    ("EMAIL", form(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[\w-]+(?:\.[\w-]+)+")),
    (
        "SLACK",
        form(
            r"<[@!#][^>]*>"
            r"|(?<![0-9A-Za-z])[UWCDGTB](?=[A-Z0-9]*\d)[A-Z0-9]{8,11}(?![0-9A-Za-z])"
        ),
    ),
    ("IBAN", form(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")),
    ("ID", form(r"(?<![0-9A-Za-z])[1-9]\d{16}[\dXx](?![0-9A-Za-z])")),
    ("CARD", form(r"(?<!(?a:[\w.]))\d(?:[ -]?\d){12,18}(?!(?a:[\w.])*\d)")),
    ("IP", form(r"(?<!(?a:[\w.]))(?:\d{1,3}\.){3}\d{1,3}(?!(?a:[\w.])*\d)")),
    ("IP", form(r"(?<!(?a:[\w:]))(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?!(?a:[\w:]))")),
    ("PHONE", form(r"(?<!(?a:[\w.]))1[3-9]\d(?:[ -]?\d{4}){2}(?!\d)")),
    ("PHONE", form(r"(?<!(?a:[\w.]))(?:\+|00)\d(?:[ ()./-]{0,2}\d){7,13}(?!\d)")),
    ("PHONE", form(r"(?<!(?a:[\w./-]))\(?0\d{1,4}\)?(?:[ ./-]\d{2,}){1,4}(?!\d)")),
    ("PHONE", form(r"(?<!(?a:[\w.]))\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?!\d)")),
)

# What may have slipped through: an @ between words, long numbers, long random strings.
_LEFT = (
    form(r"\w\s?(?:[@\uff20]|\(at\)|\[at\])\s?\w+\s?(?:\.|\(dot\)|\[dot\])\s?\w"),
    form(r"(?<!(?a:[\w.]))\d(?:[ -]?\d){8,}(?!\d)"),
    form(r"(?=[\w+=-]*\d)(?=[\w+=-]*[A-Z])(?=[\w+=-]*[a-z])[\w+=-]{32,}"),
    form(r"\b[0-9a-f]{32,}\b"),
    form(r"PRIVATE KEY|\bxox[a-z]-|\bxapp-"),
)


class Scrubber:
    """Scrubs the texts of one turn, in which a value always has the same placeholder.

    `known` is the text of the passages shown: an address or a number that a document publishes is
    not personal, so it stays. Secrets never do. `finders` find more than the forms do; where it
    `is_for_secrets` alone, personal data stays.
    """

    def __init__(
        self,
        known: str = "",
        *,
        is_for_secrets: bool = False,
        finders: Mapping[SecretKind, Callable[[str], Iterable[str]]] = MappingProxyType({}),
    ) -> None:
        self._known = known
        self._patterns = () if is_for_secrets else _PERSONAL
        self._finders = finders
        self._names: dict[str, str] = {}

    def scrub(self, text: str) -> str:
        """The text with placeholders."""
        for secret, pattern in SECRETS:
            text = pattern.sub(partial(self._secret, secret), text)
        for kind, pattern in self._patterns:
            text = pattern.sub(partial(self._personal, kind), text)
        for kind, find in self._finders.items():
            # The longest first: a part of one is not to be replaced in it.
            for found in sorted({*find(text)}, key=len, reverse=True):
                if (
                    len(found) >= SHORTEST
                    and "<" not in found
                    and (kind == "KEY" or found not in self._known)
                ):
                    text = text.replace(found, self._name(kind, found))
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


def _is_id(found: str) -> bool:
    """The check character of China's identity numbers (GB 11643-1999, ISO 7064 MOD 11-2)."""
    total = sum(int(digit) * (1 << (17 - n)) for n, digit in enumerate(found[:17]))
    return "10X98765432"[total % 11] == found[17].upper()


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
    "ID": _is_id,
    "IBAN": _is_iban,
    "IP": _is_address,
    "PHONE": _is_phone,
}
