"""What is missing for the bot to reach Slack, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from bot.privacy.erasing import put_aside
from bot.redaction import LIBRARIES, Redacted, is_installed
from bot.settings import SlackSettings, load_slack_settings
from bot.store.soundness import check_before, mark_of
from retrieval.doctor import Finding
from retrieval.errors import DataError, SettingsError
from retrieval.settings import load_settings, read


def checks() -> Iterator[Finding]:
    """Look at the database, if there is one, and at the tokens."""
    settings = load_settings()
    database = settings.database
    if database.exists() or mark_of(database).exists():
        try:
            check_before(database)
        except DataError as error:
            yield Finding("database", "missing", "not usable", str(error))
        else:
            yield Finding("database", "ok", f"{database}, whole")
    for folder in put_aside(settings.home):
        found = f"{folder} holds what was there before a restore, also of who was forgotten since"
        yield Finding("restored", "warning", found, "`whimbrel purge` deletes it")
    with suppress(SettingsError):  # told below
        kept = read(SlackSettings, prefix="SLACK_")
        days = kept.kept_days
        told = [
            f"{what} {count} days" if count else f"{what} for ever" for what, count in days.items()
        ]
        yield Finding("retention", "ok", ", ".join(told))
        yield _redaction(kept.redact)
    try:
        slack = load_slack_settings()
    except SettingsError as error:
        yield Finding("slack", "warning", "not configured; `whimbrel serve` needs it", str(error))
    else:
        yield Finding("slack", "ok", f"{slack.mode} mode, tokens look right (not tried)")


def _redaction(what: Redacted) -> Finding:
    missing = [package for name, package in LIBRARIES.items() if not is_installed(name)]
    if what == "nothing" or not missing:
        return Finding("redaction", "ok", f"{what} is taken out of what is stored")
    found = f"{what}: what has a form that is known is taken out of what is stored"
    return Finding("redaction", "warning", found, f"to find more: pip install {' '.join(missing)}")
