"""The one exit for text that leaves: only known addresses, no mentions, nothing invisible.

Text is judged line by line; only a fenced block reaches further. In a line invisible characters
go, links shrink to their labels, and what could still become a link, a mention or a tag is made
inert by putting something visible in its place. That last step leaves nothing for an earlier one
to act on, so sanitised text passes unchanged.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator

from retrieval.answering.links import Links, inert_code, keeps_any, unlinked

# Zero-width and bidi characters, tags, fillers, supplementary variation selectors and surrogates
# are hidden from people, not from parsers. Escape characters wait for _ANSI.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9a\x9c-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0"
    "\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_ANSI = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*+[ -/]*+[@-~]|\x1b\\][^\x07\x1b]*+(?:\x07|\x1b\\\\)|[\x1b\x9b]"
)

_BLOCK_MARKS = r"(?:[ \t>]|(?:[-*+]|\d{1,9}[.)])[ \t])*+"
_FENCE = re.compile(rf"{_BLOCK_MARKS}(`{{3,}})[^`]*$")
_TICKS = re.compile("`+")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8});")

# Words that no later text can change, up to the white space behind the last of them.
_SETTLED = re.compile(
    # Python before 3.11.5 loses its way in repeated groups that give nothing back.
    r"""(?>(?:[^\s`\[\]<&\x1b\x9b]
           | (?:\[\d+\])++(?![(\[:])
           | (?<!`)`[^`\x1b\x9b]++`(?!`)
        )*\s++)+""",
    re.VERBOSE,
)
_NO_FENCE = re.compile(rf"{_BLOCK_MARKS}[^`\s>]\S*\s")


def sanitise(text: str, *, allowed_urls: Collection[str] = (), shows_urls: bool = False) -> str:
    """Markdown that can be posted: a model's text without anything that acts on its reader.

    An address stays only if it is one of `allowed_urls`, query and fragment included; the case of
    scheme and host does not count. Links and images shrink to their labels, behind which links that
    stay have their address if it `shows_urls`. E-mail addresses stay as text, mentions and HTML
    tags stay readable but do nothing, and characters that cannot be seen are gone. Code keeps its
    text; in it addresses and mentions are only broken up.

    The result is the same however often it is sanitised. Any string is accepted; the time grows
    with its length.
    """
    stream = StreamSanitiser(allowed_urls=allowed_urls, shows_urls=shows_urls)
    return stream.feed(text) + stream.close()


def sanitise_words(text: str) -> str:
    """Text that is not Markdown, such as a title or a name, without anything that acts.

    No address, mention, call or hidden character is left; all else stays as it is.
    """
    return unlinked(without_hidden(text))


def without_hidden(text: str) -> str:
    """The text without the characters that people do not see."""
    return _INVISIBLE.sub("", _ANSI.sub("", text))


class StreamSanitiser:
    """`sanitise` for text that arrives in pieces; what it returned never has to be taken back.

    The pieces returned by `feed` and `close`, joined, are the sanitised whole. At most the current
    line is held back.
    """

    def __init__(self, *, allowed_urls: Collection[str] = (), shows_urls: bool = False) -> None:
        self._keeps, self._shows_urls = keeps_any(allowed_urls), shows_urls
        self._held = ""
        self._fence = 0  # backticks that close the open fence; 0 outside
        self._begun = False  # part of the current line is out already

    def feed(self, text: str) -> str:
        """What is settled now that `text` has arrived; may be empty."""
        text = text.replace("\u2028", "\n").replace("\u2029", "\n")
        *lines, self._held = (self._held + _INVISIBLE.sub("", text)).split("\n")
        return "".join([self._line(line) + "\n" for line in lines]) + self._settled()

    def close(self) -> str:
        """The rest of the text; the stream can then be used for another."""
        rest, self._held = self._line(self._held), ""
        self._fence = 0
        return rest

    def _settled(self) -> str:
        if self._fence or not (self._begun or _NO_FENCE.match(self._held)):
            return ""
        match = _SETTLED.match(self._held)
        if match is None:
            return ""
        self._held = self._held[match.end() :]
        self._begun = True
        return self._prose(match.group())

    def _line(self, line: str) -> str:
        line = _ANSI.sub("", line)
        if self._begun:
            self._begun = False
            return self._prose(line)
        fence = _FENCE.match(line)
        if not self._fence and not fence:
            return self._prose(line)
        if not self._fence and fence:
            self._fence = len(fence[1])
        elif fence and len(fence[1]) >= self._fence and line.endswith("`"):
            self._fence = 0
        return inert_code(line, self._keeps)

    def _prose(self, line: str) -> str:
        links = Links(self._keeps, shows_urls=self._shows_urls)
        for text, is_code in _spans(line):
            if is_code:
                links.add(inert_code(text, self._keeps), is_final=True)
            else:
                links.read(_decoded(text))
        return links.text()


def _spans(line: str) -> Iterator[tuple[str, bool]]:
    """The line's code spans and the text between them; a backtick without a partner is a quote."""
    ticks = list(_TICKS.finditer(line))
    partners: dict[int, int] = {}
    latest: dict[int, int] = {}
    for i in range(len(ticks) - 1, -1, -1):
        length = len(ticks[i].group())
        if length in latest:
            partners[i] = latest[length]
        latest[length] = i
    end = i = 0
    while i < len(ticks):
        if i in partners:
            start, i = ticks[i].start(), partners[i]
            yield line[end:start].replace("`", "'"), False
            end = ticks[i].end()
            yield line[start:end], True
        i += 1
    yield line[end:].replace("`", "'"), False


def _decoded(text: str) -> str:
    """Text in which no entity hides a character that links, mentions or tags are made of."""

    def decode(match: re.Match[str]) -> str:
        character = html.unescape(match.group())
        return character if character in set(":/.@<>![]()\\") else match.group()

    return _ENTITY.sub(decode, text)
