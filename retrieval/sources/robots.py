"""What a site's robots.txt lets a program read, as RFC 9309 has it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

MAX_RULE_CHARS = 500
"""Longer rules are cut, or dropped if they allow, so that more is forbidden and not less."""


@dataclass(frozen=True, slots=True)
class Robots:
    """The rules of one program: whether a rule allows, and for which paths."""

    rules: tuple[tuple[bool, str], ...] = ()
    delay_s: float = 0.0

    def allows(self, url: str) -> bool:
        """Whether an address may be read: the longest rule that fits decides, or the kinder one."""
        parts = urlsplit(url)
        path = unquote(parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fitting = [(len(rule), allows) for allows, rule in self.rules if _fits(path, rule)]
        return max(fitting, default=(0, True))[1]


FORBIDDEN = Robots(((False, "/"),))
"""Nothing may be read."""


def read_robots(text: str, agent: str) -> Robots:
    """The rules for a program, else those for all."""
    groups: dict[str, list[tuple[str, str]]] = {}
    names: list[str] = []
    is_head = False
    for line in text.lstrip("\ufeff").splitlines():
        field, colon, value = (part.strip() for part in line.partition("#")[0].partition(":"))
        if not colon:
            continue
        if field.lower() == "user-agent":
            names = [*names, value.lower()] if is_head else [value.lower()]
            is_head = True
            groups.setdefault(value.lower(), [])
        elif field.lower() in ("allow", "disallow", "crawl-delay"):
            is_head = False
            for name in names:
                groups[name].append((field.lower(), value))
    ours = groups.get(agent.lower(), groups.get("*", []))
    return Robots(
        tuple(
            (field == "allow", unquote(value)[:MAX_RULE_CHARS])
            for field, value in ours
            if field == "disallow" or (field == "allow" and len(value) <= MAX_RULE_CHARS)
            if value
        ),
        max((_seconds(value) for field, value in ours if field == "crawl-delay"), default=0.0),
    )


def _fits(path: str, rule: str) -> bool:
    is_whole = rule.endswith("$")
    first, *others = rule.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    for number, part in enumerate(others, start=1):
        is_last = is_whole and number == len(others)
        found = path.rfind(part, at) if is_last else path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return not is_whole or at == len(path)


def _seconds(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0
