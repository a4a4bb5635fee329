"""What the bot says in its own words: a catalogue for each language, in `languages/`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel


class Texts(BaseModel, frozen=True, extra="forbid"):
    """Texts that are shown together. Names in braces are filled in with `str.format`."""


class AskingStrings(Texts):
    """What is said around a question, and where there is no answer."""

    looking: str
    working: str
    asked: str
    not_taken: str
    stopped: str
    empty: str
    held_up: str
    busy: str
    busy_person: str
    busy_channel: str
    queued: str
    withdraw: str
    withdrawn: str
    begun: str
    failed: str
    no_index: str
    muted: str
    ask_own: str
    not_served: str
    welcome: str
    attachment_used: str
    attachment_unread: str
    attachment_picture: str
    prompts_title: str
    prompts: tuple[str, ...]


class CardStrings(Texts):
    """The words on an answer's card."""

    sources: str
    nearest: str
    extracted: str
    generated: str
    page: str
    good: str
    bad: str
    updated_today: str
    updated_yesterday: str
    updated_days: str
    updated_months: str
    updated_years: str
    owner: str
    curated: str
    cut_short: str
    searched: str
    searched_sources: str
    whom_to_ask: str
    why: str
    share: str
    keep: str
    delete: str
    delete_sure: str
    cancel: str
    ask_expert: str
    retry: str


class CardActionStrings(Texts):
    """What a card's buttons lead to."""

    why_title: str
    why_working: str
    why_share: str
    why_measure: str
    close: str
    too_late: str
    gone: str
    shared: str
    outdated: str
    not_keepable: str
    withheld: str
    not_shareable: str
    not_member: str
    kept: str
    not_yours: str
    escalation: str
    escalated: str


class FeedbackStrings(Texts):
    """What is asked of those who rate an answer or know a better one."""

    why_bad_title: str
    why_bad_intro: str
    why_bad: str
    reasons: Mapping[str, str]
    right_answer: str
    right_document: str
    no_document: str
    other_document: str
    send: str
    cancel: str
    why_bad_note: str
    why_bad_button: str
    accept_note: str
    accept_button: str
    no_reply_here: str
    proposed: str
    proposed_to_admins: str
    no_question_here: str


class ReviewStrings(Texts):
    """The queue in which experts decide what is proposed."""

    title: str
    intro: str
    empty: str
    more: str
    document: str
    proposal_sources: Mapping[str, str]
    approve: str
    edit: str
    reject: str
    edit_title: str
    edit_question: str
    edit_answer: str
    approved: str
    rejected: str
    retired: str
    served_title: str
    retire: str
    retire_sure: str
    retire_what: str
    taken: str
    gone: str
    too_late: str


class HomeStrings(Texts):
    """App Home: a person's questions, and what they decide about their data."""

    questions: str
    no_questions: str
    ratings: str
    rated_good: str
    rated_bad: str
    is_fixed: str
    fixed: str
    ask_again: str
    report: str
    privacy: str
    learning_on: str
    learning_off: str
    learning_start: str
    learning_stop: str
    notify_unset: str
    notify_on: str
    notify_off: str
    notify_start: str
    notify_stop: str
    forget_intro: str
    forget: str
    forget_sure: str
    forget_what: str
    forget_approved: str
    forget_approved_what: str
    forgotten: str
    forgotten_approved: str
    fixed_news: str
    fixed_untold: str
    fixed_unsaid: str


class CommandStrings(Texts):
    """What `/whimbrel` knows, and what it says where it cannot do it."""

    help: str
    status: str
    deleted_after: str
    days_of: str
    kept: Mapping[str, str]
    not_admin: str
    unknown: str
    nearest: str
    failed: str
    summaries: Mapping[str, str]
    buttons: Mapping[str, str]


class AccessStrings(Texts):
    """Why somebody may read a document, or may not."""

    holds: str
    nothing: str
    standings: Mapping[str, str]
    reasons: Mapping[str, str]
    document: str
    no_document: str
    may: str
    may_not: str
    channel: str
    withheld: str


