"""Moments that come again: every day, or every week, at a time of day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PATTERN = rf"^(?:(?P<day>{'|'.join(DAYS)}) )?(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)$"


@dataclass(frozen=True, slots=True)
class Times:
    """Moments that come again; `weekday` counts from Monday, None is every day. In UTC."""

    hour: int
    minute: int
    weekday: int | None = None

    @classmethod
    def of(cls, text: str) -> Times:
        """What a text such as `03:00` or `sunday 03:00` means; it matches `PATTERN`."""
        found = re.match(PATTERN, text)
        assert found is not None, "the settings let nothing else pass"
        day = found["day"]
        return cls(int(found["hour"]), int(found["minute"]), DAYS.index(day) if day else None)

    def after(self, moment: datetime) -> datetime:
        """The first of the moments that is later than this one."""
        day = moment.replace(hour=self.hour, minute=self.minute, second=0, microsecond=0)
        while day <= moment or self.weekday not in (None, day.weekday()):
            day += timedelta(days=1)
        return day
