"""Takes personal data and secrets out of what people wrote, before it is stored, where that is set.

Beside the forms that `bot.scrubbing` knows, two libraries look for more where they are installed:
`phonenumbers` knows the numbers of each country, `detect-secrets` the keys of many services.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal

from bot.scrubbing import Scrubber, SecretKind
from retrieval.records import Answer

Redacted = Literal["nothing", "secrets", "personal"]
"""What is taken out: nothing, keys and tokens, or those and personal data."""

LIBRARIES = {"phonenumbers": "phonenumbers", "detect_secrets": "detect-secrets"}
"""What finds more where it is installed, by the name of its package on PyPI."""

_MANY = ("Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector")
"""What takes any word, or what is looked for already."""

Finder = Callable[[str], Iterable[str]]


class Redactor:
    """Redacts texts; what is taken out is marked by a placeholder, such as `<EMAIL_1>`.

    `regions` are the countries whose telephone numbers are known without their country's code.
    """

    def __init__(self, what: Redacted = "nothing", *, regions: Sequence[str] = ()) -> None:
        self.what = what
        self._regions = tuple(regions)

    def texts(self, *texts: str, known: str = "") -> tuple[str, ...]:
        """The texts, in which a value has the same placeholder throughout.

        What `known` has, the text of published documents, is not personal and stays; secrets do
        not.
        """
        if self.what == "nothing":
            return texts
        scrubber = Scrubber(known, is_for_secrets=self.what == "secrets", finders=self._finders())
        return tuple(map(scrubber.scrub, texts))

    def text(self, text: str) -> str:
        """One text."""
        return self.texts(text)[0]

    def answer(self, answer: Answer) -> Answer:
        """An answer with its question, as they are stored."""
        passages = [hit.passage for hit in answer.hits]
        passages += [*(citation.passage for citation in answer.citations), *answer.nearest]
        known = "\n".join(passage.text for passage in passages)
        question, query, text = self.texts(answer.question, answer.query, answer.text, known=known)
        return replace(answer, question=question, query=query, text=text)

    def _finders(self) -> dict[SecretKind, Finder]:
        found: dict[SecretKind, Finder] = {"KEY": _keys} if is_installed("detect_secrets") else {}
        if self.what == "personal" and is_installed("phonenumbers"):
            found["PHONE"] = self._phones
        return found

    def _phones(self, text: str) -> Iterator[str]:
        import phonenumbers

        for region in (None, *self._regions):
            for match in phonenumbers.PhoneNumberMatcher(text, region):
                yield match.raw_string


@cache
def is_installed(library: str) -> bool:
    """Whether one of the libraries that find more is there."""
    return find_spec(library) is not None


def _keys(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        for detector in _detectors():
            yield from detector.analyze_string(line)


@cache
def _detectors() -> list[Any]:
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    kinds: Iterable[type[Any]] = get_mapping_from_secret_type_to_class().values()
    return [kind() for kind in kinds if kind.__name__ not in _MANY]
