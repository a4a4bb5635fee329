"""Keeping the bot quiet in a channel for a while."""

from __future__ import annotations

import re

from bot.admin.commands import CommandRequest
from bot.admin.config import is_channel
from bot.slack.outgoing.cards import Card, notice
from bot.store.channels import Channels
from bot.store.database import Database
from bot.strings import Strings

DEFAULT_S = 3_600
LONGEST_S = 365 * 86_400

_UNITS = {"m": 60, "h": 3_600, "d": 86_400, "分": 60, "小": 3_600, "天": 86_400}
_DURATION = re.compile(
    r"(\d{1,6})\s*(m|min|minutes?|h|hours?|d|days?|分|分钟|小时|天)", re.IGNORECASE
)


class Muting:
    """`/whimbrel mute [30m|2h|1d|off]`, in the channel that it is about."""

    def __init__(self, database: Database) -> None:
        self._channels = Channels(database)
        self._database = database

    async def run(self, request: CommandRequest) -> Card:
        """Mute, or end it, and say so to the admin."""
        job, strings = request.job, request.strings
        if not is_channel(job.channel):
            return notice(strings.channel_form.only_channels)
        try:
            seconds = read_duration(" ".join(request.arguments))
        except ValueError:
            return notice(strings.muting.unclear)
        await self._database.run(self._channels.mute, job.channel, seconds=seconds, by=job.user)
        if not seconds:
            return notice(strings.muting.muted_off)
        return notice(strings.muting.muted_for.format(duration=write_duration(seconds, strings)))


def read_duration(text: str) -> int:
    """Seconds in `30m`, `2 hours`, `1d`, `2小时`; 0 for `off`, an hour for nothing.

    Raises:
        ValueError: If it is none of these, or longer than a year.
    """
    if not text:
        return DEFAULT_S
    if text == "off":
        return 0
    match = _DURATION.fullmatch(text)
    seconds = int(match[1]) * _UNITS[match[2][0].lower()] if match else 0
    if not 0 < seconds <= LONGEST_S:
        raise ValueError(f"not a duration: {text}")
    return seconds


def write_duration(seconds: int, strings: Strings) -> str:
    """A duration in the largest unit that divides it."""
    for unit, words in (("d", strings.muting.days), ("h", strings.muting.hours)):
        if seconds % _UNITS[unit] == 0:
            return words.format(count=seconds // _UNITS[unit])
    return strings.muting.minutes.format(count=seconds // _UNITS["m"])
