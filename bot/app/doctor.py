"""What is missing for the bot to reach Slack, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator

from bot.settings import load_slack_settings
from retrieval.doctor import Finding
from retrieval.errors import SettingsError


def checks() -> Iterator[Finding]:
    """Look at the tokens; nothing else on this machine needs Slack."""
    try:
        settings = load_slack_settings()
    except SettingsError as error:
        yield Finding("slack", "warning", "not configured; `whimbrel serve` needs it", str(error))
    else:
        yield Finding("slack", "ok", f"{settings.mode} mode, tokens look right (not tried)")