class SyncingStrings(Texts):
    """What the status tells of a source of documents."""

    never: str
    running: str
    done: str
    broken: str


class MutingStrings(Texts):
    """How long the bot is quiet in a channel."""

    unclear: str
    muted_for: str
    muted_off: str
    minutes: str
    hours: str
    days: str


class ChannelFormStrings(Texts):
    """The form with a channel's settings."""

    title: str
    save: str
    cancel: str
    labels: Mapping[str, str]
    hints: Mapping[str, str]
    options: Mapping[str, Mapping[str, str]]
    all_sources: str
    usual: str
    saved: str
    unknown: str
    only_channels: str
    too_late: str
    threshold_wrong: str
    sources_wrong: str


class ReindexStrings(Texts):
    """How the documents are read again, and what became of them."""

    begun: str
    stage: str
    stages: Mapping[str, str]
    done: str
    failed: str
    busy: str
    added: str
    changed: str
    removed: str
    partial: str
    unread: str
    and_more: str


class ModelStrings(Texts):
    """Which models and which index answer, and the way back."""

    title: str
    kinds: Mapping[str, str]
    generation_served: str
    generation_before: str
    generation: str
    account: str
    rollback_hint: str
    learned_title: str
    learned_run: str
    trained_kinds: Mapping[str, str]
    run_serving: str
    run_waiting: str
    run_retired: str
    run_base: str
    deployments_title: str
    deployment: Mapping[str, str]
    run_rolled_back: str
    rolled_back: str
    documents_differ: str
    documents_same: str


class TrialStrings(Texts):
    """The model on trial."""

    title: str
    modes: Mapping[str, str]
    arms: Mapping[str, str]
    arm: str
    verdicts: Mapping[str, str]
    agreement: str
    publish: str
    publish_confirm: str
    stop: str
    stop_confirm: str
    cancel: str
    none: str
    published: str
    stopped: str
    taken_back: str


class LearningStrings(Texts):
    """Learning from the ratings."""

    begun: str
    stage: str
    again: str
    busy: str
    failed: str
    done: str
    missing: str
    enough: str
    outcomes: Mapping[str, str]
    counted: Mapping[str, str]
    learners: Mapping[str, str]
    pictures: str
    last: str


class ReplayStrings(Texts):
    """Asking the last questions again."""

    usage: str
    begun: str
    stage: str
    busy: str
    failed: str
    done: str
    line: str
    changes: Mapping[str, str]
    files: str


class OutdatedStrings(Texts):
    """Documents that stand lower because people call them outdated."""

    lowered: str
    document: str
    lift: str
    none: str
    lifted: str
    unknown: str


class ReportStrings(Texts):
    """The report on how well questions are answered."""

    title: str
    begun: str
    empty: str
    labels: Mapping[str, str]
    languages: str
    language: str
    gaps: str
    gap: str
    untold: str
    stale: str
    stale_source: str
    disliked: str
    disliked_source: str
    outdated: str
    outdated_source: str
    outdated_states: Mapping[str, str]
    files: str
    history: str
    era: str
    interval: str
    none: str
    unknown: str
    pictures: str
    no_pictures: str
    summary: str


class Strings(Texts):
    """All texts in one language."""

    asking: AskingStrings
    cards: CardStrings
    card_actions: CardActionStrings
    feedback: FeedbackStrings
    review: ReviewStrings
    home: HomeStrings
    commands: CommandStrings
    access: AccessStrings
    syncing: SyncingStrings
    muting: MutingStrings
    channel_form: ChannelFormStrings
    reindex: ReindexStrings
    models: ModelStrings
    trial: TrialStrings
    learning: LearningStrings
    replay: ReplayStrings
    outdated: OutdatedStrings
    report: ReportStrings
    dashboard: Mapping[str, str]


_CATALOGUES = {
    path.stem: Strings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    for path in Path(__file__).with_name("languages").glob("*.toml")
}


def strings_for(language: str) -> Strings:
    """The catalogue for a language code; English where there is none of its own."""
    return _CATALOGUES.get(language, _CATALOGUES["en"])
