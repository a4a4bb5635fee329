"""Reads calendars: what takes place when and where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from retrieval.documents.loaders.blocks import Block, Loaded, one_line, sections_of
from retrieval.documents.loaders.front_matter import refuse
from retrieval.documents.loaders.text import decode
from retrieval.errors import RestrictedError, UnreadableError
from retrieval.labels import names_audience

_KINDS = ("VEVENT", "VTODO", "VJOURNAL")
_LINE = re.compile(
    r'([\w-]+)((?:;[\w-]+=(?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*)*):(.*)', re.DOTALL
)
_PARAMETER = re.compile(r';([\w-]+)=("[^"]*"|[^;]*)')
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?")
_ESCAPED = re.compile(r"\\([nN\\;,])")
_TEXTS = {"LOCATION": "Where", "ORGANIZER": "Organizer", "ATTENDEE": "With", "STATUS": "Status"}
_DAYS = {"MO": "Monday", "TU": "Tuesday", "WE": "Wednesday", "TH": "Thursday", "FR": "Friday"}
_DAYS |= {"SA": "Saturday", "SU": "Sunday"}
_UNITS = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year", "HOURLY": "hour"}

Line = tuple[str, dict[str, str], str]


def load_calendar(data: bytes) -> list[Loaded]:
    """One document with a section for each event, task and journal entry.

    Raises:
        RestrictedError: If an event is not for everybody.
        UnreadableError: If it is no calendar.
    """
    lines = list(_lines(decode(data)))
    if not any(line[0] == "BEGIN" and line[2].upper() == "VCALENDAR" for line in lines):
        raise UnreadableError("is not a calendar: it has no VCALENDAR")
    refuse((name for name, _, _ in lines if names_audience(name.removeprefix("X-"))))
    blocks: list[Block] = []
    title: str | None = None
    open_: list[str] = []
    event: list[Line] = []
    for name, parameters, value in lines:
        if name == "BEGIN":
            open_.append(value.upper())
            event = [] if open_[-1] in _KINDS else event
        elif name == "END":
            if open_[-1:] == [value.upper()]:
                open_.pop()
            if value.upper() in _KINDS:
                blocks += _blocks(event)
        elif open_[-1:] and open_[-1] in _KINDS:
            event.append((name, parameters, value))
        elif name in ("X-WR-CALNAME", "NAME"):
            title = one_line(_plain(value))
    return [Loaded(sections_of(blocks), title=title)]


def _lines(text: str) -> Iterator[Line]:
    """Each property's name, parameters and value; long lines are folded."""
    for line in re.sub(r"\n[ \t]", "", text).split("\n"):
        match = _LINE.fullmatch(line)
        if match:
            parameters = {k.upper(): v.strip('"') for k, v in _PARAMETER.findall(match[2])}
            yield match[1].upper(), parameters, match[3]


def _blocks(event: list[Line]) -> list[Block]:
    values: dict[str, list[Line]] = {}
    for line in event:
        values.setdefault(line[0], []).append(line)
    for _, _, value in values.get("CLASS", ()):
        if value.upper() != "PUBLIC":
            raise RestrictedError(f"has an event whose class is {value!a}, not for everybody")
    lines = [f"When: {when}"] if (when := _when(values)) else []
    lines += [f"Due: {_moment(line)[0]}" for line in values.get("DUE", ())]
    lines += [f"Repeats: {_rule(value)}" for _, _, value in values.get("RRULE", ())]
    if "EXDATE" in values:
        lines.append(f"Except: {', '.join(_moment(line)[0] for line in values['EXDATE'])}")
    for name, label in _TEXTS.items():
        told = ", ".join(filter(None, map(_person_or_text, values.get(name, ()))))
        lines += [f"{label}: {told}"] if told else []
    title = one_line(_text(values, "SUMMARY"))
    texts = ("\n".join(lines), _text(values, "DESCRIPTION"), _text(values, "URL"))
    return [Block(title or "Event", level=2), *(Block(text) for text in texts if text)]


def _text(values: dict[str, list[Line]], name: str) -> str:
    return "\n".join(_plain(value).strip() for _, _, value in values.get(name, ()))


def _plain(value: str) -> str:
    return _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)


def _person_or_text(line: Line) -> str:
    name, parameters, value = line
    if name not in ("ORGANIZER", "ATTENDEE"):
        return _plain(value).strip().capitalize() if name == "STATUS" else _plain(value).strip()
    address = re.sub(r"(?i)^mailto:", "", value)
    common = parameters.get("CN", "")
    return f"{common} <{address}>" if common and common != address else address


def _when(values: dict[str, list[Line]]) -> str:
    if "DTSTART" not in values:
        return ""
    start, zone = _moment(values["DTSTART"][0])
    end = ""
    for line in values.get("DTEND", ()):
        end = _moment(line)[0]
        if len(end) == 10:  # a day of its own: the one after the last
            end = _before(end)
    if end[:10] == start[:10]:
        end = end[11:]
    lasting = [f"for {value}" for _, _, value in values.get("DURATION", ())] if not end else []
    return " ".join(
        [f"{start} to {end}" if end else start, *lasting, *([f"({zone})"] if zone else [])]
    )


def _moment(line: Line) -> tuple[str, str]:
    """A time as `2026-05-04 09:30`, or a day, and its zone."""
    _, parameters, value = line
    match = _TIME.match(value)
    if match is None:
        return value, ""
    day = f"{match[1]}-{match[2]}-{match[3]}"
    zone = "UTC" if match[7] else parameters.get("TZID", "")
    return (f"{day} {match[4]}:{match[5]}", zone) if match[4] else (day, "")


def _before(day: str) -> str:
    try:
        return (date.fromisoformat(day) - timedelta(days=1)).isoformat()
    except (ValueError, OverflowError):
        return day


def _rule(value: str) -> str:
    """A rule in words: every 2 weeks on Monday, Friday until 2026-12-31."""
    parts = dict(part.partition("=")[::2] for part in value.upper().split(";"))
    unit = _UNITS.get(parts.get("FREQ", ""))
    if unit is None:
        return value
    every = parts.get("INTERVAL", "1")
    said = f"every {unit}" if every == "1" else f"every {every} {unit}s"
    if "BYDAY" in parts:
        days = (
            re.sub(r"[A-Z]+", lambda m: _DAYS.get(m[0], m[0]), day)
            for day in parts["BYDAY"].split(",")
        )
        said += f" on {', '.join(days)}"
    if "BYMONTHDAY" in parts:
        said += f" on day {parts['BYMONTHDAY']}"
    if "UNTIL" in parts:
        said += f" until {_moment(('', {}, parts['UNTIL']))[0][:10]}"
    return said + (f", {parts['COUNT']} times" if "COUNT" in parts else "")
