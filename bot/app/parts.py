"""What a bot is put together from: what answers, what admins start, and how long it waits."""

from __future__ import annotations

from dataclasses import dataclass

from bot.admin.learner import LearningProcess
from bot.admin.reindex import Reindexer
from bot.admin.replaying import Replayer
from bot.admin.syncing import SyncProcess
from bot.asking.questions import AnswerService
from bot.review.document_lookup import DocumentLookup
from bot.slack.audience import Holdings
from bot.trials.shadowing import Candidates
from retrieval.linking import ANY_HOST, LinkRules
from retrieval.serving.installation import Installation


@dataclass(frozen=True, slots=True)
class Engine:
    """What answers questions, what they are answered from, and what of that may be linked.

    `held_at_sources` tells what of it is for whom where it comes from.
    """

    answerer: AnswerService
    documents: DocumentLookup
    installation: Installation
    candidates: Candidates
    links: LinkRules = ANY_HOST
    held_at_sources: Holdings = lambda _: ()


@dataclass(frozen=True, slots=True)
class LongJobs:
    """What takes minutes: what admins start from Slack, and what goes by a schedule."""

    reindexer: Reindexer
    learner: LearningProcess
    replayer: Replayer
    syncer: SyncProcess


@dataclass(frozen=True, slots=True)
class Timings:
    """How long the bot waits.

    Answers in progress have `grace_s` to end once the bot is told to stop; a job that failed rests
    for `retry_s`. Progress is shown every `tick_s`. A socket that was lost without a word is
    replaced after `ping_s`. What was published, and how a candidate does, is looked at every
    `look_s`, and what is too old to be kept every `retain_s`.
    """

    grace_s: float = 20.0
    retry_s: float = 2.0
    tick_s: float = 3.0
    ping_s: float = 3.0
    look_s: float = 2.0
    retain_s: float = 3600.0
