"""The one exit for text that leaves: only known addresses, no mentions, nothing invisible.

Text is judged line by line; only a fenced block reaches further. In a line invisible characters
go, links shrink to their labels, and what could still become a link, a mention or a tag is made
inert by putting something visible in its place. That last step leaves nothing for an earlier one
to act on, so sanitised text passes unchanged.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Collection, Iterator
from urllib.parse import quote

REMOVED = "‹link removed›"
"""What stands where an address without a label stood."""

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

_TOKEN = re.compile(r"!?\[|[\]<>]")
_DESTINATION = re.compile(
    r"""\(\s*+(?P<raw>
            <(?P<angled>[^<>]*)>
          | (?P<plain>[^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*)
        )(?:\s++(?:"[^"]*"|'[^']*'|\([^()]*\)))?\s*+\)""",
    re.VERBOSE,
)
_REFERENCE = re.compile(r"\[[^\[\]]*\]")
_ANGLE = re.compile(
    r"<(?P<url>(?:[a-z][a-z0-9+.-]*+:|//|www\.)[^<>|]*)(?:>|\|(?=(?P<label>[^<>]*)>))",
    re.IGNORECASE,
)
_MAILTO = re.compile(
    r"mailto:(?P<mail>[a-z0-9._%+-]++@[a-z0-9-]++(?:\.[a-z0-9-]++)+)(?:\?.*)?", re.IGNORECASE
)

# A run of scheme characters is tried once, from its start: that keeps the search linear.
_ADDRESS = r"""(?:
    (?<![a-z0-9+.-])[a-z0-9+.-]++\\?:\\?[/\\]\\?[/\\]
  | (?<![a-z0-9])(?:
        (?:javascript|vbscript|mailto):(?=\S)
      | data:(?=[\w.+-]*/[\w.+-]*[;,])
      | www\.
    )
  | (?<![a-z0-9+.:/\\-])//(?=[a-z0-9-]+\.[a-z])
)[a-z0-9._~:/?\#@!$&'()*+,;=%\\-]*+"""
_MENTION = r"(?<![a-z0-9])@(?=(?:channel|here|everyone)(?![a-z0-9]))"
_CONTROL = r"<(?=[!@\#?]|//|www\.|[a-z][a-z0-9+.-]*+:)"

_ELEMENTS = """abbr address applet area article aside audio base basefont bdi bdo big blockquote
body br button canvas caption center cite code col colgroup datalist dd del details dfn dialog dir
div dl dt em embed fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6
head header hr html iframe image img input ins kbd label legend li link main map mark marquee math
menu meta meter nav noframes noscript object ol optgroup option output param picture plaintext pre
progress rp rt ruby samp script section select slot small source span strike strong style sub
summary sup svg table tbody td template textarea tfoot th thead title tr track tt ul var video wbr
xml xmp"""
# Unknown names without attributes, as in List<int>, are no tags. What was a bracket ends a tag
# as the bracket did, or a second look would see more.
_TAG = rf"""<(?=
    /?(?:{"|".join(_ELEMENTS.split())})(?![\w.:-])
  | /?[abipqsu](?:\s[^<>‹]*)?/?>
  | [a-z][\w:-]*+[\s/][^<>‹]*=
)"""

_FLAGS = re.VERBOSE | re.IGNORECASE | re.ASCII
_ACTIVE = re.compile(
    rf"""(?P<address>{_ADDRESS}) | (?P<at>{_MENTION}) | (?P<angle>{_CONTROL}|{_TAG})
       | (?P<bracket>\](?=\(|:\s*+[a-z][a-z0-9+.-]*+:[^\s/])
           | (?<!\[\d)(?<!\[\d\d)(?<!\[\d\d\d)\](?=\[) | \](?=\[(?!\d)))
       | (?<![\w@./+-])(?P<host>[a-z0-9-][a-z0-9.-]*+)(?=[/?\#]\S)""",
    _FLAGS,
)
_ADDRESS_IN_CODE = re.compile(_ADDRESS, _FLAGS)
_ACTIVE_IN_CODE = re.compile(
    rf"""(?P<at>{_MENTION}) | (?P<angle>{_CONTROL})
       | (?P<separator>(?<!\[):\\?[/\\]\\?[/\\] | (?<=www)\.
           | (?:(?<=javascript)|(?<=vbscript)):(?=\S)
           | (?<=data):(?=[\w.+-]*/[\w.+-]*[;,]))""",
    _FLAGS,
)

# Words that no later text can change, up to the white space behind the last of them.
_SETTLED = re.compile(
    r"""(?:(?:[^\s`\[\]<&\x1b\x9b]
           | (?:\[\d+\])++(?![(\[:])
           | (?<!`)`[^`\x1b\x9b]++`(?!`)
        )*+\s++)++""",
    re.VERBOSE,
)
_NO_FENCE = re.compile(rf"{_BLOCK_MARKS}[^`\s>]\S*\s")

_Keeps = Callable[[str], bool]


def sanitise(text: str, *, allowed_urls: Collection[str] = ()) -> str:
    """Markdown that can be posted: a model's text without anything that acts on its reader.

    An address stays only if it is one of `allowed_urls`, query and fragment included; the case of
    scheme and host does not count. Links and images shrink to their labels, e-mail addresses stay
    as text, mentions and HTML tags stay readable but do nothing, and characters that cannot be
    seen are gone. Code keeps its text; in it addresses and mentions are only broken up.

    The result is the same however often it is sanitised. Any string is accepted; the time grows
    with its length.
    """
    stream = StreamSanitiser(allowed_urls=allowed_urls)
    return stream.feed(text) + stream.close()


class StreamSanitiser:
    """`sanitise` for text that arrives in pieces; what it returned never has to be taken back.

    The pieces returned by `feed` and `close`, joined, are the sanitised whole. At most the current
    line is held back.
    """

    def __init__(self, *, allowed_urls: Collection[str] = ()) -> None:
        self._keeps = _keeps_any(allowed_urls)
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
        return _prose(match.group(), self._keeps)

    def _line(self, line: str) -> str:
        line = _ANSI.sub("", line)
        if self._begun:
            self._begun = False
            return _prose(line, self._keeps)
        fence = _FENCE.match(line)
        if not self._fence and not fence:
            return _prose(line, self._keeps)
        if not self._fence and fence:
            self._fence = len(fence[1])
        elif fence and len(fence[1]) >= self._fence and line.endswith("`"):
            self._fence = 0
        return _code(line, self._keeps)


def _keeps_any(allowed_urls: Collection[str]) -> _Keeps:
    allowed = {_normalised(url) for url in allowed_urls}

    def keeps(url: str) -> bool:
        schemes = ("https://", "http://") if url[:4].lower() == "www." else ("",)
        return any(_normalised(scheme + url) in allowed for scheme in schemes)

    return keeps


def _normalised(url: str) -> str:
    """Scheme and host in lower case, a path, and percent-encoding where ASCII ends."""
    url = url.strip()
    head = re.match("[^:/?#]*://[^/?#]*", url)
    end = head.end() if head else 0
    path = quote(url[end:].removeprefix("/"), safe="/:?#[]@!$&'()*+,;=%~", errors="replace")
    return f"{url[:end].lower()}/{path}"


def _code(text: str, keeps: _Keeps) -> str:
    """Code with its addresses and mentions broken up, those that may stay apart."""
    parts = []
    end = 0
    for match in _ADDRESS_IN_CODE.finditer(text):
        url = _kept(match.group(), keeps)
        if url and not _lengthens(text[match.end() : match.end() + 1]):
            parts += [_ACTIVE_IN_CODE.sub(_broken, text[end : match.start()]), url]
            end = match.start() + len(url)
    return "".join([*parts, _ACTIVE_IN_CODE.sub(_broken, text[end:])])


def _broken(match: re.Match[str]) -> str:
    inert = {"at": "＠", "angle": "‹"}
    return inert.get(match.lastgroup or "", f"[{match.group()}]")


def _prose(line: str, keeps: _Keeps) -> str:
    links = _Links(keeps)
    for text, is_code in _spans(line):
        if is_code:
            links.add(_code(text, keeps), is_final=True)
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


class _Links:
    """The pieces of one line, its links shrunk to what may stay of them.

    A piece is final (code, and the marks of links that stay) or still to be made inert. Labels
    nest and end in any order, hence one pass with a stack of the brackets that are open.
    """

    def __init__(self, keeps: _Keeps) -> None:
        self._keeps = keeps
        self._pieces: list[tuple[str, bool]] = []
        self._openers: list[int] = []

    def add(self, text: str, *, is_final: bool = False) -> None:
        self._pieces.append((text, is_final))

    def read(self, text: str) -> None:
        """Add a text without code."""
        position = 0
        ends: dict[int, str] = {}  # where the label of a <url|label> ends, and what stands there
        while match := _TOKEN.search(text, position):
            self.add(text[position : match.start()])
            position = match.end()
            mark = match.group()
            if mark == "]":
                position = self._close(text, position)
            elif mark == "<":
                position = self._angle(text, match.start(), ends)
            elif match.start() in ends:
                self.add(ends[match.start()], is_final=ends[match.start()] != "")
            else:
                if mark != ">":
                    self._openers.append(len(self._pieces))
                self.add(mark)
        self.add(text[position:])

    def text(self) -> str:
        """The line, with everything inert that is not final."""
        parts: list[str] = []
        pending: list[str] = []
        for text, is_final in [*self._pieces, ("", True)]:
            if not is_final:
                pending.append(text)
            else:
                parts.append(_inert("".join(pending), self._keeps))
                parts.append(text)
                pending.clear()
        return _joined(part for part in parts if part)

    def _close(self, text: str, position: int) -> int:
        """Where to read on after a closing bracket that ends before `position`."""
        if not self._openers:
            self.add("]")
            return position
        opener = self._openers.pop()
        destination = _DESTINATION.match(text, position)
        if destination:
            self._shrink(opener, destination)
            return destination.end()
        label = self._pieces[opener + 1 :][:2]
        reference = _REFERENCE.match(text, position)
        # [1][2] are two citations.
        if reference and not (len(label) == 1 and label[0][0].isdecimal()):
            self._pieces[opener] = ("", False)
            return reference.end()
        self.add("]")
        return position

    def _shrink(self, opener: int, destination: re.Match[str]) -> None:
        url = destination["angled"] or destination["plain"] or ""
        if self._pieces[opener][0] == "[" and self._keeps(url):
            self._pieces[opener] = ("[", True)
            self.add(f"]({destination['raw']})", is_final=True)
            return
        mail = _MAILTO.fullmatch(url)
        label = self._pieces[opener + 1 :]
        self._pieces[opener] = ("", False)
        if mail and label != [(mail["mail"], False)]:
            self.add(f" ({mail['mail']})")

    def _angle(self, text: str, start: int, ends: dict[int, str]) -> int:
        """Where to read on after the `<` at `start`."""
        match = _ANGLE.match(text, start)
        if not match:
            self.add("<")
            return start + 1
        url, label = match["url"], match["label"]
        if label is None:
            keeps = self._keeps(url)
            mail = _MAILTO.fullmatch(url)
            self.add(f"<{url}>" if keeps else mail["mail"] if mail else REMOVED, is_final=keeps)
            return match.end()
        keeps = self._keeps(url) and not _TOKEN.search(label)
        if keeps and _DESTINATION.fullmatch(f"({url})"):
            self.add("[", is_final=True)
            ends[match.end("label")] = f"]({url})"
        else:
            ends[match.end("label")] = ""
        return match.end()


def _joined(parts: Iterator[str]) -> str:
    """The parts as one text, a space where two would make a mark that neither is."""
    joined: list[str] = []
    for part in parts:
        if joined and joined[-1][-1] + part[0] in {"![", "][", "``"}:
            joined.append(" ")
        joined.append(part)
    return "".join(joined)


def _inert(text: str, keeps: _Keeps) -> str:
    """Text in which only addresses that may stay still do something."""

    def replace(match: re.Match[str]) -> str:
        found = match.group()
        if match["address"]:
            return _address(match, keeps)
        if match["host"]:
            return _host(found)
        return {"@": "＠", "<": "‹", "]": "] "}[found]

    return _ACTIVE.sub(replace, text)


def _address(match: re.Match[str], keeps: _Keeps) -> str:
    found = match.group()
    url = _kept(found, keeps)
    following = match.string[match.end() : match.end() + 1]
    if url:
        gap = " " if _lengthens(following) else ""
        return url + gap + found[len(url) :]
    url = _trimmed(found)
    mail = _MAILTO.fullmatch(url)
    before = match.string[match.start() - 1 : match.start()]
    if mail and not _ACTIVE.search(mail["mail"]) and before not in {"@", "/", "\\", "<"}:
        return mail["mail"] + found[len(url) :]
    return REMOVED + found[len(url) :]


def _lengthens(following: str) -> bool:
    """Whether a reader of addresses may take the character behind one for a part of it."""
    # Hosts and paths may be written in any script.
    in_script = following > "\x7f" and following.isalnum()
    return in_script or (following != "" and following in "<‹＠。．｡")


def _host(found: str) -> str:
    name, dot, top = found.rpartition(".")
    return f"{name}[.]{top}" if dot and len(top) > 1 and top.isalpha() else found


def _kept(found: str, keeps: _Keeps) -> str:
    """The part of a found address that may stay, or nothing."""
    return next((url for url in (found, _trimmed(found)) if keeps(url)), "")


def _trimmed(found: str) -> str:
    """An address without the punctuation of the sentence around it."""
    surplus = found.count(")") - found.count("(")
    end = len(found)
    while end and (found[end - 1] in ".,;:!?'*_~" or (found[end - 1] == ")" and surplus > 0)):
        surplus -= found[end - 1] == ")"
        end -= 1
    return found[:end]
