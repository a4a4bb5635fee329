"""What is missing to learn from ratings, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator

from retrieval.doctor import Finding
from retrieval.errors import RetrievalError
from retrieval.registry.rounds import all_rounds
from retrieval.settings import load_settings
from training.extra import ExtraMissingError, need
from training.settings import load_learn_settings

EXTRA = ("accelerate", "datasets", "optuna", "peft", "trl")


def checks() -> Iterator[Finding]:
    """Look at the libraries of the extra, the settings of rounds, and what the last one came to."""
    yield _extra()
    try:
        settings, own = load_settings(), load_learn_settings()
        rounds = all_rounds(settings.runs_folder)
    except RetrievalError as error:
        yield Finding("learning", "missing", "not usable", str(error))
        return
    ends = "published" if own.publish else "left to you"
    last = f"the last one on {rounds[-1].at[:10]}" if rounds else "none yet"
    found = f"rounds of {own.minutes} min, what passes is {ends}; {last}"
    yield Finding("learning", "ok", found)


def _extra() -> Finding:
    try:
        need(*EXTRA)
    except ExtraMissingError as error:
        mend = f"{error}; maps and judges are learned without"
        return Finding("training", "warning", "not all learners can be used", mend)
    return Finding("training", "ok", f"{', '.join(EXTRA)} are installed")
