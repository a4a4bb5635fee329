"""Labels of audiences: what is one for sure, and what may be meant to say who reads something."""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher

from retrieval.records import PUBLIC

PERSON = "person:"
"""Goes before an e-mail address in the label of documents for that person alone."""

ALIKE = 0.75
"""From this likeness on a name is taken for a misspelt `audience`; `audit` is 0.62 like it."""

MOST_CHARS = 300
"""A label has no more: an address has at most 254, and a shared index looks it up in a tree."""

_ALPHABETS = frozenset(("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"))
"""Those whose letters look like each other."""

# fmt: off
_RESTRICTING = frozenset((
    "access", "acl", "acls", "allow", "allowed", "classification", "classified", "clearance",
    "confidential", "confidentiality", "deny", "internal", "permission", "permissions", "private",
    "privacy", "public", "reader", "readers", "restrict", "restricted", "restriction",
    "restrictions", "secret", "sensitive", "sensitivity", "shared", "sharing", "viewer", "viewers",
    "visibility", "visible",
))
# fmt: on
_CHINESE = re.compile("受众|读者|可见|权限|密级|机密|保密|秘密|绝密|内部")
_SEVERAL = re.compile(r"[,;|\[\]{}、，；\n]")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def label_of(value: object) -> str:
    """The label that a value is, without the white space around it; a person's in lower case.

    Raises:
        ValueError: If it is none, or may be meant for another one; the message begins with
            "audience is".
    """
    if not isinstance(value, str):
        raise ValueError(f"audience is {value!r}, not one label in quotes")  # noqa: TRY004 - as below
    label = value.strip()
    if not label:
        raise ValueError("audience is empty")
    if label != PUBLIC and visible(unicodedata.normalize("NFKC", label)).casefold() == PUBLIC:
        raise ValueError(f"audience is {label!r}; write `{PUBLIC}`, or another label")
    if len(label) > MOST_CHARS:
        raise ValueError(f"audience is longer than {MOST_CHARS} characters")
    if _SEVERAL.search(label):
        raise ValueError(f"audience is {label!r}; a document has one label")
    if label != visible(label) or is_mixed(label) or any(map(_is_odd, label)):
        raise ValueError(
            f"audience is {label!a}, with characters that are hidden or look like others"
        )
    return label.lower() if label.lower().startswith(PERSON) else label


def names_audience(name: str) -> bool:
    """Whether a name is `audience`, or may be a misspelling or a translation of it."""
    return is_mixed(name) or "受众" in name or _is_alike("".join(_words(name)))


def may_restrict(name: str) -> bool:
    """Whether what has this name may be meant to say who reads something."""
    words = _words(name)
    return (
        names_audience(name)
        or _CHINESE.search(name) is not None
        or any(word in _RESTRICTING or _is_alike(word) for word in words)
    )


def visible(text: str) -> str:
    """The text without what nobody sees: marks of direction and joining, controls, tags."""
    if text.isprintable():
        return text
    return "".join(c for c in text if c in "\t\n" or unicodedata.category(c)[0] != "C")


def is_mixed(text: str) -> bool:
    """Whether letters of alphabets that look like each other stand side by side."""
    letters = (character for character in text if not character.isascii() and character.isalpha())
    found = {unicodedata.name(letter, "").partition(" ")[0] for letter in letters}
    if any(character.isascii() and character.isalpha() for character in text):
        found.add("LATIN")
    return len(found & _ALPHABETS) > 1


def _is_odd(character: str) -> bool:
    """Whether it is a letter, space or hyphen in disguise."""
    plain = unicodedata.normalize("NFKC", character)
    is_like = plain.isalnum() or plain.isspace()
    return (plain != character and is_like) or (
        unicodedata.category(character) == "Pd" and character != "-"
    )


def _words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", visible(name))
    return re.findall("[a-z]+", _CAMEL.sub(" ", re.sub(r"[\u0300-\u036f]", "", plain)).casefold())


def _is_alike(word: str) -> bool:
    return SequenceMatcher(None, word, "audience", autojunk=False).ratio() >= ALIKE
