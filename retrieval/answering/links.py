"""Addresses, links, mentions and tags, made inert unless they may stay."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from urllib.parse import quote

REMOVED = "‹link removed›"
"""What stands where an address without a label stood."""

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
_TELEPHONE = re.compile(r"tel:(?P<number>\+?[0-9().-]{3,24})", re.IGNORECASE)

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

_TOPS = """com org net edu gov mil int info biz name pro io ai app dev cloud xyz top site online
store shop tech club link click live news blog wiki page icu vip work world zone agency email
support example ac ad ae af ag al am ao ar at au az ba bb be bg bh br by bz ca cc ch ci ck cl cn co
cr cu cy cz de dk do dz ec ee eg es et eu fi fj fr ge gh gi gr gt hk hn hr hu id ie il im in iq ir
is it je jm jo jp ke kg kh kr kw kz la lb li lk lt lu lv ly ma mc me mg mk mm mn mo mt mu mv mx my
mz na nf ng ni nl no np nz om pa pe pg pk pt qa ro ru rw sa sb sc se sg si sk sl sm sn su sv sy th
tj tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vn vu ws za zm zw"""
# Those that files end in, such as md, py and sh, would take names of files for hosts.
DOMAIN = rf"(?<![\w@./+-])(?:[a-z0-9-]++\.)+(?:{'|'.join(_TOPS.split())})(?![\w@/-]|\.[a-z0-9])"
"""A host without an address around it, which Slack links."""

_PATH = re.compile(r"[\w.~:/?#@!$&'()*+,;=%-]*", re.ASCII)

_FLAGS = re.VERBOSE | re.IGNORECASE | re.ASCII
_ACTIVE = re.compile(
    rf"""(?P<address>{_ADDRESS}) | (?P<at>{_MENTION}) | (?P<angle>{_CONTROL}|{_TAG})
       | (?P<bracket>\](?=\(|:\s*+[a-z][a-z0-9+.-]*+:[^\s/])
           | (?<!\[\d)(?<!\[\d\d)(?<!\[\d\d\d)\](?=\[) | \](?=\[(?!\d)))
       | (?<![\w@./+-])(?P<host>[a-z0-9-][a-z0-9.-]*+)(?=[/?\#]\S)
       | (?P<domain>{DOMAIN})
       | (?<![a-z0-9])(?P<call>tel|sms|sips?|xmpp|skype|callto|facetime|slack):(?=\S)""",
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

Keeps = Callable[[str], bool]
"""Whether an address may stay."""


def keeps_any(allowed_urls: Collection[str]) -> Keeps:
    """Lets these addresses stay; the case of scheme and host does not count."""
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


def inert_code(text: str, keeps: Keeps) -> str:
    """Code with its addresses and mentions broken up, those that may stay apart."""
    parts = []
    end = 0
    for match in _ADDRESS_IN_CODE.finditer(text):
        url = _kept(match.group(), keeps)
        if url and not _lengthens(text[match.end() : match.end() + 1]):
            parts += [_ACTIVE_IN_CODE.sub(_broken, text[end : match.start()]), url]
            end = match.start() + len(url)
    return "".join([*parts, _ACTIVE_IN_CODE.sub(_broken, text[end:])])


def unlinked(text: str) -> str:
    """Text that is not Markdown, with nothing in it that an address is made of or mentions."""

    def replace(match: re.Match[str]) -> str:
        found = match.group()
        if match["address"]:
            return _address(match, keeps_any(()))
        if match["call"]:
            return f"{found} "
        # It is shown where Slack looks for no addresses: a name may be one of a host.
        return _host(found) if match["host"] else found.replace("@", "＠")

    return _ACTIVE.sub(replace, text)


def _broken(match: re.Match[str]) -> str:
    inert = {"at": "＠", "angle": "‹"}
    return inert.get(match.lastgroup or "", f"[{match.group()}]")


class Links:
    """The pieces of one line, its links shrunk to what may stay of them.

    Where it `shows_urls`, a link that stays has its address behind its label.

    A piece is final (code, and the marks of links that stay) or still to be made inert. Labels
    nest and end in any order, hence one pass with a stack of the brackets that are open.
    """

    def __init__(self, keeps: Keeps, *, shows_urls: bool = False) -> None:
        self._keeps, self._shows_urls = keeps, shows_urls
        self._pieces: list[tuple[str, bool]] = []
        self._openers: list[int] = []

    def add(self, text: str, *, is_final: bool = False) -> None:
        """Add a piece as it is."""
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
                self.add(ends[match.start()], is_final=ends[match.start()].startswith("]"))
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
        is_kept = self._pieces[opener][0] == "[" and self._keeps(url)
        if is_kept and not self._shows_urls:
            self._pieces[opener] = ("[", True)
            self.add(f"]({destination['raw']})", is_final=True)
            return
        label = "".join(text for text, _ in self._pieces[opener + 1 :])
        self._pieces[opener] = ("", False)
        self.add(f" ({url})" if is_kept else _contact(url, label))

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
        if keeps and self._shows_urls:
            ends[match.end("label")] = f" ({url})"
        elif keeps and _DESTINATION.fullmatch(f"({url})"):
            self.add("[", is_final=True)
            ends[match.end("label")] = f"]({url})"
        else:
            ends[match.end("label")] = _contact(url, label)
        return match.end()


def _contact(url: str, label: str) -> str:
    """What a link's label does not say of whom it writes to or calls."""
    mail, call = _MAILTO.fullmatch(url), _TELEPHONE.fullmatch(url)
    said = mail["mail"] if mail else call["number"] if call else ""
    plain = re.sub("[ ().-]", "", label)
    return f" ({said})" if said and re.sub("[ ().-]", "", said) not in plain else ""


def _joined(parts: Iterator[str]) -> str:
    """The parts as one text, a space where two would make a mark that neither is."""
    joined: list[str] = []
    for part in parts:
        if joined and joined[-1][-1] + part[0] in {"![", "][", "``"}:
            joined.append(" ")
        joined.append(part)
    return "".join(joined)


def _inert(text: str, keeps: Keeps) -> str:
    """Text in which only addresses that may stay still do something."""

    def replace(match: re.Match[str]) -> str:
        found = match.group()
        if match["address"]:
            return _address(match, keeps)
        if match["host"]:
            path = _PATH.match(match.string, match.end())
            return found if path and _kept(found + path.group(), keeps) else _host(found)
        if match["domain"]:
            return found if keeps(found) else _host(found)
        if match["call"]:
            return f"{found} "
        return {"@": "＠", "<": "‹", "]": "] "}[found]

    return _ACTIVE.sub(replace, text)


def _address(match: re.Match[str], keeps: Keeps) -> str:
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
    _, dot, top = found.rpartition(".")
    return found.replace(".", "[.]") if dot and len(top) > 1 and top.isalpha() else found


def _kept(found: str, keeps: Keeps) -> str:
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
